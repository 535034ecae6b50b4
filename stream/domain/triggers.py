"""What may come out: a mechanism's signal, and the values that explain it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Phase(StrEnum):
    """Where an episode stands after this trigger (`retracted` is reserved)."""

    OPENED = "opened"
    ESCALATED = "escalated"
    CLOSED = "closed"


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount of the pack's base currency, minor units."""

    minor: int


class Date(msgspec.Struct, frozen=True, gc=False):
    """A calendar date of the pack's zone, as an ordinal day."""

    day: int


class Instant(msgspec.Struct, frozen=True, gc=False):
    """UTC milliseconds."""

    at: int


class Share(msgspec.Struct, frozen=True, gc=False):
    """A ratio in parts per million: exact, and the same text everywhere."""

    ppm: int


Value = int | str | Money | Date | Instant | Share | None
"""What a fact can be. On the wire: integer, text, money object, ISO date, RFC 3339 stamp, decimal text."""


class Condition(msgspec.Struct, frozen=True, gc=False):
    """One comparison that held, so that a reader can check it by hand. `distance` is actual minus threshold."""

    text: str
    actual: Value
    threshold: Value
    distance: Value


class Signal(msgspec.Struct, frozen=True, gc=False):
    """A mechanism says: this moment came for this customer.

    Attributes:
        moment: Which of the mechanism's moments (`approaching`, `missed` ...); the pack maps it to a trigger type.
        key: Episode key from event time alone; with type and subject it makes the trigger's id.
        at: Event time of the trigger, UTC ms.
        opened: When the episode opened, UTC ms.
        facts: Figures for details and message texts.
        origins: Source coordinates of the events that brought it about.
        episode: What the signals of one episode share; empty when the key is all of it.
    """

    moment: str
    key: str
    phase: Phase
    at: int
    opened: int
    facts: dict[str, Value]
    conditions: tuple[Condition, ...]
    origins: tuple[str, ...]
    episode: str = ""
