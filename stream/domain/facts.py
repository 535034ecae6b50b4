"""What a mechanism is told, and what it may ask: the two shapes that keep stages from knowing each other."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import msgspec


class Fact(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """An event as one rule sees it. Small on purpose: a fact that must wait for a deadline waits in the customer's row.

    Attributes:
        role: Which of the rule's inputs it is (`Role`), as bits: one event may be both A and B.
        at: Event time, UTC ms.
        day: The date it belongs to in the pack's zone.
        amount: Base minor units; 0 where the rule names no amount.
        key: Value of the rule's `per` field; empty where it has none.
        label: Value of the rule's `label` field, for facts and texts.
        origin: Source coordinates.
    """

    role: int
    at: int
    day: int
    amount: int
    key: str
    label: str
    origin: str


class Role:
    """Bits of `Fact.role`."""

    A: Final = 1
    B: Final = 2


class Standing(NamedTuple):
    """Where a value stands in a customer's own history, that value left out.

    Attributes:
        history: Number of other values.
        rank_ppm: Share of them that are smaller, in parts per million.
        usual: The asked quantile of them, base minor units (upper bound of its bucket).
    """

    history: int
    rank_ppm: int
    usual: int


class Read(Protocol):
    """Known features of one customer, as of a day; what a rule may ask while it judges."""

    def amount(self, feature: str, day: int) -> int:
        """Base minor units of a balance or window feature at the close of a day."""
        ...

    def standing(self, feature: str, amount: int) -> Standing:
        """Where an amount stands in a history feature."""
        ...
