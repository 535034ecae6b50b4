"""Rhythm: a monthly habit starts, or is missed (CAPABILITIES rows 10, 44).

The expected date is that of the customer's own habit: the median date of month of the last payments, in the month nearest
to thirty days after the last one, clipped to its length. It is missed when that date plus the grace is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_high, median_low

import msgspec

from stream.domain.days import NEVER, Calendar, in_month, month, text
from stream.domain.facts import Fact, Read
from stream.domain.triggers import Condition, Date, Money, Phase, Signal, Value
from stream.mechanisms.protocol import SILENT

REMEMBERED = 6
"""Payments the habit is learned from."""
CYCLE = 30


class State(msgspec.Struct, array_like=True, gc=False):
    """Dates and amounts (base minor units) of the last payments, oldest first; misses in a row."""

    days: list[int] = []
    amounts: list[int] = []
    missed: int = 0
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The policy: all in dates. Payments closer than `apart` are one (a bonus); `learn` payments make a habit."""

    calendar: Calendar
    grace: int = 3
    apart: int = 10
    learn: int = 2
    give_up: int = 2

    state = State
    moments = ("started", "missed")

    def tell(self, state: State, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """A payment: the first of a habit, or the next."""
        if state.days and fact.day - state.days[-1] < self.apart:
            return SILENT
        began = self._began(state)
        if began is not None:
            state.days, state.amounts = [], []
        state.days = [*state.days, fact.day][-REMEMBERED:]
        state.amounts = [*state.amounts, fact.amount][-REMEMBERED:]
        state.missed, state.origin = 0, fact.origin
        if began is None:
            return SILENT
        facts: dict[str, Value] = {"amount": Money(fact.amount), "label": fact.label or None, "day": Date(fact.day)}
        return (Signal("started", text(fact.day), Phase.OPENED, fact.at, fact.at, facts, (began,), (fact.origin,)),)

    def _began(self, state: State) -> Condition | None:
        """Why a payment is the first of a habit; None for one more."""
        if not state.days:
            return Condition("payments_before < 1", 0, 1, -1)
        if state.missed >= self.give_up:
            return Condition("missed >= give_up", state.missed, self.give_up, state.missed - self.give_up)
        return None

    def due(self, state: State) -> int:
        """The end of the grace after the expected date, while there is a habit to miss."""
        if len(state.days) < self.learn or state.missed >= self.give_up:
            return NEVER
        return self.calendar.close(self.expected(state) + self.grace)

    def fire(self, state: State, read: Read) -> tuple[Signal, ...]:
        """The expected payment did not come."""
        expected, at = self.expected(state), self.due(state)
        state.missed += 1
        facts: dict[str, Value] = {
            "expected_on": Date(expected),
            "grace_days": self.grace,
            "usual_amount": Money(median_low(state.amounts)),
            "last_on": Date(state.days[-1]),
            "missed": state.missed,
        }
        last = self.calendar.day(at - 1)
        shown = Condition("days_since_expected >= grace_days", last - expected, self.grace, last - expected - self.grace)
        phase = Phase.OPENED if state.missed == 1 else Phase.ESCALATED
        opened = self.calendar.start(expected)
        return (Signal("missed", text(expected), phase, at, opened, facts, (shown,), (state.origin,)),)

    def expected(self, state: State) -> int:
        """The date on which the next payment should come, as an ordinal.

        >>> from stream.domain.days import parse
        >>> paid = [parse(day) for day in ("2026-01-31", "2026-02-28")]
        >>> text(Rhythm(Calendar("Asia/Shanghai")).expected(State(paid, [1, 1])))
        '2026-03-31'
        """
        usual = median_high([int(text(day)[-2:]) for day in state.days])
        target = state.days[-1] + CYCLE
        middle = month(target)
        near = min((in_month(middle + step, usual) for step in (-1, 0, 1)), key=lambda day: (abs(day - target), day))
        return in_month(month(near) + state.missed, usual)
