"""Topics as logs: a range of a topic written line by line, and outputs as they come.

Rule: reads what is committed, changes nothing, joins no group.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import methodcaller
from typing import BinaryIO, NamedTuple, cast

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.domain import days
from stream.domain.errors import ConfigError
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.stamping import SOURCE, TICK, is_marker
from stream.shell.kafka.topics import JOURNAL
from stream.shell.settings import Settings
from stream.wire.decode import loose_subject
from stream.wire.lines import to_line
from stream.wire.registry import SOURCES

ANSWER = 30.0
"""Longest wait for a broker, s."""
UNREADABLE = "expected headers whose names are UTF-8, got one that is not; the journal has this record with the name escaped"
BATCH, STEP = 1000, 0.05
"""Most records taken at once, and the longest wait for so many, s."""
PASSING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._TRANSPORT,
)
"""What a broker says of a topic made a moment ago, or while its leader moves."""


Named = list[tuple[str, bytes]]
"""Headers: names and contents; no content is None there, as it is in `Headers`."""

_headers = methodcaller("headers")
"""A message's headers. Where a name is no UTF-8 the client returns with an exception set, which surfaces anywhere later
when Python has specialised the plain call; a call made by C is always checked."""


class Range(NamedTuple):
    """Offsets of one partition: from `first`, up to but without `end`; None is the oldest kept, or the stable end."""

    first: int | None = None
    end: int | None = None


class Recorded(NamedTuple):
    """What a log holds.

    Attributes:
        lines: How many.
        ranges: The offsets per partition that it covers.
    """

    lines: int
    ranges: dict[int, tuple[int, int]]


@contextmanager
def consumer(settings: Settings) -> Iterator[Consumer]:
    """A consumer of committed records that is told where to read."""
    reader = Consumer(
        {
            **librdkafka(settings),
            # demanded by the client, never joined: partitions are assigned by hand and nothing is committed
            "group.id": f"{settings.app_id}-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        yield reader
    except KafkaException as error:
        raise ConfigError(f"{settings.brokers}: {error}") from error
    finally:
        reader.close()


def partitions(reader: Consumer, topic: str) -> int:
    """How many a topic has. Raises ConfigError when there is no such topic."""
    found = reader.list_topics(topic, timeout=ANSWER).topics[topic]
    if found.error is not None or not found.partitions:
        raise ConfigError(f"{topic}: no such topic")
    return len(found.partitions)


def bounds(reader: Consumer, topic: str, partition: int, asked: Range) -> tuple[int, int]:
    """The offsets to read. Raises ConfigError when what was asked for is not there (any more, or yet)."""
    low, high = watermarks(reader, TopicPartition(topic, partition))
    first = low if asked.first is None else asked.first
    end = high if asked.end is None else asked.end
    if first < low or end > high:
        raise ConfigError(f"{topic}/{partition}: asked for offsets {first} to {end}, the topic holds {low} to {high}")
    return first, end


def watermarks(reader: Consumer, place: TopicPartition) -> tuple[int, int]:
    """The oldest offset and the stable end. Waits while a new topic's leader is not yet known to all."""
    until = time.monotonic() + ANSWER
    while True:
        try:
            return cast(tuple[int, int], reader.get_watermark_offsets(place, timeout=ANSWER))
        except KafkaException as error:
            if error.args[0].code() not in PASSING or time.monotonic() > until:
                raise
            time.sleep(STEP)


def messages(reader: Consumer, topic: str, partition: int, first: int, end: int) -> Iterator[Message]:
    """The committed records of one partition in order. Raises ConfigError when the broker falls silent."""
    reader.assign([TopicPartition(topic, partition, first)])
    heard = time.monotonic()
    while first < end:
        batch = reader.consume(BATCH, timeout=STEP)
        if batch:
            heard = time.monotonic()
        elif time.monotonic() - heard > ANSWER:
            raise ConfigError(f"{topic}/{partition}: nothing came for {ANSWER:.0f} s at offset {first}")
        for message in batch:
            # the last offsets of a partition may be marks of transactions, which nobody is shown
            if ended(message) or message.offset() >= end:
                return
            first = message.offset() + 1
            yield message


