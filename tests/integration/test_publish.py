"""A log into Kafka and out again: what is sent where, what comes back, and states at an offset."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from stream.domain.errors import ConfigError, DeliveryError, StateError
from stream.shell.kafka import record, snapshot, topics
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.publish import Pace, publish, route
from stream.shell.settings import Settings
from stream.wire.instants import Instants
from stream.wire.lines import from_line, stamps
from stream.wire.registry import SOURCES

Configured = Callable[..., Settings]
START = 1_767_576_600_000


def event(number: int, kind: str = "txn.entry.posted", subject: str | None = None, **more: Any) -> bytes:
    """A structured event of one of seven customers."""
    attributes = {
        "specversion": "1.0", "id": f"E{number}", "source": "core", "type": f"{kind}.v1",
        "subject": subject or f"C{number % 7}", "time": "2026-01-05T09:30:00.000+08:00", "data": {"n": number},
    }  # fmt: skip
    return json.dumps(attributes | more, separators=(",", ":")).encode()


def numbered(lines: Iterable[bytes]) -> list[tuple[int, bytes, int]]:
    """Lines with their numbers, recorded ten milliseconds apart."""
    return [(number, line, START + 10 * number) for number, line in enumerate(lines, 1)]


def held(settings: Settings, topic: str) -> list[Message]:
    """Everything a topic holds, by partition."""
    name = settings.topic(topic)
    with record.consumer(settings) as reader:
        found = []
        for partition in range(record.partitions(reader, name)):
            low, high = record.bounds(reader, name, partition, record.Range())
            found += list(record.messages(reader, name, partition, low, high))
    return found


MIXED = [
    event(1), event(2, "app.session.started"), event(3, "account.opened"), event(4, "no.such.type"), b"not json",
    b"\xff\xfe", event(7, "consent.changed"), event(8),
]  # fmt: skip


def test_lines_go_to_the_topics_of_their_types(configured: Configured) -> None:
    """What nobody knows goes to in.txn, bytes untouched, so that the engine can bury it."""
    settings = configured()
    topics.create(settings)
    heard: list[int] = []

    published = publish(settings, numbered(MIXED), "log.jsonl", heard.append)

    assert published.sent == {"in.txn": 5, "in.app": 1, "in.account": 1, "in.consent": 1}
    assert (published.refused, published.ticks, heard) == ((), 0, [8])
    assert Counter(str(message.topic()).removeprefix(settings.topic_prefix) for name in SOURCES
                   for message in held(settings, name)) == published.sent  # fmt: skip
    values = {message.value() for message in held(settings, "in.txn")}
    assert {b"not json", b"\xff\xfe", b'{"n":1}'} <= values


def test_a_subject_lies_in_the_partition_java_clients_choose(configured: Configured) -> None:
    """murmur2 of the subject, as librdkafka's own partitioner says; without a subject partition 0."""
    settings = configured(source_partitions=3)
    topics.create(settings)
    publish(settings, numbered([*map(event, range(50)), b"x"]), "log.jsonl")
    by_librdkafka = Producer({**librdkafka(settings), "partitioner": "murmur2_random"})
    for number in range(7):
        by_librdkafka.produce(settings.topic("in.app"), b"", f"C{number}".encode())
    assert by_librdkafka.flush(20) == 0

    theirs = {message.key(): message.partition() for message in held(settings, "in.app")}
    ours = {message.key(): message.partition() for message in held(settings, "in.txn")}

    assert ours.pop(None) == 0
    assert ours == theirs
    assert all((murmur2(key) & 0x7FFFFFFF) % 3 == partition for key, partition in ours.items())


def test_order_within_a_partition_is_the_order_of_the_log(configured: Configured) -> None:
    """And every record says which line it was."""
    settings = configured()
    topics.create(settings)
    publish(settings, numbered(map(event, range(3000))), "log.jsonl")

    seen: dict[int | None, list[int]] = {}
    for message in held(settings, "in.txn"):
        origin = dict(record.headers_of(message))["ce_kairosorigin"].decode()
        seen.setdefault(message.partition(), []).append(int(origin.removeprefix("log.jsonl:")))

    assert len(seen) == 2
    assert all(lines == sorted(lines) for lines in seen.values())
    assert sorted(line for lines in seen.values() for line in lines) == list(range(1, 3001))


