"""A deployment as it stands after months: a state topic full of ordinary rows, a ledger and a journal that fit them.

Rule: the rows are the engine's own, of a simulated bank whose log was really replayed up to this instant; only their number is
made, by writing each under many subjects.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import NamedTuple

import orjson
from confluent_kafka import Producer

from stream.domain.days import stamp
from stream.domain.events import Record
from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.engine.partition import Partition
from stream.packs import loader
from stream.shell.kafka import topics
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.stamping import Router, Tick
from stream.shell.logfile import Numbered, recorded
from stream.shell.replay import Replay
from stream.shell.settings import Settings
from stream.simulator import Bank
from stream.wire.registry import SOURCES

DAYS = 60
"""Of business behind every row."""
BATCH = 2_000
"""Rows that one call of the client queues."""
PATIENCE = 120.0


class Nowhere:
    """A sink that forgets."""

    def take(self, outputs: list[Output]) -> None:
        """Forget."""


class History(NamedTuple):
    """A bank up to now.

    Attributes:
        rows: Subject and row of every customer.
        ahead: Lines of what these customers will do next, in order.
        at: The instant up to which everything is proven, UTC ms.
    """

    rows: list[tuple[bytes, bytes]]
    ahead: list[bytes]
    at: int

    def copies(self, customers: int) -> Iterator[tuple[bytes, bytes]]:
        """So many rows: each customer's, then each again under another subject, and so on."""
        return islice(((renamed(subject, copy), row) for copy in count() for subject, row in self.rows), customers)

    def coming(self, customers: int) -> Iterator[bytes]:
        """Events of the customers that are there, one copy of the bank after the other, for ever."""
        known = {subject for subject, _ in self.rows}
        data = [event for event in map(orjson.loads, self.ahead) if event["subject"].encode() in known]
        for copy in (copy for _ in count() for copy in range(customers // len(self.rows))):
            for event in data:
                now = stamp(time.time_ns() // 1_000_000)
                event = {**event, "subject": renamed(event["subject"].encode(), copy).decode(), "time": now}
                event.pop("recordedtime", None)
                yield orjson.dumps(event)


def renamed(subject: bytes, copy: int) -> bytes:
    """The subject of a copy; the first one is the original."""
    return b"%b-%d" % (subject, copy) if copy else subject


def history(customers: int) -> History:
    """A bank that opened 60 days ago, up to this instant."""
    now = time.time_ns() // 1_000_000
    start = (datetime.now(UTC) - timedelta(days=DAYS)).date()
    log = recorded(
        Numbered("bank.jsonl", number, line) for number, line in enumerate(Bank(customers, DAYS + 2, 1, start).events(), 1)
    )
    past, ahead = [], []
    for line in log:
        (past if line.at <= now else ahead).append(line)
    replay = Replay(Engine(loader.load("retail_bank")), Nowhere())
    replay.run(past, until=now)
    [partition] = replay.partitions
    return History(list(partition.dump()), [line.line for line in ahead], now)


class Filled(NamedTuple):
    """What the state topic holds now: by journal partition, the records in order; and the bytes of the rows."""

    parts: list[list[tuple[bytes, bytes]]]
    row_bytes: int


def fill(settings: Settings, past: History, customers: int) -> Filled:
    """Topics, rows, one tick in each journal partition, and the ledgers of having decided it."""
    topics.create(settings)
    count = settings.journal_partitions
    router = Router(count)
    parts: list[list[tuple[bytes, bytes]]] = [[] for _ in range(count)]
    for subject, row in past.copies(customers):
        parts[router.of(subject)].append((subject, row))
    row_bytes = sum(len(row) for part in parts for _, row in part)
    tick = Tick(dict.fromkeys(SOURCES, past.at), []).record()
    engine = Engine(loader.load(settings.pack))
    for number, part in enumerate(parts):
        decision = Partition(engine, number).decide([Record(0, *tick)])
        part += [(key, value) for key, value in decision.rows if value is not None]
    write(settings, parts, tick[2])
    return Filled(parts, row_bytes)


def write(settings: Settings, parts: list[list[tuple[bytes, bytes]]], tick: list[tuple[str, bytes]]) -> None:
    """Both topics, acknowledged; the order within a partition is kept."""
    lost: list[object] = []
    options = {"enable.idempotence": True, "compression.type": "lz4", "linger.ms": 5, "delivery.report.only.error": True}
    producer = Producer({**librdkafka(settings), **options, "on_delivery": lambda error, _: lost.append(error)})
    for number, part in enumerate(parts):
        producer.produce(settings.topic(topics.JOURNAL), b"", None, number, headers=tick)
        for some in batches(part):
            producer.produce_batch(settings.topic(topics.STATE), some, partition=number)
            while len(producer) > 20 * BATCH:
                producer.poll(0.01)
    assert producer.flush(PATIENCE) == 0
    producer.close()
    assert not lost, lost[0]


def batches(part: Iterable[tuple[bytes, bytes]]) -> Iterator[list[dict[str, bytes]]]:
    """The rows as the client wants them."""
    rows = iter(part)
    while some := [{"key": key, "value": value} for key, value in islice(rows, BATCH)]:
        yield some
