"""The customer's row and its codec: one version byte, the next deadline, the mark of its plan, then MessagePack.

Rule: deadline and mark stand in a fixed place, so that a restore arms timers without decoding a row. Slots go by name: a pack
that adds or drops a feature reads the rows of the pack before it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from stream.domain.errors import StateError
from stream.domain.facts import Fact

VERSION = 2
MOST_BYTES = 262_144
"""A row longer than this is counted, long before the broker would refuse it."""
GATES = "gates"
"""The slot of what the contact gates know."""
MARK = 4
"""Bytes of a plan's mark."""
ALWAYS = 0
"""Earlier than any deadline: when a row of another plan is due, for nobody knows."""
_HEADER = struct.Struct(f">Bq{MARK}s")
_SIZE = _HEADER.size
_VERSION = bytes([VERSION])
_LONG = 0xDD
_ARRAY = struct.Struct(">BI")
"""MessagePack's head of a long array."""
BY_TIME = attrgetter("at", "origin")
"""The order of facts that wait."""


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


class Row(msgspec.Struct, array_like=True, gc=False):
    """What every row has; what features (``f_``), rules (``r_``) and gates know lies beside it, each in bytes of its own.

    Attributes:
        seen: Latest recorded time of the events taken in, UTC ms: no decision is older.
        recent: Eight-byte digests of the last events' (source, id), oldest first: a producer's own retry is known by them.
        inbox: Events held back (`Order.RECORDED`), in canonical order, each a `Held` in bytes.
        deferred: By rule, facts at or past a deadline that is not proven yet, in bytes: see `deferring`.
        deadlines: By place of the waiting rule, when its next deadline counts as passed, UTC ms; those that have one. None
            until they are worked out with this plan.
        slots: States by name, as last encoded, or as they are once `Codec.put`; ascending, so that equal rows are equal bytes.
    """

    seen: int = 0
    recent: bytes = b""
    inbox: list[msgspec.Raw] = []
    deferred: dict[str, msgspec.Raw] = {}
    deadlines: dict[int, int] | None = None
    slots: dict[str, msgspec.Raw] = {}


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The first field of a `Held`."""

    recorded: int


_HELD = msgspec.msgpack.Encoder().encode
_HOLD = msgspec.msgpack.Decoder(Held).decode
_HEAD = msgspec.msgpack.Decoder(_Head).decode
_FACT = msgspec.msgpack.Encoder().encode
_FACTS = msgspec.msgpack.Decoder(list[Fact])


class Codec:
    """Rows to bytes and back. Slots are read when first asked for and written when they may have changed.

    So an event costs what it touches, not what the customer has: a pack of many rules does not slow the others down.

    Args:
        slots: Every slot of the pack and the state in it.
        mark: Of the plan that works out deadlines.
    """

    def __init__(self, slots: Mapping[str, type[Any]], mark: bytes = bytes(MARK)) -> None:
        self._mark = mark
        self._kinds = dict(slots)
        self._states = {name: msgspec.msgpack.Decoder(kind) for name, kind in slots.items()}
        self._known = self._states.keys()
        self._row = msgspec.msgpack.Decoder(Row)
        self._encode = msgspec.msgpack.Encoder().encode

    def encode(self, row: Row, due: int) -> bytes:
        """Bytes of a row whose next deadline is ``due``."""
        return _HEADER.pack(VERSION, due, self._mark) + self._encode(row)

    def due(self, raw: bytes) -> int:
        """When to look at a row, without decoding it: `ALWAYS` where it was another plan that worked out its deadlines."""
        due = due_of(raw)
        return due if raw[_SIZE - MARK : _SIZE] == self._mark else ALWAYS

    def decode(self, raw: bytes) -> Row:
        """The row, without slots the pack does not know; StateError when the bytes are of another version or shape."""
        if raw[:1] != _VERSION:
            due_of(raw)
        try:
            row = self._row.decode(memoryview(raw)[_SIZE:])
        except msgspec.MsgspecError as error:
            raise StateError(f"row does not fit this engine: {type(error).__name__}") from error
        if raw[_SIZE - MARK : _SIZE] != self._mark:
            row.deadlines = None
        if not row.slots.keys() <= self._known:
            row.slots = {name: state for name, state in row.slots.items() if name in self._states}
        return row

    def state(self, row: Row, name: str) -> Any:
        """What is in a slot, None while it is empty; StateError when it holds something else."""
        raw = row.slots.get(name)
        if raw is None:
            return None
        try:
            return self._states[name].decode(raw)
        except msgspec.MsgspecError as error:
            raise StateError(f"row does not fit this pack in slot {name}: {type(error).__name__}") from error

    def state_raw(self, state: Any) -> bytes:
        """Inverse of `state`."""
        return self._encode(state)

    def empty(self, name: str) -> Any:
        """The state of a slot before anything happened."""
        return self._kinds[name]()

    def put(self, row: Row, states: Mapping[str, Any]) -> None:
        """Write these slots: `encode` takes states as they are."""
        slots = row.slots
        known = len(slots)
        slots.update(states)
        if len(slots) > known:
            row.slots = dict(sorted(slots.items()))


def holding(inbox: list[msgspec.Raw], held: Held) -> None:
    """One more event, in its place; those there are stay unread as long as it comes last, as most do."""
    raw = msgspec.Raw(_HELD(held))
    if inbox and recorded_of(inbox[-1]) >= held.recorded:
        inbox.insert(bisect_right(inbox, held, key=held_of), raw)
    else:
        inbox.append(raw)


def recorded_of(raw: msgspec.Raw) -> int:
    """When a held event was recorded. Raises StateError for what is none, as `held_of` does."""
    try:
        return _HEAD(raw).recorded
    except msgspec.MsgspecError as error:
        raise StateError(f"row does not fit this engine: {type(error).__name__}") from error


def held_of(raw: msgspec.Raw) -> Held:
    """A held event."""
    try:
        return _HOLD(raw)
    except msgspec.MsgspecError as error:
        raise StateError(f"row does not fit this engine: {type(error).__name__}") from error


def deferring(waiting: msgspec.Raw | None, fact: Fact) -> msgspec.Raw:
    """These facts and one more, without reading those there are: many may wait while the clock stands behind a backlog."""
    if waiting is None:
        return facts_raw([fact])
    seen = memoryview(waiting)
    if seen[0] != _LONG:
        return facts_raw([*facts_of(waiting), fact])
    _, count = _ARRAY.unpack_from(seen)
    return msgspec.Raw(b"".join((_ARRAY.pack(_LONG, count + 1), seen[_ARRAY.size :], _FACT(fact))))


def facts_of(waiting: msgspec.Raw) -> list[Fact]:
    """Facts that wait, in the order of their times. Raises StateError for what is none."""
    try:
        return sorted(_FACTS.decode(waiting), key=BY_TIME)
    except msgspec.MsgspecError as error:
        raise StateError(f"row does not fit this engine: {type(error).__name__}") from error


def facts_raw(facts: list[Fact]) -> msgspec.Raw:
    """Inverse of `facts_of`: a MessagePack array whose length has a fixed place."""
    return msgspec.Raw(_ARRAY.pack(_LONG, len(facts)) + b"".join(map(_FACT, facts)))


def due_of(raw: bytes) -> int:
    """The next deadline, read without decoding the row. Raises StateError for a row of another version.

    >>> due_of(Codec({}).encode(Row(), 1767576600000))
    1767576600000
    """
    if len(raw) < _SIZE:
        raise StateError(f"expected at least {_SIZE} bytes of row, got {len(raw)}")
    version, due, _ = _HEADER.unpack_from(raw)
    if version != VERSION:
        remedy = (
            "run the newer Kairos that wrote it" if version > VERSION else "start anew under another topic_prefix and app_id"
        )
        raise StateError(f"expected a row of codec version {VERSION}, got version {version}: {remedy}")
    return int(due)
