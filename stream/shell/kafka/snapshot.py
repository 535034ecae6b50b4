"""State at a point of the journal: rows and ledgers as one file, and back.

Rule: exact or refused. The state topic is compacted, so only its recent past can be had; a snapshot is written only
where it can be proven that the cleaner has removed nothing that belongs to it.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

import orjson
from confluent_kafka import Consumer, Message

from stream.domain.days import NEVER
from stream.domain.errors import ConfigError, StateError
from stream.shell.kafka.record import Range, bounds, consumer, key_of, messages, partitions, value_of
from stream.shell.kafka.topics import STATE, admin, found
from stream.shell.settings import Settings

LEDGER = b"\x00ledger"
FORMAT = "kairos-snapshot/1"
SKEW = 60_000
"""Difference of clocks allowed between this machine and a broker, ms."""

Position = Callable[[bytes], int]
"""The journal offset a ledger says to read on at."""
Row = tuple[int, bytes, bytes]
"""Partition, key, value."""


class Cut(NamedTuple):
    """The state of one partition at one ledger.

    Attributes:
        next: The journal offset to read on at; 0 where nothing was decided yet.
        written: When the broker took the ledger, ms.
        newest: Whether no later ledger is there.
        rows: Rows and ledger.
    """

    next: int
    written: int
    newest: bool
    rows: dict[bytes, bytes]


def snapshot(settings: Settings, out: BinaryIO, position: Position, at: Mapping[int, int] | None = None) -> dict[int, int]:
    """Write the state, and answer the journal offset per partition at which a replay reads on.

    The offsets are those of the newest ledgers at or before the ones asked for: a transaction covers many records, so
    an offset inside one cannot be had.

    Args:
        settings: The deployment; its workers may run.
        out: Gets the lines: a head, then rows by partition and key.
        position: Reads a ledger.
        at: Journal offset of every partition; None is the end as it is now.

    Raises ConfigError when an offset lies so far back that the cleaner may have been there.
    """
    name = settings.topic(STATE)
    cuts: dict[int, Cut] = {}
    with consumer(settings) as reader:
        count = partitions(reader, name)
        if at is not None and set(at) != set(range(count)):
            raise ConfigError(f"{name}: expected an offset for each of the partitions 0 to {count - 1}")
        # only the past needs the proof, and only asking for an offset leads there
        lag = uncleaned(settings) if at is not None else 0
        for partition in range(count):
            asked = NEVER if at is None else at[partition]
            cut = state_at(reader, name, partition, position, asked)
            since = time.time() * 1000 - lag + SKEW
            if not (cut.newest or cut.next == asked == 0 or cut.written > since):
                raise ConfigError(refusal(reader, name, partition, position, asked, since))
            cuts[partition] = cut
    write(out, cuts)
    return {partition: cut.next for partition, cut in cuts.items()}


def state_at(reader: Consumer, topic: str, partition: int, position: Position, asked: int) -> Cut:
    """The state at the newest ledger that reads on at or before an offset; empty when there is none."""
    cut = Cut(0, 0, True, {})
    for group in transactions(messages(reader, topic, partition, *bounds(reader, topic, partition, Range()))):
        ledger = ledger_of(group)
        if ledger is not None:
            following = position(value_of(ledger) or b"")
            if following > asked:
                return cut._replace(newest=False, rows=cut.rows if cut.next else {})
            cut = cut._replace(next=following, written=ledger.timestamp()[1])
        for message in group:
            apply(cut.rows, message)
    return cut


def uncleaned(settings: Settings) -> int:
    """How long the cleaner certainly leaves a record alone, ms; 0 where the broker's clock does not stamp it."""
    name = settings.topic(STATE)
    with admin(settings) as client:
        configs = found(client, [name])[name].configs
    return int(configs["min.compaction.lag.ms"]) if configs["message.timestamp.type"] == "LogAppendTime" else 0


def refusal(reader: Consumer, topic: str, partition: int, position: Position, asked: int, since: float) -> str:
    """Why that offset cannot be had, and which can."""
    start = f"{topic}/{partition}: the state at journal offset {asked} is no longer exact, since the topic is compacted"
    for group in transactions(messages(reader, topic, partition, *bounds(reader, topic, partition, Range()))):
        ledger = ledger_of(group)
        if ledger is not None and ledger.timestamp()[1] > since:
            return f"{start}; the oldest that is: {position(value_of(ledger) or b'')}"
    return f"{start}; only its end can be had"


def ledger_of(group: list[Message]) -> Message | None:
    """The ledger of a transaction."""
    return next((message for message in reversed(group) if key_of(message) == LEDGER), None)


def transactions(given: Iterable[Message]) -> Iterator[list[Message]]:
    """Records that were committed together: each transaction's mark leaves a gap in the offsets.

    In the part that the cleaner has worked on there are more gaps; whole transactions are sure only behind it.
    """
    group: list[Message] = []
    for message in given:
        if group and message.offset() != (group[-1].offset() or 0) + 1:
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def apply(rows: dict[bytes, bytes], message: Message) -> None:
    """What a record of the state topic does to the rows."""
    key, value = key_of(message), value_of(message)
    if key is None:
        raise StateError(f"expected a key, got none ({message.topic()}/{message.partition()}@{message.offset()})")
    if value is None:
        rows.pop(key, None)
    else:
        rows[key] = value


def write(out: BinaryIO, cuts: Mapping[int, Cut]) -> None:
    """The file: the same state gives the same bytes."""
    head = {"format": FORMAT, "next": {str(partition): cut.next for partition, cut in cuts.items()}}
    out.write(orjson.dumps(head) + b"\n")
    for partition, cut in cuts.items():
        for key in sorted(cut.rows):
            row = {"partition": partition, "key": b64encode(key).decode(), "value": b64encode(cut.rows[key]).decode()}
            out.write(orjson.dumps(row) + b"\n")


class Snapshot(NamedTuple):
    """A snapshot read back.

    Attributes:
        next: The journal offset per partition at which a replay reads on.
        rows: Partition, key and value, the ledger among them: what `Partition.restore` takes.
    """

    next: dict[int, int]
    rows: tuple[Row, ...]


def load_snapshot(lines: Iterable[bytes]) -> Snapshot:
    """Read the lines of a snapshot. Raises StateError with the line that is wrong."""
    following: dict[int, int] | None = None
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        try:
            read = orjson.loads(line)
            if following is None:
                following = head_of(read)
            else:
                rows.append((int(read["partition"]), b64decode(read["key"], validate=True), b64decode(read["value"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"line {number}: expected a {FORMAT}: {type(error).__name__} {error}") from error
    if following is None:
        raise StateError(f"line 1: expected a {FORMAT}, got nothing")
    return Snapshot(following, tuple(rows))


def head_of(read: dict[str, object]) -> dict[int, int]:
    """The offsets of a head. Raises ValueError for another format."""
    offsets = read["next"]
    if read["format"] != FORMAT or not isinstance(offsets, dict):
        raise ValueError(f"got {read['format']}")
    return {int(partition): int(offset) for partition, offset in offsets.items()}
