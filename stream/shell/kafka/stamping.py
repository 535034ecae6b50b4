"""A source record becomes a journal record: same value and headers, a new key, one more header.

Rule: deterministic, judges nothing. Where a record goes depends on its subject alone (or, when that cannot be read,
on its source partition), what is stamped on it on the source topic alone: a second delivery stamps the same bytes.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka.partitioner import murmur2

from stream.domain.events import Headers, Order
from stream.domain.native import stamped
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Mark
from stream.wire.decode import subject_of
from stream.wire.instants import LAST, Instants

SOURCE = "kairos_src"
TICK = "kairos_tick"
END = "kairos_end"
"""End-of-log marker of a recorded source; its value is the log's last recorded time, UTC ms."""
SO_FAR = "kairos_so_far"
"""In between: the log has come to this recorded time, UTC ms, of which more may follow. A sparse source proves time by it."""
RESERVED = "kairos_"
"""Headers of this prefix are ours in the journal: a source's own are left out, or it could forge ticks."""
NUL, ESCAPED = "\x00", "\\x00"
MOST_SUBJECTS = 500_000
MOST_NAMES = 1000
_DIGITS = len(str(LAST))

Fields = dict[str, Any]
"""Headers by name; of a name that comes twice the last."""
JournalRecord = tuple[bytes | None, bytes | None, Headers]
"""Key, value, headers."""


class Router:
    """Journal partition of a subject: murmur2 as every Kafka client does it, remembered since it is slow in Python.

    >>> Router(4).of(b"C0000001") == Router(4).of(b"C0000001")
    True
    """

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._known: dict[bytes, int] = {}

    def of(self, subject: bytes) -> int:
        """The partition, 0 to partitions - 1."""
        found = self._known.get(subject)
        if found is None:
            if len(self._known) >= MOST_SUBJECTS:
                self._known.clear()
            found = self._known[subject] = (murmur2(subject) & 0x7FFFFFFF) % self.partitions
        return found


class Stamper:
    """Stamps the records of one source partition; under `Order.RECORDED` it remembers the last recorded time.

    Args:
        mark: What the last commit of the partition said.
    """

    def __init__(self, source: SourceTopic, partition: int, router: Router, mark: Mark) -> None:
        self.source = source
        self.partition = partition
        self.mark = mark
        self._router = router
        native = stamped()
        self._quick = None if native is None else native.stamped
        self._plain: set[str] = set()
        self._lead = f"{source.logical}|{partition}|{source.incarnation}|".encode()

    def stamp(self, records: Sequence[Any], into: dict[int, list[JournalRecord]]) -> None:
        """Put the records into their journal partitions' lists, in order."""
        if self._quick is None:
            self._stamp(records, into)
            return
        place, recorded, partitions = 0, self.source.order is Order.RECORDED, self._router.partitions
        while place < len(records):
            reached, last = self._quick(records, place, self._lead, recorded, self.mark.recorded, partitions, into)
            if recorded and reached > place:
                self.mark = Mark(last, False)
            self._stamp(records[reached : reached + 1], into)
            place = reached + 1

    def _stamp(self, records: Sequence[Any], into: dict[int, list[JournalRecord]]) -> None:
        if not records:
            return
        if self.source.order is Order.RECORDED:
            self._stamp_recorded(records, into)
            return
        lead = self._lead
        for record in records:
            self._route(record, dict(record.headers), b"%b%d|%d|w" % (lead, record.offset, record.timestamp), into)

    def _stamp_recorded(self, records: Sequence[Any], into: dict[int, list[JournalRecord]]) -> None:
        last, ended = self.mark
        for record in records:
            fields = dict(record.headers)
            marked = is_marker(record.key, record.value, fields)
            ended = marked and END in fields
            given = _number(fields[END if ended else SO_FAR]) if marked else _recorded(fields, record.value)
            if given is not None and (last is None or given > last):
                last = given
            if not marked:
                self._route(record, fields, b"%b%d|%d|r" % (self._lead, record.offset, last or 0), into)
        self.mark = Mark(last, ended)

    def _route(self, record: Any, fields: Fields, coordinates: bytes, into: dict[int, list[JournalRecord]]) -> None:
        headers: Headers = record.headers
        if not self._plain.issuperset(fields):
            headers = self._without_ours(headers)
        kept = [*headers, (SOURCE, coordinates)]
        subject = subject_of(fields, record.value)
        router = self._router
        where = self.partition % router.partitions if subject is None else router.of(subject)
        journal = into.get(where)
        if journal is None:
            journal = into[where] = []
        journal.append((subject, record.value, kept))

    def _without_ours(self, headers: Headers) -> Headers:
        """The headers that a source may bring; their names are remembered, since they are few.

        A name with a NUL would end there in some clients, and be another name.
        """
        kept = [header for header in headers if not header[0].startswith(RESERVED)]
        if any(NUL in name for name, _ in kept):
            return [(name.replace(NUL, ESCAPED), content) for name, content in kept]
        if len(self._plain) < MOST_NAMES:
            self._plain.update(name for name, _ in kept)
        return kept


def is_marker(key: bytes | None, value: bytes | None, names: Container[str]) -> bool:
    """Whether a record of a recorded source is one of ours between the events: bare, as `publish` writes it.

    Whatever says more is somebody's event, and the header a forged one.
    """
    return not key and not value and (END in names or SO_FAR in names)


class _Recorded(msgspec.Struct):
    recordedtime: str


_RECORDED = msgspec.json.Decoder(_Recorded)
_INSTANTS = Instants()


def _recorded(fields: Fields, value: bytes | None) -> int | None:
    """The record's own recorded time, UTC ms; None when it has none that can be read."""
    try:
        if "ce_specversion" in fields:
            return _INSTANTS.parse((fields["ce_recordedtime"] or b"").decode())
        return _INSTANTS.parse(_RECORDED.decode(value or b"").recordedtime)
    except (KeyError, ValueError, RecursionError):
        return None


def _number(text: bytes | None) -> int | None:
    """The instant that a marker tells, UTC ms; None when it tells none."""
    if text is None or not text.isdigit() or len(text) > _DIGITS:
        return None
    at = int(text)
    return at if at < LAST else None


class Tick(NamedTuple):
    """What a tick says; see `stream.domain.events.Tick`."""

    clock: dict[str, int]
    idle: list[str]

    def record(self) -> JournalRecord:
        """The journal record of this tick, the same bytes for the same tick."""
        value = msgspec.json.encode({"clock": self.clock, "idle": sorted(self.idle)}, order="deterministic")
        return None, b"", [(TICK, value)]