def test_a_recorded_log_is_stamped_and_ended_everywhere(configured: Configured) -> None:
    """Every record its recorded time, every partition of every source its end-of-log marker, last."""
    settings = configured(clock="recorded")
    topics.create(settings)
    publish(settings, numbered(map(event, range(20))), "log.jsonl")

    ends = 0
    for source in SOURCES:
        by_partition: dict[int | None, list[Message]] = {}
        for message in held(settings, source):
            by_partition.setdefault(message.partition(), []).append(message)
        for messages in by_partition.values():
            *events, last = messages
            assert (last.key(), last.value(), last.headers()) == (
                None, None, [("kairos_end", str(START + 200).encode())],
            )  # fmt: skip
            given = [dict(record.headers_of(message))["ce_recordedtime"] for message in events]
            assert given == sorted(given)
            ends += 1
    assert ends == len(SOURCES) * 2


def test_a_partition_made_meanwhile_is_ended_too(configured: Configured) -> None:
    """Or it would hold its source's time back for ever; the log's own records stay where their subjects were."""
    settings = configured(clock="recorded", source_partitions=1)
    topics.create(settings)
    name = settings.topic("in.txn")

    def grown() -> Iterator[tuple[int, bytes, int]]:
        yield 1, event(1), START + 10
        client = AdminClient(librdkafka(settings))
        client.create_partitions([NewPartitions(name, 2)])[name].result(20)
        while len(client.list_topics(name, 20).topics[name].partitions) < 2:
            time.sleep(0.05)
        for number in range(2, 20):
            yield number, event(number), START + 10 * number

    publish(settings, grown(), "log.jsonl")

    messages = held(settings, "in.txn")
    assert [m.headers() for m in messages if m.partition() == 1][-1:] == [[("kairos_end", str(START + 190).encode())]]
    assert sum(m.key() is not None for m in messages if m.partition() == 0) == 19


def test_recorded_time_never_falls(configured: Configured) -> None:
    """Even when the caller's does; the line's own stamp is replaced."""
    settings = configured(clock="recorded", source_partitions=1)
    topics.create(settings)
    line = event(1, recordedtime="2001-01-01T00:00:00.000Z")
    publish(settings, [(1, line, START + 5), (2, event(2), START)], "log.jsonl")

    texts = [dict(record.headers_of(m)).get("ce_recordedtime") for m in held(settings, "in.txn")[:2]]

    assert texts == [b"2026-01-05T01:30:00.005Z"] * 2


def test_a_line_too_large_for_kafka_is_refused_by_number(configured: Configured) -> None:
    """It stops nobody; a merely oversize event still goes to the engine, which buries it."""
    settings = configured()
    topics.create(settings)

    published = publish(settings, numbered([b"x" * 1_100_000, b"y" * 900_000, event(3)]), "log.jsonl")

    assert published.refused == (1,)
    assert published.sent == {"in.txn": 2}


def test_publishing_without_topics_is_refused(configured: Configured) -> None:
    """With the way out."""
    with pytest.raises(ConfigError, match="topics create"):
        publish(configured(), [], "log.jsonl")


def test_a_record_kafka_refuses_is_an_error(configured: Configured) -> None:
    """Never lost silently."""
    settings = configured()
    with topics.admin(settings) as client:
        client.create_topics({settings.topic("in.txn"): {"num_partitions": 2, "configs": {"max.message.bytes": "1000"}}})
    topics.create(settings)
    incompressible = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(200))

    with pytest.raises(DeliveryError, match="did not take"):
        publish(settings, numbered([event(1, note=incompressible)]), "log.jsonl")


def test_rate_is_kept() -> None:
    """A paced log takes its time, without drift."""
    pace, started = Pace(1000), time.monotonic()

    for done in range(1, 301):
        pace.wait(done, time.sleep)

    assert 0.28 < time.monotonic() - started < 0.6


