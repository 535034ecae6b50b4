"""Significance: an amount is extreme against the customer's own history (CAPABILITIES row 48)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stream.domain.days import NEVER, text
from stream.domain.facts import Fact, Read
from stream.domain.triggers import Condition, Money, Phase, Share, Signal, Value
from stream.mechanisms.protocol import SILENT

PPM = 1_000_000


class State(msgspec.Struct, array_like=True, gc=False):
    """Nothing of its own: the history is a feature."""


@dataclass(frozen=True, slots=True)
class Significance:
    """The policy: at least `floor`, and `times_ppm` the usual amount, once there are `history` others to compare with."""

    history: str
    floor: int
    times_ppm: int
    least_history: int

    state = State
    moments = ("extreme",)

    def tell(self, state: State, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """Judge the amount against all others of the history. One signal a date: the key is the date."""
        if fact.amount < self.floor:
            return SILENT
        standing = read.standing(self.history, fact.amount)
        needed = max(standing.usual * self.times_ppm // PPM, self.floor)
        if standing.history < self.least_history or fact.amount < needed:
            return SILENT
        facts: dict[str, Value] = {
            "amount": Money(fact.amount),
            "own_quantile": Share(standing.rank_ppm),
            "usual_amount": Money(standing.usual),
            "history": standing.history,
        }
        enough = standing.history - self.least_history
        shown = (
            Condition("amount >= times usual", Money(fact.amount), Money(needed), Money(fact.amount - needed)),
            Condition("history >= least_history", standing.history, self.least_history, enough),
        )
        return (Signal("extreme", text(fact.day), Phase.OPENED, fact.at, fact.at, facts, shown, (fact.origin,)),)

    def due(self, state: State) -> int:
        """Never."""
        return NEVER

    def fire(self, state: State, read: Read) -> tuple[Signal, ...]:
        """Never asked."""
        return SILENT
