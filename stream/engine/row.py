"""The customer's row and its codec: one version byte, the next deadline, then MessagePack.

Rule: the deadline stands in a fixed place, so that a restore arms timers without decoding a row. Slots go by name: a pack
that adds or drops a feature reads the rows of the pack before it.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import msgspec

from stream.domain.errors import StateError
from stream.domain.facts import Fact
from stream.policy.contact import Ledger

VERSION = 1
_HEADER = struct.Struct(">Bq")


class Held(NamedTuple):
    """An event of an old log that waits for its recorded time to be proven complete. Fields in canonical order."""

    recorded: int
    at: int
    sequence: str
    source: str
    id: str
    type: str
    origin: str
    topic: str
    unknown: int
    data: bytes


class Row(msgspec.Struct, omit_defaults=True):
    """What every row has; `row_type` adds a slot per feature (``f_``) and rule (``r_``).

    Attributes:
        seen: Latest recorded time of the events taken in, UTC ms: no decision is older.
        recent: Eight-byte digests of the last events' (source, id), oldest first: a producer's own retry is known by them.
        gates: What the contact gates know.
        inbox: Events held back (`Order.RECORDED`), in canonical order.
        deferred: By rule, facts at or past a deadline that is not proven yet.
    """

    seen: int = 0
    recent: bytes = b""
    gates: Ledger | None = None
    inbox: list[Held] = []
    deferred: dict[str, list[Fact]] = {}


def row_type(slots: dict[str, type[msgspec.Struct]]) -> type[Row]:
    """The row of a pack: empty slots take no bytes."""
    fields: list[Any] = [(slot, state | None, None) for slot, state in slots.items()]
    made: type[Any] = msgspec.defstruct("PackRow", fields, bases=(Row,), omit_defaults=True)
    return made


class Codec:
    """Rows to bytes and back."""

    def __init__(self, row: type[Row]) -> None:
        self._row = row
        self._decoder = msgspec.msgpack.Decoder(row)
        self._encode = msgspec.msgpack.Encoder().encode

    def new(self) -> Row:
        """The row of a customer never seen."""
        return self._row()

    def encode(self, row: Row, due: int) -> bytes:
        """Bytes of a row whose next deadline is ``due``."""
        return _HEADER.pack(VERSION, due) + self._encode(row)

    def decode(self, raw: bytes) -> Row:
        """The row, or StateError when the bytes are of another version or another shape."""
        due_of(raw)
        try:
            return self._decoder.decode(memoryview(raw)[_HEADER.size :])
        except msgspec.MsgspecError as error:
            raise StateError(f"row does not fit this pack: {type(error).__name__}") from error


def due_of(raw: bytes) -> int:
    """The next deadline, read without decoding the row. Raises StateError for a row of another version.

    >>> due_of(Codec(Row).encode(Row(), 1767576600000))
    1767576600000
    """
    if len(raw) < _HEADER.size:
        raise StateError(f"expected at least {_HEADER.size} bytes of row, got {len(raw)}")
    version, due = _HEADER.unpack_from(raw)
    if version != VERSION:
        raise StateError(f"expected a row of codec version {VERSION}, got version {version}")
    return int(due)
