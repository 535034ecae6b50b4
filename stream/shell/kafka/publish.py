"""A log of events into the source topics, as the bank's systems would have sent them.

Rule: judges no event. A line that is no event goes to ``in.txn`` as it is and meets its dead letter in the engine.

Delivery: idempotent and in order per partition. A crash leaves the log partly published and without its end markers.
Published again it comes twice, and the engine knows a customer's last 16 events by their `source` and `id`: go on after
the last line that arrived, or begin anew under another topic_prefix.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.domain import days
from stream.domain.errors import ConfigError, DeliveryError
from stream.shell.kafka.clients import OVERHEAD, librdkafka
from stream.shell.kafka.stamping import END, SO_FAR, Router
from stream.shell.kafka.topics import SOURCE_BYTES
from stream.shell.settings import Clock, Settings
from stream.wire.decode import subject_of
from stream.wire.lines import from_line, to_binary
from stream.wire.registry import SOURCES, topic_of

STRAYS = "in.txn"
"""Where lines go whose type nobody knows."""
MOST = SOURCE_BYTES - OVERHEAD
"""Key, value and headers of a record together: what surely fits a source topic."""
PATIENCE = 60.0
BEAT = 0.5
"""Seconds between two marks of how far a recorded log has come: well before a sparse source would count as idle."""
OFTEN = 1000
"""Lines between two reports of progress."""

Numbered = tuple[int, bytes, int]
"""A line's number from 1, its bytes, and when it was recorded (UTC ms, never falling)."""


class Published(NamedTuple):
    """What became of the lines.

    Attributes:
        sent: Records by logical topic; markers not counted.
        refused: Numbers of lines too large for a source topic: Kafka itself would refuse them.
        ticks: Lines of a recorded journal that hold a tick: ticks are derived again, never published.
    """

    sent: Counter[str]
    refused: tuple[int, ...]
    ticks: int


class Routed(NamedTuple):
    """A line as a record of a source topic."""

    topic: str
    subject: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None


def publish(
    settings: Settings,
    lines: Iterable[Numbered],
    name: str,
    progress: Callable[[int], object] = lambda done: None,
    rate: float | None = None,
    finish: bool = True,
) -> Published:
    """Send a log.

    Under `clock: recorded` every record carries its recorded time, and every partition of every source topic is told now
    and then how far the log has come, and in the end that it has ended: no source holds time back longer than it must.
    That includes partitions that are made meanwhile; records go to those that were there at the start.

    Args:
        settings: Where to; the topics must exist.
        lines: In the order of the log.
        name: The log's file name, for the events' coordinates (``name:line``).
        progress: Told the number of lines done, now and then and at the end.
        rate: Events per second at most.
        finish: Whether the log ends here; without, more of it may follow in another call.

    Raises ConfigError when topics are missing, DeliveryError when Kafka did not take a record.
    """
    done, pace = 0, Pace(rate)
    with closing(Sender(settings)) as sender:
        for done, (number, line, recorded) in enumerate(lines, 1):
            sender.take(number, line, f"{name}:{number}", recorded)
            pace.wait(done, sender.serve)
            if done % OFTEN == 0:
                progress(done)
        sender.finish(finish)
    progress(done)
    return Published(sender.sent, tuple(sender.refused), sender.ticks)


def route(line: bytes, origin: str, recorded: int | None) -> Routed | None:
    """Where a line goes and as what; None for a recorded tick.

    Args:
        line: A structured event, a recorded record, or anything else.
        origin: Stamped as the event's coordinates unless the line brings its own.
        recorded: Stamped as `recordedtime` when given, whatever the line says.
    """
    key, headers, value = to_binary(line)
    if b"kairostick" in line and "kairostick" in from_line(line).extra:
        return None
    named = dict(headers)
    if recorded is not None:
        # in its place where there is one: a log that is recorded and published again keeps its bytes
        stamp = {"ce_recordedtime": days.stamp(recorded).encode()}
        headers = [(name, stamp.pop(name, content)) for name, content in headers] + list(stamp.items())
    if "ce_kairosorigin" not in named:
        headers.append(("ce_kairosorigin", origin.encode()))
    kind = named.get("ce_type", b"").decode(errors="replace")
    return Routed(source_of(kind), subject_of(named, value), key, headers, value)


def source_of(kind: str) -> str:
    """The source topic of a wire type, under any prefix: the pack's own is the engine's to judge.

    >>> source_of("com.bank.app.session.started.v1"), source_of("no.such.thing")
    ('in.app', 'in.txn')
    """
    parts = kind.split(".")
    found = (topic_of(".".join(parts[-length:])) for length in (4, 3))
    return next((topic for topic in found if topic is not None), STRAYS)