def test_own_coordinates_of_a_line_are_kept() -> None:
    """A log that was recorded from a log says where its events first stood."""
    routed = route(event(1, kairosorigin="first.jsonl:9"), "second.jsonl:1", None)

    assert routed is not None
    assert [content for name, content in routed.headers if name == "ce_kairosorigin"] == [b"first.jsonl:9"]


def test_sources_come_back_as_they_were(configured: Configured) -> None:
    """Publish, record, publish again, record: the same lines."""
    settings = configured(clock="recorded")
    second = configured(clock="recorded", topic_prefix=f"{settings.topic_prefix}second.")
    topics.create(settings)
    topics.create(second)
    publish(settings, numbered(MIXED), "log.jsonl")
    first_log = recorded(settings, "in.txn")

    lines = first_log.splitlines()
    times = [START + 10 * int((dict(from_line(line).headers)["ce_kairosorigin"]).split(b":")[1]) for line in lines]
    publish(second, sorted(zip(range(1, 9), lines, times, strict=False), key=lambda line: line[2]), "other.jsonl")

    assert len(lines) == 5
    assert sorted(recorded(second, "in.txn").splitlines()) == sorted(lines)


def test_recorded_sources_say_when_the_broker_took_them(configured: Configured) -> None:
    """A log of a live source can be replayed: its recorded time is the broker's."""
    settings = configured()
    topics.create(settings)
    before = int(time.time() * 1000)
    publish(settings, numbered([event(1)]), "log.jsonl")

    text = stamps(recorded(settings, "in.txn")).recordedtime

    assert text is not None
    assert before - 1000 <= Instants().parse(text) <= int(time.time() * 1000) + 1000


def recorded(settings: Settings, topic: str, **more: Any) -> bytes:
    """A topic as a log."""
    out = io.BytesIO()
    record.record(settings, topic, out, **more)
    return out.getvalue()


def transactional(settings: Settings) -> Producer:
    """A producer of transactions, ready."""
    producer = Producer({**librdkafka(settings), "transactional.id": settings.app_id, "log_level": 3})
    producer.init_transactions(30)
    return producer


def journaled(settings: Settings) -> None:
    """A journal of one partition: an event, a tick, bytes that are no event, and what was never committed."""
    producer = transactional(settings)
    journal = settings.topic("journal")
    producer.begin_transaction()
    _, headers, value, _ = from_line(event(1))
    producer.produce(journal, value, b"C1", 0, headers=[*headers, ("kairos_src", b"in.txn|0|0|7|5|w")])
    producer.produce(journal, b"", None, 0, headers=[("kairos_tick", b'{"clock":{"in.txn":5},"idle":[]}')])
    producer.produce(journal, b"\xff", None, 0, headers=[("kairos_src", b"in.txn|0|0|8|6|w")])
    producer.commit_transaction(30)
    producer.begin_transaction()
    producer.produce(journal, b"never", b"C1", 0)
    producer.flush(20)
    producer.abort_transaction(30)


def test_journal_lines_keep_coordinates_ticks_and_bytes(configured: Configured) -> None:
    """What a replay needs to decide as the worker did; aborted records never were."""
    settings = configured(journal_partitions=1)
    topics.create(settings)
    journaled(settings)

    lines = recorded(settings, "journal").splitlines()

    assert [stamps(line).kairosjournal for line in lines] == ["0/0", "0/1", "0/2"]
    assert [stamps(line).kairossource for line in lines] == ["in.txn|0|0|7|5|w", None, "in.txn|0|0|8|6|w"]
    assert stamps(lines[1]).kairostick == '{"clock":{"in.txn":5},"idle":[]}'
    assert (from_line(lines[0]).key, from_line(lines[0]).value) == (b"C1", b'{"n":1}')
    assert (from_line(lines[2]).key, from_line(lines[2]).value) == (None, b"\xff")


def test_a_range_is_recorded_exactly_or_refused(configured: Configured) -> None:
    """The middle of a journal; and offsets that are not there."""
    settings = configured(journal_partitions=1)
    topics.create(settings)
    journaled(settings)

    middle = recorded(settings, "journal", ranges={0: record.Range(1, 2)}).splitlines()

    assert [stamps(line).kairosjournal for line in middle] == ["0/1"]
    with pytest.raises(ConfigError, match="asked for offsets 0 to 999"):
        recorded(settings, "journal", ranges={0: record.Range(0, 999)})
    with pytest.raises(ConfigError, match="partitions 0 to 0, asked for 3"):
        recorded(settings, "journal", ranges={3: record.Range()})


