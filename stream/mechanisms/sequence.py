"""Sequence: B within D after A, or enough of B in sum against A (CAPABILITIES row 10 leaking, row 28 intent).

Signals at the B that completes it, once per A.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stream.domain.days import NEVER, stamp
from stream.domain.facts import Fact, Read, Role
from stream.domain.money import bounded
from stream.domain.triggers import Condition, Money, Phase, Share, Signal, Value
from stream.mechanisms.protocol import SILENT

PPM = 1_000_000
MOST_OPEN = 4
"""A's that wait at a time; beyond it the oldest gives way."""


class Waiting(msgspec.Struct, array_like=True, gc=False):
    """One A and what followed it, base minor units."""

    at: int
    amount: int
    followed: int
    key: str
    origin: str


class State(msgspec.Struct, array_like=True, gc=False):
    """The A's still waiting, oldest first."""

    open: list[Waiting] = []


@dataclass(frozen=True, slots=True)
class Sequence:
    """The policy: `within` in milliseconds; `share_ppm` of A's amount that B's must sum to, 0 when one B suffices."""

    within: int
    share_ppm: int = 0

    state = State
    moments = ("completed",)

    def tell(self, state: State, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """A waits from now on; B counts towards every A it follows in time."""
        state.open = [waiting for waiting in state.open if fact.at < waiting.at + self.within]
        signals = tuple(self._follow(state, fact)) if fact.role & Role.B else SILENT
        if fact.role & Role.A:
            state.open.append(Waiting(fact.at, fact.amount, 0, fact.key, fact.origin))
            state.open.sort(key=lambda waiting: (waiting.at, waiting.origin))
            del state.open[:-MOST_OPEN]
        return signals

    def due(self, state: State) -> int:
        """Never: what does not complete is simply forgotten."""
        return NEVER

    def fire(self, state: State, read: Read) -> tuple[Signal, ...]:
        """Never asked."""
        return SILENT

    def _follow(self, state: State, fact: Fact) -> list[Signal]:
        signals = []
        for waiting in list(state.open):
            if waiting.key != fact.key or fact.at < waiting.at:
                continue
            waiting.followed = bounded(waiting.followed + fact.amount)
            if waiting.followed * PPM >= waiting.amount * self.share_ppm:
                state.open.remove(waiting)
                signals.append(self._signal(waiting, fact))
        return signals

    def _signal(self, waiting: Waiting, fact: Fact) -> Signal:
        share = waiting.followed * PPM // waiting.amount if waiting.amount else 0
        facts: dict[str, Value] = {
            "amount": Money(waiting.amount),
            "followed": Money(waiting.followed),
            "share": Share(share),
            "window_hours": self.within // 3_600_000,
            "elapsed_s": (fact.at - waiting.at) // 1000,
        }
        needed = -(-waiting.amount * self.share_ppm // PPM)
        shown = Condition("followed >= needed", Money(waiting.followed), Money(needed), Money(waiting.followed - needed))
        origins = (waiting.origin, fact.origin)
        key = f"{waiting.key}|{stamp(waiting.at)}" if waiting.key else stamp(waiting.at)
        return Signal("completed", key, Phase.OPENED, fact.at, waiting.at, facts, (shown,), origins)