def size(routed: Routed) -> int:
    """Bytes of a record, without the few that Kafka adds."""
    held = len(routed.key or b"") + len(routed.value or b"")
    return held + sum(len(name) + len(content or b"") + 10 for name, content in routed.headers)


class Pace:
    """At most so many per second, counted from the start."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.start = time.monotonic()

    def wait(self, done: int, serve: Callable[[float], None]) -> None:
        """Serve the client until the next one is due."""
        if self.rate is None:
            return
        ahead = self.start + done / self.rate - time.monotonic()
        # short waits are saved up: a timer is not that exact
        if ahead > 0.005:
            serve(ahead)


class Sender:
    """One idempotent producer and the partitions of the source topics."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.recorded = settings.clock is Clock.RECORDED
        self.last = self.ticks = 0
        self.beat = time.monotonic() + BEAT
        self.sent: Counter[str] = Counter()
        self.refused: list[int] = []
        self.failure: KafkaError | None = None
        self.producer = Producer(
            {
                **librdkafka(settings),
                "enable.idempotence": True,
                "linger.ms": 10,
                # a broker that has just started loads for a second: retried, and told only when it lasts
                "log_level": 3,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "message.timeout.ms": int(PATIENCE * 1000),
                "delivery.report.only.error": True,
                "on_delivery": self._failed,
            }
        )
        self.partitions = self._partitions()
        self.routers = {source: Router(count) for source, count in self.partitions.items()}

    def _failed(self, error: KafkaError | None, _message: Message) -> None:
        self.failure = self.failure or error

    def _partitions(self) -> dict[str, int]:
        try:
            known = self.producer.list_topics(timeout=PATIENCE).topics
        except KafkaException as error:
            raise ConfigError(f"no broker answers at {self.settings.brokers}: {error}") from error
        names = {source: self.settings.topic(source) for source in SOURCES}
        missing = [name for name in names.values() if name not in known]
        if missing:
            raise ConfigError(f"missing topics {', '.join(missing)}; `kairos topics create` makes them")
        return {source: len(known[name].partitions) for source, name in names.items()}

    def take(self, number: int, line: bytes, origin: str, recorded: int) -> None:
        """Send one line, or count why not."""
        self.last = max(self.last, recorded)
        routed = route(line, origin, self.last if self.recorded else None)
        if routed is None:
            self.ticks += 1
        elif size(routed) > MOST:
            self.refused.append(number)
        else:
            self.send(routed)
            self.sent[routed.topic] += 1
        if self.recorded and time.monotonic() >= self.beat:
            self._mark(SO_FAR)
            self.beat = time.monotonic() + BEAT

    def send(self, routed: Routed) -> None:
        """Queue one record, all of one subject's in one partition of a topic; waits while the queue is full."""
        partition = 0 if routed.subject is None else self.routers[routed.topic].of(routed.subject)
        self._produce(routed.topic, partition, routed.key, routed.value, routed.headers)

    def _mark(self, marker: str) -> None:
        """Queue a marker for every partition of every source topic, those made meanwhile included."""
        with suppress(ConfigError):
            # while no broker answers, those that are known: a partition without marker only holds time back
            self.partitions = self._partitions()
        for topic, partitions in self.partitions.items():
            for partition in range(partitions):
                self._produce(topic, partition, None, None, [(marker, str(self.last).encode())])

    def _produce(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any) -> None:
        name = self.settings.topic(topic)
        while True:
            try:
                self.producer.produce(name, value, key, partition, headers=headers)
            except BufferError:
                self.serve(0.1)
            else:
                self.serve(0)
                return

    def serve(self, seconds: float) -> None:
        """Let the client report. Raises DeliveryError as soon as anything failed."""
        self.producer.poll(seconds)
        if self.failure is not None:
            raise DeliveryError(f"Kafka did not take a record: {self.failure.str()}")

    def finish(self, end: bool = True) -> None:
        """End the log where time is recorded, and wait until everything is acknowledged."""
        if self.recorded:
            self._mark(END if end else SO_FAR)
        left = self.producer.flush(PATIENCE)
        self.serve(0)
        if left:
            raise DeliveryError(f"{left} records were not acknowledged within {PATIENCE:.0f} s")

    def close(self) -> None:
        """Disconnect now; garbage would be collected some time."""
        self.producer.close()
