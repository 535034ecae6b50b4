"""Dead letters: looked through, shown, and sent back through the front door once they may be accepted.

Delivery of a redrive: once. What was redriven already is read from ``in.redrive`` itself, after an older redrive of the
deployment has been fenced; a batch is one transaction. Ended in the middle or run twice, it sends no letter twice, as
long as ``in.redrive`` keeps its records (source_retention_days). A redriven record is judged as any other: it is
accepted, or dies again with coordinates of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, Message, Producer

from stream.domain.errors import ConfigError, DeliveryError
from stream.shell.kafka import record
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.stamping import Router
from stream.shell.kafka.topics import DEAD, SOURCE_BYTES
from stream.shell.settings import Settings
from stream.wire.decode import subject_of
from stream.wire.encode import ERRORS

BACK = "in.redrive"
FROM = "__kairos.redriven.from"
"""Header of a redriven record: the place of its dead letter, ``partition/offset``."""
ORIGIN = "ce_kairosorigin"
BATCH, BATCH_BYTES = 1000, 8 << 20
"""Letters of one transaction, and the bytes that are enough for one."""
CALL = 30.0
"""Seconds."""
Place = tuple[int, int]
"""Partition and offset in the topic of dead letters."""


class Letter(NamedTuple):
    """One dead letter.

    Attributes:
        at: When it died: the broker's time, UTC ms.
        headers: The original ones.
        about: Why and whence: code, path, text, stage, topic, partition, offset, timestamp; all words.
    """

    place: Place
    at: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    about: dict[str, str]

    @property
    def name(self) -> str:
        """``partition/offset`` in the topic of dead letters."""
        return f"{self.place[0]}/{self.place[1]}"

    @property
    def origin(self) -> str:
        """``topic/partition/offset`` of the record that died."""
        return "/".join(self.about.get(part, "") for part in ("topic", "partition", "offset"))


class Wanted(NamedTuple):
    """Which letters; everything that is given must hold."""

    code: str | None = None
    topic: str | None = None
    places: frozenset[Place] | None = None

    def matches(self, letter: Letter) -> bool:
        """Whether this is one of them."""
        return (
            (self.code is None or letter.about.get("code") == self.code)
            and (self.topic is None or letter.about.get("topic") == self.topic)
            and (self.places is None or letter.place in self.places)
        )


class Redriven(NamedTuple):
    """What became of the letters that were wanted.

    Attributes:
        known: Had been redriven before.
        refused: Too large with the header that is added: ``partition/offset`` of each.
    """

    sent: int
    known: int
    refused: tuple[str, ...]


def letters(settings: Settings, wanted: Wanted) -> Iterator[Letter]:
    """The dead letters there are now, partition by partition in order."""
    for message in _all(settings, DEAD, wanted.places):
        letter = read(message)
        if wanted.matches(letter):
            yield letter


def read(message: Any) -> Letter:
    """A record of the topic of dead letters."""
    headers = record.headers_of(message)
    about = {
        name.removeprefix(ERRORS): (text or b"").decode(errors="replace") for name, text in headers if name.startswith(ERRORS)
    }
    kept = tuple((name, content) for name, content in headers if not name.startswith(ERRORS))
    place = message.partition(), message.offset()
    return Letter(place, message.timestamp()[1], message.key(), message.value(), kept, about)


def redrive(
    settings: Settings, wanted: Wanted, dry: bool = False, progress: Callable[[int], object] = lambda done: None
) -> Redriven:
    """Send the wanted letters back, each once.

    Args:
        dry: Only count.
        progress: Told the number of letters done.

    Raises ConfigError when a topic is missing, DeliveryError when Kafka did not take a batch.
    """
    producer = None if dry else _taken_over(settings)
    known = {dict(record.headers_of(message)).get(FROM) for message in _all(settings, BACK)}
    with record.consumer(settings) as reader:
        router = Router(record.partitions(reader, settings.topic(BACK)))
    found, done, before, refused = letters(settings, wanted), 0, 0, list[str]()
    for batch in batches(found):
        fresh = [letter for letter in batch if letter.name.encode() not in known]
        small = [letter for letter in fresh if size(letter) <= SOURCE_BYTES]
        before += len(batch) - len(fresh)
        refused += [letter.name for letter in fresh if size(letter) > SOURCE_BYTES]
        if producer is not None and small:
            _send(settings, producer, router, small)
        done += len(small)
        progress(done + before + len(refused))
    return Redriven(done, before, tuple(refused))


def batches(found: Iterable[Letter]) -> Iterator[list[Letter]]:
    """The letters in lists of `BATCH`, shorter where they are large."""
    batch, held = list[Letter](), 0
    for letter in found:
        batch.append(letter)
        held += size(letter)
        if len(batch) >= BATCH or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def size(letter: Letter) -> int:
    """Bytes of the record that would be sent back."""
    held = len(letter.key or b"") + len(letter.value or b"")
    return held + sum(len(name) + len(content or b"") + 10 for name, content in _headers(letter))


def _headers(letter: Letter) -> list[tuple[str, bytes]]:
    """The original ones, the place that evidence shall name, and where the letter lay."""
    headers = [(name, content) for name, content in letter.headers if name != FROM]
    if all(name != ORIGIN for name, _ in headers):
        headers.append((ORIGIN, letter.origin.encode()))
    return [*headers, (FROM, letter.name.encode())]


def _taken_over(settings: Settings) -> Producer:
    """The only producer of redrives that this deployment has from now on."""
    producer = Producer(
        {
            **librdkafka(settings),
            "transactional.id": f"{settings.app_id}-redrive",
            "transaction.timeout.ms": int(CALL * 1000),
            "message.max.bytes": SOURCE_BYTES,
            "log_level": 3,
        }
    )
    try:
        producer.init_transactions(CALL)
    except KafkaException as error:
        raise DeliveryError(f"Kafka did not begin the redrive: {error.args[0].str()}") from error
    return producer


def _send(settings: Settings, producer: Producer, router: Router, batch: list[Letter]) -> None:
    topic = settings.topic(BACK)
    try:
        producer.begin_transaction()
        for letter in batch:
            subject = subject_of(dict(letter.headers), letter.value)
            partition = letter.place[0] % router.partitions if subject is None else router.of(subject)
            headers: Any = _headers(letter)
            producer.produce(topic, letter.value, letter.key, partition, headers=headers)
        producer.commit_transaction(CALL)
    except KafkaException as error:
        raise DeliveryError(
            f"Kafka did not take letters {batch[0].name} to {batch[-1].name}: {error.args[0].str()}; start it again"
        ) from error


def _all(settings: Settings, topic: str, places: frozenset[Place] | None = None) -> Iterator[Message]:
    """Committed records of a topic, up to what is there now; with places not those before and after all of them."""
    name = settings.topic(topic)
    with record.consumer(settings) as reader:
        # all bounds before the first record: what dies again while we send is not of this time
        bounds = [record.bounds(reader, name, n, record.Range()) for n in range(record.partitions(reader, name))]
        for partition, (first, end) in enumerate(bounds):
            if places is not None:
                offsets = [offset for number, offset in places if number == partition]
                first, end = max(first, min(offsets, default=end)), min(end, max(offsets, default=-1) + 1)
            yield from record.messages(reader, name, partition, first, end)


def place_of(text: str) -> Place:
    """``partition/offset`` read. Raises ConfigError for anything else.

    >>> place_of("3/17")
    (3, 17)
    """
    partition, slash, offset = text.partition("/")
    if not slash or not partition.isdecimal() or not offset.isdecimal():
        raise ConfigError(f"expected PARTITION/OFFSET of a dead letter, got {text!r}")
    return int(partition), int(offset)
