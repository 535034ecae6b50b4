"""Topics, the load that goes in, and the readers of what comes out.

Rule: one producer and one kind of reader for all contenders.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from threading import Event, Thread
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from tests.bench.jobj import log

BATCH = 2000
Headers = list[tuple[str, bytes]]


class Record(NamedTuple):
    """What a contender's input holds for one line."""

    partition: int
    key: bytes | None
    value: bytes
    headers: Headers | None = None


def create(brokers: str, names: Iterable[str], partitions: int = log.PARTITIONS, **configs: str) -> None:
    """Make topics; those that are there stay."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 3})
    for future in admin.create_topics([NewTopic(name, partitions, 1, config=configs) for name in names]).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def forget(brokers: str, prefix: str) -> None:
    """Delete all topics of a run, so that the disk does not fill."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 3})
    names = [name for name in admin.list_topics(timeout=30).topics if prefix in name and not name.startswith("__")]
    if names:
        for future in admin.delete_topics(names, operation_timeout=60).values():
            future.result()


def left(brokers: str, group: str) -> bool:
    """Whether a consumer group has no members any more."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 3})
    return not admin.describe_consumer_groups([group])[group].result().members


def producer(brokers: str, linger: float) -> Producer:
    """lz4, acknowledged by all, in order also when a new topic makes it try again. ``linger`` in ms."""
    sure = {"enable.idempotence": True, "compression.type": "lz4", "linger.ms": linger}
    # that a fresh broker is asked twice for an id, or that a last event of the client is thrown away, is no news
    return Producer({"bootstrap.servers": brokers, "queue.buffering.max.messages": 1_000_000, "log_level": 3, **sure})


def load(brokers: str, topic: str, records: Iterable[Record]) -> None:
    """Write everything as fast as may be."""
    out = producer(brokers, 50)
    for number, record in enumerate(records):
        send(out, topic, record)
        if number % BATCH == 0:
            out.poll(0)
    if out.flush(300):
        raise SystemExit("the load was not acknowledged within five minutes")


def send(out: Producer, topic: str, record: Record) -> None:
    """One record; waits while the producer's queue is full."""
    while True:
        try:
            out.produce(topic, record.value, record.key, record.partition, headers=record.headers)
        except BufferError:
            out.poll(0.1)
        else:
            return


def pace(out: Producer, topic: str, records: list[Record], rate: int) -> list[float]:
    """Write at an even pace, in step with the clock; when each was handed over (`time.perf_counter`)."""
    sent: list[float] = []
    began = time.perf_counter()
    while len(sent) < len(records):
        due = min(int((time.perf_counter() - began) * rate) + 1, len(records))
        for record in records[len(sent) : due]:
            sent.append(time.perf_counter())
            send(out, topic, record)
        out.poll(0)
        time.sleep(0.0005)
    out.flush(60)
    return sent


class Seen(NamedTuple):
    """A record that came out, and when (`time.perf_counter`)."""

    at: float
    message: Message


class Reader:
    """Reads topics in a thread of its own, from their beginning or from where they end now; judges nothing.

    With ``keep`` it keeps everything, else only the first it sees: where there is too much of it.

    Attributes:
        first: Set when anything has come.
        over: Set when one record of each of `wanted` keys has come.
    """

    def __init__(
        self,
        brokers: str,
        topics: list[str],
        committed: bool,
        wanted: Iterable[str] = (),
        begin: int = OFFSET_BEGINNING,
        keep: bool = True,
    ) -> None:
        self.seen: list[Seen] = []
        self.first, self.over = Event(), Event()
        self.ended = 0.0
        self._wanted = {subject.encode() for subject in wanted}
        self._keep, self._stop = keep, Event()
        self._consumer = consumer(brokers, committed)
        places = [TopicPartition(name, n, begin) for name in topics for n in range(log.PARTITIONS)]
        if begin == OFFSET_END:
            # asked now: the client itself would only ask when it first fetches
            for place in places:
                place.offset = self._consumer.get_watermark_offsets(place, timeout=30)[1]
        self._consumer.assign(places)
        self._thread = Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join(30)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            messages = [each for each in self._consumer.consume(BATCH, timeout=0.02) if each.error() is None]
            if messages:
                self._note(time.perf_counter(), messages)

    def _note(self, now: float, messages: list[Message]) -> None:
        if self._keep or not self.seen:
            self.seen += [Seen(now, message) for message in messages]
        self.first.set()
        if self._wanted and not self._wanted.isdisjoint(keys := {message.key() for message in messages}):
            self._wanted -= keys
            if not self._wanted:
                self.ended = now
                self.over.set()


def consumer(brokers: str, committed: bool) -> Consumer:
    """Told where to read, joins no group."""
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "bench-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "fetch.wait.max.ms": 5,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )


def whole(brokers: str, topic: str) -> Iterator[Message]:
    """All committed records of a topic as it stands."""
    with closing(consumer(brokers, True)) as reader:
        partitions = list(reader.list_topics(topic, timeout=30).topics[topic].partitions)
        reader.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in partitions])
        left = set(partitions)
        while left:
            for message in reader.consume(BATCH, timeout=1.0):
                error: Any = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    raise KafkaException(error)


def latest(brokers: str, topic: str) -> dict[bytes, bytes | None]:
    """The last value of each key of a changelog."""
    return {message.key(): message.value() for message in whole(brokers, topic)}
