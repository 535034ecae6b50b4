"""Count: the n-th event of a calendar month, of a lifetime, or within rolling dates (CAPABILITIES rows 16, 17).

Each target signals exactly once per period: the count passes each number once.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from stream.domain.days import NEVER, Calendar, in_month, month, text
from stream.domain.facts import Fact, Read
from stream.domain.triggers import Condition, Date, Phase, Signal, Value
from stream.mechanisms.protocol import SILENT

PERIODS = 2
"""Months counted at a time: the present one, and the one before for late events."""


class Period(StrEnum):
    """What the count starts over with."""

    MONTH = "month"
    LIFETIME = "lifetime"
    ROLLING = "rolling"


class Target(NamedTuple):
    """The number at which a moment comes."""

    moment: str
    number: int


class State(msgspec.Struct, array_like=True, gc=False):
    """Counts per month (or one under 0), or the dates within the rolling window."""

    counts: dict[int, int] = {}
    days: list[int] = []


@dataclass(frozen=True, slots=True)
class Count:
    """The policy; `rolling` in dates, used by that period only."""

    targets: tuple[Target, ...]
    period: Period
    calendar: Calendar
    rolling: int = 0

    state = State

    @property
    def moments(self) -> tuple[str, ...]:
        """Those of the targets."""
        return tuple(target.moment for target in self.targets)

    def tell(self, state: State, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """One more."""
        number = self._rolled(state, fact.day) if self.period is Period.ROLLING else self._counted(state, fact.day)
        for target in self.targets:
            if target.number == number:
                return (self._signal(target, fact),)
        return SILENT

    def due(self, state: State) -> int:
        """Never."""
        return NEVER

    def fire(self, state: State, read: Read) -> tuple[Signal, ...]:
        """Never asked."""
        return SILENT

    def _counted(self, state: State, day: int) -> int:
        period = month(day) if self.period is Period.MONTH else 0
        if len(state.counts) == PERIODS and period < min(state.counts):
            return 0  # a month no longer counted must not begin again
        number = state.counts[period] = state.counts.get(period, 0) + 1
        if len(state.counts) > PERIODS:
            del state.counts[min(state.counts)]
        return number

    def _rolled(self, state: State, day: int) -> int:
        if state.days and day <= state.days[-1] - self.rolling:
            return 0  # too late to be within any window to come
        insort(state.days, day)
        newest = state.days[-1]
        state.days = [each for each in state.days if each > newest - self.rolling]
        number = len(state.days)
        if number >= max(target.number for target in self.targets):
            state.days = []
        return number

    def _signal(self, target: Target, fact: Fact) -> Signal:
        most = max(each.number for each in self.targets)
        end = in_month(month(fact.day), 31) if self.period is Period.MONTH else None
        facts: dict[str, Value] = {
            "count": target.number,
            "target": most,
            "left": most - target.number,
            "period_end": Date(end) if end is not None else None,
        }
        start = text(end)[:7] if end is not None else (text(fact.day) if self.period is Period.ROLLING else "lifetime")
        shown = Condition(f"count >= {target.number}", target.number, target.number, 0)
        phase = Phase.CLOSED if target.number == most else Phase.OPENED
        key = f"{start}|{target.number}"
        return Signal(target.moment, key, phase, fact.at, fact.at, facts, (shown,), (fact.origin,))