def test_recording_republishes_without_ticks(configured: Configured) -> None:
    """Ticks are derived again from the clock, never sent."""
    settings = configured(journal_partitions=1)
    topics.create(settings)
    journaled(settings)

    published = publish(settings, numbered(recorded(settings, "journal").splitlines()), "journal.jsonl")

    assert (published.ticks, published.sent) == (1, {"in.txn": 2})


def test_tail_shows_what_is_committed_and_ends(configured: Configured) -> None:
    """All partitions of all topics; a topic without records included."""
    settings = configured()
    topics.create(settings)
    producer = transactional(settings)
    producer.begin_transaction()
    for partition in (0, 1):
        producer.produce(settings.topic("dlq"), b"bad", None, partition, headers=[("reason", b"NOT_JSON")])
    producer.commit_transaction(30)

    lines = list(record.tail(settings, ["dlq", "out.suppressed"]))

    assert [from_line(line).value for line in lines] == [b"bad", b"bad"]


def position(ledger: bytes) -> int:
    """Where this test's ledgers say to read on."""
    return int(ledger)


def decided(settings: Settings, *steps: tuple[int, dict[bytes, bytes | None]]) -> None:
    """State transactions of partition 0: the offset to read on at, and changed rows."""
    producer, state = transactional(settings), settings.topic("state")
    for following, rows in steps:
        producer.begin_transaction()
        for key, value in {snapshot.LEDGER: str(following).encode(), **rows}.items():
            producer.produce(state, value, key, 0)
        producer.commit_transaction(30)


def states(settings: Settings, at: dict[int, int] | None = None) -> tuple[dict[int, int], dict[bytes, bytes]]:
    """A snapshot, written and read back: next offsets, and rows without ledgers."""
    out = io.BytesIO()
    following = snapshot.snapshot(settings, out, position, at)
    loaded = snapshot.load_snapshot(out.getvalue().splitlines())
    assert loaded.next == following
    return following, {key: value for _, key, value in loaded.rows if key != snapshot.LEDGER}


def test_snapshot_is_the_state_at_a_ledger(configured: Configured) -> None:
    """At the end, at a ledger, inside a chunk (the ledger before), at the beginning."""
    settings = configured()
    topics.create(settings)
    decided(settings, (10, {b"a": b"1", b"b": b"1"}), (20, {b"a": b"2"}), (30, {b"b": None, b"c": b"3"}))

    assert states(settings) == ({0: 30, 1: 0}, {b"a": b"2", b"c": b"3"})
    assert states(settings, {0: 20, 1: 0}) == ({0: 20, 1: 0}, {b"a": b"2", b"b": b"1"})
    assert states(settings, {0: 19, 1: 0}) == ({0: 10, 1: 0}, {b"a": b"1", b"b": b"1"})
    assert states(settings, {0: 0, 1: 0}) == ({0: 0, 1: 0}, {})


def test_snapshot_where_the_cleaner_may_have_been_is_refused(configured: Configured) -> None:
    """Exact or refused, with the oldest offset that can be had."""
    settings = configured()
    topics.create(settings)
    decided(settings, (10, {b"a": b"1"}), (20, {b"a": b"2"}))

    with pytest.raises(ConfigError, match=r"no longer exact.*the oldest that is: 10"):
        states(settings, {0: 5, 1: 0})
    with pytest.raises(ConfigError, match="an offset for each of the partitions 0 to 1"):
        states(settings, {0: 5})


HEAD = b'{"format":"kairos-snapshot/1","next":{}}'


@pytest.mark.parametrize("text", [b"", b"{", HEAD.replace(b"/1", b"/9"), HEAD + b'\n{"partition":0}'])
def test_a_file_that_is_no_snapshot_is_refused(text: bytes) -> None:
    """With its line."""
    with pytest.raises(StateError, match=r"line [12]: expected a kairos-snapshot/1"):
        snapshot.load_snapshot(text.splitlines())
