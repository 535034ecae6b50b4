"""The engine over a log: a source log in recorded order, or the recorded journal itself.

Delivery: files are written as decisions come; a replay that dies is started again from the beginning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import orjson
from aiokafka.partitioner import murmur2

from stream.domain.days import HOUR
from stream.domain.errors import StateError
from stream.domain.events import Coordinates, Order, Record, Tick
from stream.engine.clock import EVERY
from stream.engine.decision import Counts, Output
from stream.engine.engine import SOURCE, TICK, Engine, Entry
from stream.engine.partition import Partition
from stream.packs.spec import Pack
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.wire.lines import from_line

CHUNK = 4_000
_CANONICAL = attrgetter("canonical")
Progress = Callable[[int], None]


class Sink(Protocol):
    """Takes outputs in the order they are decided."""

    def take(self, outputs: list[Output]) -> None: ...


class Collected:
    """A sink that keeps everything as plain data, for scenarios and tests."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def take(self, outputs: list[Output]) -> None:
        """Keep."""
        self.outputs += outputs


class ReplayResult(NamedTuple):
    """What a replay brought about: CloudEvents as plain data, dead letters as (code, output), counts."""

    triggers: list[dict[str, Any]]
    suppressed: list[dict[str, Any]]
    dead: list[dict[str, Any]]
    counts: Counts


def replay(pack: Pack, log: Iterable[tuple[str, int, bytes]], until: int | None = None) -> ReplayResult:
    """A source log through the engine, everything kept in memory. ``until`` (UTC ms): let the clock run on to then."""
    engine, sink = Engine(pack, "replay"), Collected()
    counts = Replay(engine, sink).run(recorded(Numbered(*line) for line in log), until=until)
    said = [plain(output) for output in sink.outputs if output.topic != "dlq"]
    dead = [
        {name.removeprefix("__kairos.errors."): value.decode() for name, value in output.headers if "errors" in name}
        for output in sink.outputs
        if output.topic == "dlq"
    ]
    suppressed = [each for each in said if "trigger_type" in each["data"]]
    triggers = [each for each in said if "trigger_type" not in each["data"]]
    return ReplayResult(triggers, suppressed, dead, counts)


def plain(output: Output) -> dict[str, Any]:
    """An output as a structured CloudEvent of plain data."""
    about = {name.removeprefix("ce_"): value.decode() for name, value in output.headers if name.startswith("ce_")}
    return {**about, "data": orjson.loads(output.value or b"null")}


class Replay:
    """Drives partitions from a log.

    Args:
        partitions: How many to spread customers over; the outcome does not depend on it.
        chunk: Records a decision; nor on this.
    """

    def __init__(self, engine: Engine, sink: Sink, partitions: int = 1, chunk: int = CHUNK) -> None:
        self._engine, self._sink, self._chunk = engine, sink, chunk
        self.partitions = [Partition(engine, number) for number in range(partitions)]
        self._waiting: list[list[Entry]] = [[] for _ in self.partitions]
        self.counts: Counts = Counter()

    @property
    def customers(self) -> int:
        """Customers seen by now."""
        return sum(partition.rows for partition in self.partitions)

    def run(self, log: Iterable[Recorded], until: int | None = None, progress: Progress | None = None) -> Counts:
        """A source log, in recorded order; the clock ends with its last line, or at ``until``."""
        grid, last = 0, None
        for number, instant in enumerate(_instants(self._read(log)), 1):
            last = instant[0].where.recorded  # type: ignore[union-attr]
            if last // HOUR > grid:
                grid = last // HOUR
                self._tick(last - 1)
            for entry in instant:
                self._give(self._number(entry), entry)
            if progress is not None and number % 512 == 0:
                progress(self.counts["lines",])
        if last is not None or until is not None:
            self._tick(max(at for at in (last, until) if at is not None))
        return self._end(progress)

    def journal(self, log: Iterable[Numbered], progress: Progress | None = None) -> Counts:
        """A recorded journal: its own order, its own ticks. Raises StateError for a range that does not follow on."""
        for count, (name, number, line) in enumerate(log, 1):
            _, headers, value, extra = read = from_line(line)
            place, _, offset = extra.get("kairosjournal", "").partition("/")
            if not offset:
                raise StateError(f"expected a journal record, got none at {name}:{number}")
            partition = self._partition(int(place))
            expected = self._waiting[int(place)][-1].record.offset + 1 if self._waiting[int(place)] else partition.next_offset
            if int(offset) < expected:
                continue
            if int(offset) > expected:
                raise StateError(
                    f"expected journal offset {expected} of partition {place}, got {offset} at {name}:{number}; "
                    "a range that starts in the middle needs the state before it (kairos snapshot, then --state)"
                )
            added = _stamped(extra)
            record = Record(int(offset), read.key, value, [*headers, *added])
            self._give(int(place), self._engine.read(record))
            if progress is not None and count % 4096 == 0:
                progress(count)
        return self._end(progress)

    def restore(self, number: int, key: bytes, value: bytes | None) -> None:
        """A record of a snapshot."""
        self._partition(number).restore(key, value)

    def _partition(self, number: int) -> Partition:
        while len(self.partitions) <= number:
            self.partitions.append(Partition(self._engine, len(self.partitions)))
            self._waiting.append([])
        return self.partitions[number]

    def _read(self, log: Iterable[Recorded]) -> Iterator[Entry]:
        for ordinal, (at, name, number, line) in enumerate(log):
            where = Coordinates(name, 0, 0, number, at, Order.SEQUENCED)
            record = Record(ordinal, None, line)
            self.counts["lines",] += 1
            yield self._engine.line(record, where, name)

    def _number(self, entry: Entry) -> int:
        if len(self.partitions) == 1 or not entry.subject:
            return 0
        return int((murmur2(entry.subject.encode()) & 0x7FFFFFFF) % len(self.partitions))

    def _tick(self, at: int) -> None:
        for number in range(len(self.partitions)):
            self._give(number, Entry(Record(0, None, None), Tick({EVERY: at}, frozenset()), None, ""))

    def _give(self, number: int, entry: Entry) -> None:
        waiting = self._waiting[number]
        waiting.append(entry)
        if len(waiting) >= self._chunk:
            self._flush(number)

    def _flush(self, number: int) -> None:
        waiting, partition = self._waiting[number], self.partitions[number]
        while waiting:
            decision = partition.apply(waiting)
            partition.accept(decision)
            self._sink.take(decision.outputs)
            self.counts.update(decision.counts)
            del waiting[: decision.consumed]

    def _end(self, progress: Progress | None) -> Counts:
        for number in range(len(self.partitions)):
            self._flush(number)
        if progress is not None:
            progress(self.counts["lines",])
        return self.counts


def _stamped(extra: dict[str, str]) -> list[tuple[str, bytes]]:
    added = []
    if "kairossource" in extra:
        added.append((SOURCE, extra["kairossource"].encode()))
    if "kairostick" in extra:
        added.append((TICK, extra["kairostick"].encode()))
    return added


def _instants(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Lines of one recorded instant together, in canonical order: event time, sequence, source, id."""
    instant: list[Entry] = []
    for entry in entries:
        if instant and entry.where.recorded != instant[0].where.recorded:  # type: ignore[union-attr]
            yield _ordered(instant)
            instant = []
        instant.append(entry)
    if instant:
        yield _ordered(instant)


def _ordered(instant: list[Entry]) -> list[Entry]:
    if len(instant) > 1:
        instant.sort(key=_CANONICAL)
    return instant
