"""The bank: all customers, day by day, in the order in which their events were recorded.

Rule: one day is in memory, never more. The same arguments give the same bytes; more customers or more days leave
the events of those already there unchanged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from random import Random

from stream.simulator import dues
from stream.simulator.births import born
from stream.simulator.customers import FOREVER, Customer
from stream.simulator.dice import Roll, mix
from stream.simulator.journeys import visit
from stream.simulator.season import appetite
from stream.simulator.spending import hour_of, wishes
from stream.simulator.teller import Teller, Told

FIRST_DAY = date(2026, 1, 5)


class Bank:
    """A seeded retail bank.

    Args:
        customers: How many; they are numbered from 1.
        days: How many days of business; the last day's closing balances follow in the night after it.
        seed: Any integer.
        start: The first day.
        zone: Where the bank is; money is CNY wherever that is.

    >>> lines = list(Bank(customers=3, days=2, seed=7).events())
    >>> lines == list(Bank(customers=3, days=2, seed=7).events()), len(lines) > 3
    (True, True)
    """

    def __init__(self, customers: int, days: int, seed: int, start: date = FIRST_DAY, zone: str = "Asia/Shanghai") -> None:
        if customers < 0 or days < 0:
            raise ValueError("expected no negative number of customers or days")
        self.customers = customers
        self.days = days
        self.seed = seed
        self.start = start.toordinal()
        self.zone = zone

    def events(self) -> Iterator[bytes]:
        """Structured CloudEvents, one JSON line each (no line feed), `recordedtime` never falling."""
        teller = Teller(self.zone)
        people = [born(self.seed, index, self.start) for index in range(1, self.customers + 1)]
        dice = Random(0)
        waiting = self._opening_balances(teller, people, dice)
        for day in range(self.start, self.start + self.days):
            teller.turn(day)
            waiting += self._day(teller, people, day, dice)
            waiting.sort()
            told = bisect_left(waiting, (teller.clock.calendar.close(day),))
            for event in waiting[:told]:
                yield event[3]
            del waiting[:told]
        for event in waiting:
            yield event[3]

    def _opening_balances(self, teller: Teller, people: list[Customer], dice: Random) -> list[Told]:
        """What the night before the first day tells: where everybody stands."""
        teller.turn(self.start - 1)
        told: list[Told] = []
        for customer in people:
            dice.seed(mix(self.seed, customer.index, self.start - 1))
            told += teller.close(customer, dice.random)
            customer.rest(next_active(customer, self.start - 1, dice.random))
        return told

    def _day(self, teller: Teller, people: list[Customer], day: int, dice: Random) -> list[Told]:
        """All events of a day (and its night); each customer's chance starts afresh from (seed, customer, day)."""
        told: list[Told] = []
        roll = dice.random
        for customer in people:
            if customer.wakes > day:
                continue
            dice.seed(mix(self.seed, customer.index, day))
            acts = dues.acts_of(customer, day, roll)
            if customer.active == day:
                acts += wishes(customer, day, roll)
                if roll() * 1000 < customer.profile.persona.app:
                    acts += visit(customer, day, hour_of(roll), roll)
            told += teller.tell(customer, acts, roll)
            told += teller.close(customer, roll)
            was_active = customer.active <= day or customer.open_since == day
            customer.rest(next_active(customer, day, roll) if was_active else customer.active)
        return told


def next_active(customer: Customer, day: int, roll: Roll) -> int:
    """The next day on which a customer does something of their own; after a long silence, the day it ends."""
    if customer.open_since >= FOREVER:
        return FOREVER
    usual = customer.profile.persona.active * customer.profile.pace
    day += 1
    while roll() * 10_000_000 > usual * min(appetite(day), 130):
        day += 1
    return customer.profile.asleep[1] + 1 if customer.is_asleep(day) else day
