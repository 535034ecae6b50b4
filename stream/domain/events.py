"""What comes in: a record of the journal, the event inside it, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from stream.domain.reasons import RejectCode

Headers = Sequence[tuple[str, bytes]]


class JournalRecord(Protocol):
    """What the engine needs of a record: the clients' own record types fit as they are."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Record(NamedTuple):
    """A journal record that no client made: replays, tests, the ingest side before sending."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Order(StrEnum):
    """What the order of records in the journal says about time."""

    WALL = "w"
    """Arrival: applied as they come, only ticks move time."""
    RECORDED = "r"
    """An old log: held in the row until ticks prove its recorded time complete, then applied in canonical order."""
    SEQUENCED = "s"
    """One log already in canonical order: each record proves every recorded time before its own."""


class Coordinates(NamedTuple):
    """Where a record stood before it was journaled.

    Attributes:
        topic: Logical source topic (no deployment prefix), or the log's file name.
        partition: Source partition; 0 for a file.
        incarnation: Distinguishes a recreated or mirrored topic; configured per source.
        offset: Source offset, or the 1-based line of the file.
        recorded: When it was recorded there, UTC ms: the broker's record timestamp, or the log's `recordedtime`.
        order: What the order says about time.
    """

    topic: str
    partition: int
    incarnation: int
    offset: int
    recorded: int
    order: Order


class Event(NamedTuple):
    """One thing that happened to one customer.

    Attributes:
        type: Without prefix and version, as in CAPABILITIES 2.2: ``txn.entry.posted``.
        at: When it happened, UTC ms (the event's own `time`).
        recorded: When the source recorded it, UTC ms.
        sequence: Orders events of one instant (CloudEvents `sequence`, compared as text); empty when absent.
        data: The typed payload of `stream.wire.inputs`.
        topic: The source topic whose clock this event belongs to.
        origin: Human coordinates for evidence: ``in.txn/3@1187`` or ``log.jsonl:17``.
        unknown: Number of fields left out because the type does not know them.
    """

    type: str
    subject: str
    at: int
    recorded: int
    id: str
    source: str
    sequence: str
    data: Any
    topic: str
    origin: str
    unknown: int


class Tick(NamedTuple):
    """A proof: everything each source topic held at its T (UTC ms) precedes this record in every journal partition.

    Attributes:
        clock: T per logical source topic.
        idle: Sources with no backlog and nothing new; under `Order.RECORDED` they hold nobody back (their own T stands).
    """

    clock: dict[str, int]
    idle: frozenset[str]


class Reject(NamedTuple):
    """Why a record is not an event. The text never holds a value of the record.

    Attributes:
        path: JSONPath-like place of the fault, ``$.data.amount.amount``; ``$`` for the whole.
    """

    code: RejectCode
    path: str
    text: str
