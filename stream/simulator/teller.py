"""Acts become entries and events: balances are changed here, in order of time, and only here.

Rule: an account's `balance_after` is always the one before plus the amount; what an account cannot bear does not
happen and leaves no event. An event is seen up to two seconds after it happened; one in thirty up to 20 minutes.
"""

from __future__ import annotations

from operator import itemgetter

from stream.domain.days import text
from stream.simulator.acts import MINUTE, Act, Move, Note, Posting, nature
from stream.simulator.clock import Clock
from stream.simulator.customers import Account, Customer
from stream.simulator.dice import Roll

Told = tuple[int, int, int, bytes]
"""When it was recorded (UTC ms), by whom, as which of their events, and the line: a total order."""
LATE_SHARE = 0.03
LATE_MS = 20 * MINUTE
PROMPT_MS = 2_000
_SOURCES = {
    "app": "mobile-app",
    "preference": "crm",
    "suppression": "crm",
    "credit": "credit-core",
    "card": "card-core",
}
_OUT = {channel: nature("PMNT/ICDT/BOOK", channel) for channel in ("MOBILE", "ONLINE")}
_IN = nature("PMNT/RCDT/BOOK")
_first = itemgetter(0)


class Teller:
    """Tells one day of one customer; `start` is the day's midnight, UTC ms."""

    def __init__(self, zone: str) -> None:
        self.clock = Clock(zone)
        self._day = 0
        self._start = 0
        self._next = 0
        self._date = ""

    def turn(self, day: int) -> None:
        """Begin this day."""
        self._day, self._date = day, text(day)
        self._start, self._next = self.clock.calendar.start(day), self.clock.calendar.close(day)

    def tell(self, customer: Customer, acts: list[Act], roll: Roll) -> list[Told]:
        """The day's acts as events, in order of time; no two of one customer share an instant."""
        acts.sort(key=_first)
        told: list[Told] = []
        last = 0
        for act in acts:
            at = max(self._start + act[0], last + 1)
            for type_, data in self._happened(customer, act):
                told.append(self._event(customer, at, type_, data, roll))
                last = at
                at += 1
        return told

    def close(self, customer: Customer, roll: Roll) -> list[Told]:
        """The closing balances of the day, told by the night's batch: 00:10 to 01:50 of the next day."""
        told = []
        at = self._next + 10 * MINUTE + int(roll() * 100 * MINUTE)
        for account in customer.accounts:
            if account.moved:
                account.moved = False
                told.append(self._event(customer, at, "account.balance.closed", self._closing(account), roll))
                at += 1
        return told

    def _happened(self, customer: Customer, act: Act) -> list[tuple[str, str]]:
        """What becomes of an act: nothing when the account cannot bear it."""
        if isinstance(act, Note):
            return [(act.type, act.data)]
        accounts = customer.accounts
        if isinstance(act, Posting):
            account = accounts[act.account]
            if act.amount == 0 or not account.post(act.amount):
                return []
            return [("txn.entry.posted", self._entry(account, act.amount, act.nature))]
        return self._moved(accounts[act.source], accounts[act.target], act)

    def _moved(self, source: Account, target: Account, act: Move) -> list[tuple[str, str]]:
        if not source.post(-act.amount):
            return []
        target.post(act.amount)
        debit = self._entry(source, -act.amount, _OUT[act.channel])
        return [("txn.entry.posted", debit), ("txn.entry.posted", self._entry(target, act.amount, _IN))]

    def _entry(self, account: Account, amount: int, kind: str) -> str:
        indicator = "CRDT" if amount > 0 else "DBIT"
        size, after = abs(amount), account.balance
        return (
            f'{{"account_ref":"{account.ref}","amount":{{"amount":"{size // 100}.{size % 100:02d}","ccy":"CNY"}},'
            f'"credit_debit_indicator":"{indicator}",{kind}"booking_date":"{self._date}",'
            f'"balance_after":{{"amount":"{after // 100}.{after % 100:02d}","ccy":"CNY"}},'
            f'"product_class":"{account.product}"}}'
        )

    def _closing(self, account: Account) -> str:
        after = account.balance
        return (
            f'{{"account_ref":"{account.ref}","business_date":"{self._date}",'
            f'"closing_balance":{{"amount":"{after // 100}.{after % 100:02d}","ccy":"CNY"}},'
            f'"product_class":"{account.product}"}}'
        )

    def _event(self, customer: Customer, at: int, type_: str, data: str, roll: Roll) -> Told:
        """The structured CloudEvent of one thing that happened."""
        chance = roll()
        delay = int(chance / LATE_SHARE * LATE_MS) if chance < LATE_SHARE else int(chance * PROMPT_MS)
        customer.said = said = customer.said + 1
        source = _SOURCES.get(type_.partition(".")[0], "core-banking")
        line = (
            f'{{"specversion":"1.0","id":"E{customer.index:07d}-{said}","source":"{source}","type":"{type_}.v1",'
            f'"subject":"{customer.subject}","time":"{self.clock.stamp(at)}",'
            f'"recordedtime":"{self.clock.stamp(at + delay)}","data":{data}}}'
        )
        return at + delay, customer.index, said, line.encode()
