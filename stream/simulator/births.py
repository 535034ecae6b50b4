"""Who a customer is from the first day on, and what fate holds for them.

Rule: everything is drawn from (seed, index), never from how many customers or days there are; so more of either
leaves what was there as it was.
"""

from __future__ import annotations

from random import Random

from stream.domain.days import in_month, month
from stream.simulator.customers import FOREVER, YUAN, Account, Customer, Due, Profile
from stream.simulator.dice import Roll, between, mix, pick
from stream.simulator.dues import next_quarter
from stream.simulator.personas import BANDS, Persona, choose
from stream.simulator.season import payday

EMPLOYERS = 400
_PAYDAYS = (5, 8, 10, 10, 15, 15, 20, 25, 28, 31)
_MOBILE = {"pensioner": (50, 300), "student": (800, 990), "merchant": (400, 900)}


def born(seed: int, index: int, start: int) -> Customer:
    """The customer of this number as they are on the first day."""
    roll = Random(mix(seed, index)).random
    persona = choose(roll)
    profile = _profile(persona, seed, start, roll)
    customer = Customer(index, profile, _accounts(persona, index, roll), start - 1)
    if persona.name == "new":
        _arrival(customer, start, roll)
    else:
        _routine(customer, start, roll)
    _fate(customer, start, roll)
    return customer


def _profile(persona: Persona, seed: int, start: int, roll: Roll) -> Profile:
    pace = between(roll, 45, 190)
    income = between(roll, *persona.income) * YUAN
    a_month = persona.active * 50 * pace // 1000
    works = persona.name in ("salaried", "affluent", "new") and roll() < 0.85
    employer = mix(seed, 0xE, between(roll, 1, EMPLOYERS)) if works else 0
    return Profile(
        persona=persona,
        pace=pace,
        income=income,
        budget=income * 95 // max(a_month, 150),
        payday=_PAYDAYS[employer % len(_PAYDAYS)] if employer else {"pensioner": 15, "student": 2}.get(persona.name, 0),
        employer=employer,
        mobile=between(roll, *_MOBILE.get(persona.name, (250, 980))),
        leaks=between(roll, 55, 95) if works and roll() < 0.07 else 0,
        quits=month(start) + between(roll, 1, 9) if roll() < 0.08 else FOREVER,
        asleep=_silence(persona, start, roll),
        fickle=between(roll, 150, 650),
        festive=between(roll, 40, 250) if roll() < 0.6 else 0,
    )


def _silence(persona: Persona, start: int, roll: Roll) -> tuple[int, int]:
    """From when to when the customer does nothing: a month or two, a season, most of a year, or for good."""
    if roll() * 1000 >= persona.sleeper:
        return FOREVER, FOREVER
    first = start + between(roll, 3, 100)
    length = pick(roll, ((33, 80), (33, 80), (33, 80), (92, 170), (92, 170), (185, 300), (FOREVER, FOREVER)))
    return first, first + between(roll, *length)


def _accounts(persona: Persona, index: int, roll: Roll) -> list[Account]:
    """A demand account, and for some a time deposit and a fund; one in five owns about a tier's limit in all."""
    if persona.name == "new":
        return [Account(f"A{index:07d}1", "DEMAND", 0)]
    low, high = persona.balance
    demand = (low + int(roll() * roll() * (high - low))) * YUAN + int(roll() * YUAN)
    total = _band_near(demand, roll) * YUAN * between(roll, 84, 112) // 100 if roll() < 0.2 else demand
    accounts = [Account(f"A{index:07d}1", "DEMAND", total)]
    for product, chance, place in (("TIME", persona.savings[0], 2), ("FUND", persona.savings[1], 3)):
        if roll() * 1000 < chance:
            put_away = accounts[0].balance * between(roll, 20, 60) // 100
            accounts[0].balance -= put_away
            accounts.append(Account(f"A{index:07d}{place}", product, put_away))
    return accounts


def _band_near(balance: int, roll: Roll) -> int:
    """The tier limit a customer of this size is near to, in yuan; the rich may be near the highest."""
    if balance > 400_000 * YUAN and roll() < 0.4:
        return BANDS[3]
    return BANDS[0] if balance < 10_000 * YUAN else BANDS[1] if balance < 120_000 * YUAN else BANDS[2]


def _arrival(customer: Customer, start: int, roll: Roll) -> None:
    """When a new customer comes, with which card, and whether money follows."""
    day = start + int(roll() * 120)
    card = pick(roll, (0, 0, 1, 1, 2))
    customer.open_since = FOREVER
    customer.accounts[0].moved = False
    customer.plan(day, Due.OPEN, card)
    amount = between(roll, *customer.profile.persona.balance) * YUAN
    if card == 0:
        customer.plan(day, Due.FIRST_CREDIT, amount)
    elif roll() < 0.55:
        customer.plan(day + between(roll, 3, 80), Due.FIRST_CREDIT, amount)
    if customer.profile.employer and card == 0 and roll() < 0.5:
        first = month(day) + 1
        customer.plan(in_month(first, 1), Due.NEW_JOB, first)
    customer.plan(next_quarter(day), Due.INTEREST)


def _routine(customer: Customer, start: int, roll: Roll) -> None:
    """What comes back every month or quarter for a customer of old."""
    profile = customer.profile
    customer.plan(next_quarter(start - 1), Due.INTEREST)
    if profile.payday:
        number = month(start)
        first = payday(number, profile.payday)
        late = first < start
        customer.plan(payday(number + 1, profile.payday) if late else first, Due.INCOME, number + late)
    if profile.employer and roll() < 0.3:
        customer.plan(in_month(month(start) + 1, 20), Due.LOAN, profile.income * between(roll, 15, 35) // 100)
    if len(customer.accounts) > 1:
        customer.plan(start + between(roll, 2, 50), Due.SAVE)
    if profile.persona.name == "affluent" or roll() < 0.12:
        customer.plan(start + between(roll, 2, 40), Due.TIDE)


def _fate(customer: Customer, start: int, roll: Roll) -> None:
    """What comes once, to some: a windfall, a drain, arrears, the wish to be left alone."""
    income = customer.profile.income
    if roll() < 0.06:
        customer.plan(start + between(roll, 25, 150), Due.WINDFALL, income * between(roll, 8, 30))
    if roll() < 0.05:
        customer.plan(start + between(roll, 5, 150), Due.DRAIN)
    if roll() < 0.02:
        customer.plan(start + between(roll, 5, 120), Due.ARREARS, 1)
    if roll() < 0.05:
        customer.plan(start + between(roll, 2, 90), Due.OPT_OUT, between(roll, 0, 8))
