"""Features that are kept as floats, bound as those of `stream.engine.folding` are."""

from __future__ import annotations

from stream.domain.days import DAY, Calendar
from stream.domain.facts import Standing
from stream.domain.triggers import Money
from stream.engine.audience import Tap
from stream.engine.folding import Inputs, Reading
from stream.engine.seen import Seen
from stream.features import decayed, moments
from stream.features.decayed import Decayed
from stream.features.moments import Moments


class Fading:
    """A sum that loses all but 1/e in so many days."""

    state = Decayed

    def __init__(self, name: str, days: int, field: str, inputs: Inputs, calendar: Calendar) -> None:
        self.name, self.slot = name, f"f_{name}"
        self.span, self.field, self._calendar = days * DAY, field, calendar
        folds = {1: self._add, -1: self._subtract}
        self.taps = {kind: tuple(Tap(each, folds[sign]) for each, sign in some) for kind, some in inputs.items()}

    def amount(self, state: Decayed, day: int) -> int:
        """Base minor units left at the close of a date."""
        return decayed.left(state, self.span, self._calendar.close(day))

    def standing(self, state: Decayed, amount: int) -> Standing:
        """Sums keep no history."""
        return Standing(0, 0, 0)

    def reading(self, state: Decayed, day: int, at: int) -> Reading:
        """What is left at that instant, and the last record that moved it."""
        return Reading(self.name, Money(decayed.left(state, self.span, at)), at, _until(state.at, state.origin, at))

    def _add(self, state: Decayed, seen: Seen) -> None:
        decayed.add(state, self.span, seen.amount(self.field), seen.event.at, seen.event.origin)

    def _subtract(self, state: Decayed, seen: Seen) -> None:
        decayed.add(state, self.span, -seen.amount(self.field), seen.event.at, seen.event.origin)


class Spread:
    """Mean and deviation of the customer's own amounts on a logarithmic scale."""

    state = Moments

    def __init__(self, name: str, deviations_ppm: int, field: str, inputs: Inputs) -> None:
        self.name, self.slot = name, f"f_{name}"
        self.deviations, self.field = deviations_ppm, field
        self.taps = {kind: tuple(Tap(each, self._count) for each, _ in some) for kind, some in inputs.items()}

    def amount(self, state: Moments, day: int) -> int:
        """What is usual just now, base minor units."""
        return self.standing(state, 0).usual

    def standing(self, state: Moments, amount: int) -> Standing:
        """Where an amount already counted stands among the others."""
        return moments.standing(state, amount, self.deviations)

    def reading(self, state: Moments, day: int, at: int) -> Reading:
        """How many amounts there are."""
        return Reading(self.name, state.count, at, _until(state.at, state.origin, at))

    def _count(self, state: Moments, seen: Seen) -> None:
        moments.count(state, abs(seen.amount(self.field)), seen.event.at, seen.event.origin)


def _until(moved: int, origin: str, at: int) -> tuple[str, ...]:
    return (origin,) if origin and moved <= at else ()