def ended(message: Message) -> bool:
    """Whether this only says that a partition has no more. Raises KafkaException when reading failed."""
    error = message.error()
    if error is None:
        return False
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return True


def record(settings: Settings, topic: str, out: BinaryIO, ranges: Mapping[int, Range] | None = None) -> Recorded:
    """Write a topic as a log, by partition, then offset.

    Journal lines keep their coordinates (`kairosjournal`, `kairossource`), ticks included, so that a replay decides
    exactly as the worker did. Lines of a source topic are stamped with the broker's time as `recordedtime` where
    they bring none; markers of a recorded log are left out.

    Args:
        settings: The deployment.
        topic: Logical name.
        out: Gets the lines.
        ranges: By partition, only these; everything when None.
    """
    name, lines, covered = settings.topic(topic), 0, {}
    with consumer(settings) as reader:
        count = partitions(reader, name)
        wanted = {number: Range() for number in range(count)} if ranges is None else ranges
        for partition in sorted(wanted):
            if not 0 <= partition < count:
                raise ConfigError(f"{name} has partitions 0 to {count - 1}, asked for {partition}")
            covered[partition] = first, end = bounds(reader, name, partition, wanted[partition])
            for message in messages(reader, name, partition, first, end):
                line = as_line(message, topic)
                if line is not None:
                    out.write(line + b"\n")
                    lines += 1
    return Recorded(lines, covered)


def as_line(message: Message, topic: str) -> bytes | None:
    """One record as a line; None for a marker of a recorded log."""
    headers = headers_of(message)
    extra: dict[str, str] = {}
    if topic == JOURNAL:
        extra["kairosjournal"] = f"{message.partition()}/{message.offset()}"
        headers = moved(headers, extra)
    elif topic in SOURCES:
        names = {name for name, _ in headers}
        if is_marker(key_of(message), value_of(message), names):
            return None
        is_event = "ce_specversion" in names or loose_subject(value_of(message)) is not None
        if is_event and "ce_recordedtime" not in names:
            headers = [*headers, ("ce_recordedtime", days.stamp(message.timestamp()[1]).encode())]
    return to_line(key_of(message), headers, value_of(message), extra)


def moved(headers: Named, extra: dict[str, str]) -> Named:
    """The headers without those that ingest added, which become attributes of the line."""
    names = {SOURCE: "kairossource", TICK: "kairostick"}
    rest = []
    for name, content in headers:
        if name in names:
            extra[names[name]] = (content or b"").decode()
        else:
            rest.append((name, content))
    return rest


def headers_of(message: Message) -> Named:
    """The headers; a list even where there are none. Raises ConfigError where the client cannot make text of a name."""
    try:
        return cast(Named, _headers(message) or [])
    except (UnicodeDecodeError, SystemError) as error:
        where = f"{message.topic()}/{message.partition()}@{message.offset()}"
        raise ConfigError(f"{where}: {UNREADABLE}") from error


def key_of(message: Message) -> bytes | None:
    """The key."""
    return as_bytes(message.key())


def value_of(message: Message) -> bytes | None:
    """The value."""
    return as_bytes(message.value())


def as_bytes(content: str | bytes | None) -> bytes | None:
    """What the client's types call text or bytes; without a deserialiser it is always bytes."""
    return content.encode() if isinstance(content, str) else content


def tail(settings: Settings, topics: Sequence[str], follow: bool = False, from_start: bool = True) -> Iterator[bytes]:
    """Committed records of some topics as lines, in order per partition; ends at the end unless told to follow.

    Args:
        settings: The deployment.
        topics: Logical names.
        follow: Wait for more, for ever.
        from_start: Begin with the oldest record; otherwise with what comes from now on.
    """
    start = OFFSET_BEGINNING if from_start else OFFSET_END
    with consumer(settings) as reader:
        names = [settings.topic(topic) for topic in topics]
        places = [TopicPartition(name, n, start) for name in names for n in range(partitions(reader, name))]
        reader.assign(places)
        behind = {(place.topic, place.partition) for place in places}
        while behind or follow:
            for message in reader.consume(BATCH, timeout=STEP):
                if ended(message):
                    behind.discard((message.topic(), message.partition()))
                else:
                    yield to_line(key_of(message), headers_of(message), value_of(message))
