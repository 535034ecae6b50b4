"""What people do with their money on an active day.

Rule: a habit makes one wish for one moment; it never touches a balance. Amounts are minor units. ISO 20022 codes:
CCRD card, ICDT credit transfer out, RCDT received, CNTR counter, MCRD merchant card; merchants by ISO 18245.
"""

from __future__ import annotations

from collections.abc import Callable

from stream.simulator.acts import HOUR, Act, Posting, nature, party
from stream.simulator.customers import YUAN, Customer
from stream.simulator.dice import Roll, between, mix, pick, spread
from stream.simulator.season import appetite, is_red_packet_time, is_workday

BANKS = ("ICBC", "ABC", "BOC", "BCM", "CMB", "PSBC", "CITIC", "SPDB")
MONEY_APPS = ("ALIPAY", "TENPAY")
_SHOP = tuple(nature("PMNT/CCRD/POSD", "POS", mcc=mcc) for mcc in ("5411", "5411", "5812", "5541", "5912", "5311", "4111"))
_ONLINE = {
    channel: tuple(nature("PMNT/CCRD/POSD", channel, mcc=mcc) for mcc in ("5311", "5399", "5732", "5651", "4900", "4814"))
    for channel in ("ONLINE", "MOBILE")
}
_CASH = nature("PMNT/CCRD/CWDL", "SELF_SERVICE")
_COUNTER = (
    nature("PMNT/CNTR/CWDL", "COUNTER"),
    nature("PMNT/CNTR/CWDL", "COUNTER"),
    nature("PMNT/CNTR/CDPT", "COUNTER"),
)
_SETTLE = nature("PMNT/MCRD/POSP", counterparty=party(mix(0xC0DE), "UNIONPAY"))
RED_PACKETS = (66 * YUAN, 88 * YUAN, 168 * YUAN, 200 * YUAN, 666 * YUAN, 888 * YUAN)

Habit = Callable[[Customer, int, int, Roll], Act]


def hour_of(roll: Roll) -> int:
    """A waking moment, ms since midnight: 07:00 to 22:30, mostly afternoon and evening."""
    return 7 * HOUR + int((roll() + roll()) * 7.75 * HOUR)


def wishes(customer: Customer, day: int, roll: Roll) -> list[Act]:
    """One to three movements of money of an active day, in no order."""
    count = (1, 1, 1, 2, 2, 3)[int(roll() * 6)]
    habits = customer.profile.persona.habits
    acts = [HABITS[habits[int(roll() * len(habits))]](customer, day, hour_of(roll), roll) for _ in range(count)]
    if customer.profile.festive and is_red_packet_time(day):
        acts.append(_red_packet(customer, hour_of(roll), roll))
    return acts


def hand(customer: Customer, roll: Roll) -> str:
    """By telephone or by computer: each customer has a leaning."""
    return "MOBILE" if roll() * 1000 < customer.profile.mobile else "ONLINE"


def _spent(customer: Customer, day: int, roll: Roll) -> int:
    """An outgoing amount: the usual one, more in season or of a full account, less of a low one, none of a bare one."""
    profile = customer.profile
    balance = customer.accounts[0].balance
    if balance < 15 * YUAN:
        return 0
    amount = spread(roll, profile.budget * appetite(day) // 100)
    if balance > 4 * profile.income + 2_000 * YUAN:
        amount = amount * 3 // 2
    return -min(amount, balance // 3 + 1)


def _shop(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    return Posting(ms, 0, _spent(customer, day, roll), pick(roll, _SHOP))


def _online(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    return Posting(ms, 0, _spent(customer, day, roll), pick(roll, _ONLINE[hand(customer, roll)]))


def _transfer(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    """To one of three people or money apps the customer always pays."""
    friend = mix(customer.index, int(roll() * 3))
    bank = pick(roll, MONEY_APPS) if roll() < 0.5 else BANKS[friend % len(BANKS)]
    text = nature("PMNT/ICDT/DMCT", hand(customer, roll), counterparty=party(friend, bank))
    return Posting(ms, 0, 2 * _spent(customer, day, roll), text)


def _receive(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    """A friend pays back. Somebody else started it, so it has no channel of ours."""
    friend = mix(customer.index, int(roll() * 3))
    text = nature("PMNT/RCDT/DMCT", counterparty=party(friend, BANKS[friend % len(BANKS)]))
    return Posting(ms, 0, spread(roll, customer.profile.budget), text)


def _cash(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    """Cash comes in hundreds."""
    notes = min(max(1, -_spent(customer, day, roll) // (50 * YUAN)), 50)
    return Posting(ms, 0, -notes * 100 * YUAN, _CASH)


def _counter(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    """At the branch, in its hours; on a holiday at the machine outside."""
    text = pick(roll, _COUNTER)
    notes = between(roll, 2, 15)
    if not is_workday(day):
        return Posting(ms, 0, -notes * 100 * YUAN, _CASH)
    sign = 1 if "CDPT" in text else -1
    return Posting(9 * HOUR + ms % (8 * HOUR), 0, sign * notes * 100 * YUAN, text)


def _settle(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    """A day's takings of a shop, paid out in the evening by the acquirer: not the shop's own doing, so no channel."""
    takings = spread(roll, customer.profile.income * appetite(day) // 1200)
    return Posting(20 * HOUR + ms % (2 * HOUR), 0, takings, _SETTLE)


def _supplier(customer: Customer, day: int, ms: int, roll: Roll) -> Act:
    """A shop buys what it sells: most of what it has, to one of three suppliers."""
    supplier = mix(customer.index, 77, int(roll() * 3))
    text = nature("PMNT/ICDT/DMCT", hand(customer, roll), "SUPP", counterparty=party(supplier, BANKS[supplier % 8]))
    wanted = spread(roll, customer.profile.income // 6)
    return Posting(ms, 0, -min(wanted, customer.accounts[0].balance * 3 // 4 + 1), text)


def _red_packet(customer: Customer, ms: int, roll: Roll) -> Act:
    """红包: small lucky amounts, in or out, by telephone."""
    friend = mix(customer.index, 88, int(roll() * 9))
    amount = pick(roll, RED_PACKETS)
    if roll() < 0.5:
        return Posting(ms, 0, amount, nature("PMNT/RCDT/DMCT", "", "GIFT", counterparty=party(friend, "TENPAY")))
    return Posting(ms, 0, -amount, nature("PMNT/ICDT/DMCT", "MOBILE", "GIFT", counterparty=party(friend, "TENPAY")))


HABITS: dict[str, Habit] = {
    "shop": _shop,
    "online": _online,
    "transfer": _transfer,
    "receive": _receive,
    "cash": _cash,
    "counter": _counter,
    "settle": _settle,
    "supplier": _supplier,
}
