"""What may come out: a mechanism's signal, and the values that explain it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """Where an episode stands after this trigger (`retracted` is reserved)."""

    OPENED = "opened"
    ESCALATED = "escalated"
    CLOSED = "closed"


class Money(NamedTuple):
    """An amount of the pack's base currency, minor units."""

    minor: int


class Date(NamedTuple):
    """A calendar date of the pack's zone, as an ordinal day."""

    day: int


class Instant(NamedTuple):
    """UTC milliseconds."""

    at: int


class Share(NamedTuple):
    """A ratio in parts per million: exact, and the same text everywhere."""

    ppm: int


Value = int | str | Money | Date | Instant | Share | None
"""What a fact can be. On the wire: integer, text, money object, ISO date, RFC 3339 stamp, decimal text."""


class Condition(NamedTuple):
    """One comparison that held, so that a reader can check it by hand. `distance` is actual minus threshold."""

    text: str
    actual: Value
    threshold: Value
    distance: Value


class Signal(NamedTuple):
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
