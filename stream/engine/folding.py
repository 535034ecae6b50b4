"""Features bound to the events that move them and to their place in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from stream.domain.facts import Standing
from stream.domain.triggers import Money, Value
from stream.engine.audience import Tap
from stream.engine.filters import Condition
from stream.engine.seen import Seen
from stream.features import balances, histograms, windows
from stream.features.balances import Balances, Entry
from stream.features.histograms import Histogram
from stream.features.windows import Window

Inputs = Mapping[str, tuple[tuple[Condition, int], ...]]
"""By event type, the conditions of a feature's inputs and the sign of their amounts."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A feature shown as evidence: its value, the instant it stands for, the coordinates it came from."""

    name: str
    value: Value
    as_of: int
    offsets: tuple[str, ...]


class Feature(Protocol):
    """A named aggregate in the row."""

    name: str
    slot: str
    taps: dict[str, tuple[Tap, ...]]

    @property
    def state(self) -> type[msgspec.Struct]: ...

    def amount(self, state: Any, day: int) -> int: ...
    def standing(self, state: Any, amount: int) -> Standing: ...
    def reading(self, state: Any, day: int, at: int) -> Reading: ...


class Aum:
    """Balances over all accounts."""

    state = Balances

    def __init__(self, name: str) -> None:
        self.name, self.slot = name, f"f_{name}"
        self.taps: dict[str, tuple[Tap, ...]] = {
            kind: (Tap(Condition(()), fold),)
            for kind, fold in (
                ("txn.entry.posted", self._posted),
                ("txn.entry.reversed", self._posted),
                ("account.balance.closed", self._closed),
                ("account.closed", self._ended),
            )
        }

    def amount(self, state: Balances, day: int) -> int:
        """Base minor units at the close of a date."""
        return balances.as_of(state, day)

    def standing(self, state: Balances, amount: int) -> Standing:
        """Balances keep no history."""
        return Standing(0, 0, 0)

    def reading(self, state: Balances, day: int, at: int) -> Reading:
        """The sum, and the record each part of it came from."""
        used = balances.used(state, day)
        offsets = tuple(sorted({entry.origin for entry in used}))
        return Reading(self.name, Money(sum(entry.minor for entry in used)), at, offsets)

    @staticmethod
    def _posted(state: Balances, seen: Seen) -> None:
        data, event = seen.data, seen.event
        if data.balance_after is None or data.account_ref is None:
            return
        product = getattr(data, "product_class", None) or ""
        entry = Entry(seen.day, event.at, event.sequence, seen.amount("balance_after"), event.origin)
        balances.post(state, data.account_ref, product, entry)

    @staticmethod
    def _closed(state: Balances, seen: Seen) -> None:
        data, event = seen.data, seen.event
        entry = Entry(seen.day, event.at, event.sequence, seen.amount("closing_balance"), event.origin)
        balances.close(state, data.account_ref, data.product_class or "", entry)

    @staticmethod
    def _ended(state: Balances, seen: Seen) -> None:
        balances.end(state, seen.data.account_ref, seen.day)


class WindowSum:
    """A sum over the last dates."""

    state = Window

    def __init__(self, name: str, days: int, field: str, inputs: Inputs) -> None:
        self.name, self.slot = name, f"f_{name}"
        self.days, self.field = days, field
        folds = {1: self._add, -1: self._subtract}
        self.taps = {kind: tuple(Tap(each, folds[sign]) for each, sign in some) for kind, some in inputs.items()}

    def amount(self, state: Window, day: int) -> int:
        """Base minor units over the dates that end with this one."""
        return windows.total(state, self.days, day)

    def standing(self, state: Window, amount: int) -> Standing:
        """Windows keep no history."""
        return Standing(0, 0, 0)

    def reading(self, state: Window, day: int, at: int) -> Reading:
        """The sum, and the last record that moved it unless that came after the instant shown."""
        return Reading(self.name, Money(self.amount(state, day)), at, _until(state.at, state.origin, at))

    def _add(self, state: Window, seen: Seen) -> None:
        windows.add(state, self.days, seen.day, seen.amount(self.field), seen.event.at, seen.event.origin)

    def _subtract(self, state: Window, seen: Seen) -> None:
        windows.add(state, self.days, seen.day, -seen.amount(self.field), seen.event.at, seen.event.origin)


class History:
    """The customer's own distribution of amounts."""

    state = Histogram

    def __init__(self, name: str, quantile_ppm: int, field: str, inputs: Inputs) -> None:
        self.name, self.slot = name, f"f_{name}"
        self.quantile, self.field = quantile_ppm, field
        self.taps = {kind: tuple(Tap(each, self._count) for each, _ in some) for kind, some in inputs.items()}

    def amount(self, state: Histogram, day: int) -> int:
        """The asked quantile of all amounts, base minor units."""
        return self.standing(state, 0).usual

    def standing(self, state: Histogram, amount: int) -> Standing:
        """Where an amount already counted stands among the others."""
        return histograms.standing(state, amount, self.quantile)

    def reading(self, state: Histogram, day: int, at: int) -> Reading:
        """How many amounts there are."""
        return Reading(self.name, sum(state.counts.values()), at, _until(state.at, state.origin, at))

    def _count(self, state: Histogram, seen: Seen) -> None:
        histograms.count(state, abs(seen.amount(self.field)), seen.event.at, seen.event.origin)


def _until(moved: int, origin: str, at: int) -> tuple[str, ...]:
    return (origin,) if origin and moved <= at else ()
