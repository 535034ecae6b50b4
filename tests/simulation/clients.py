"""The clients that a worker uses, on the simulated broker: librdkafka's transactional producer, aiokafka's others.

Rule: they answer what the real ones answer, errors included, as far as the worker uses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import RequestTimedOutError
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import KafkaError, KafkaException
from faust.types import TP

from tests.simulation.broker import Entry, FencedError, Log
from tests.simulation.loop import suspended
from tests.simulation.network import Connection, Network

FENCED = KafkaError(KafkaError._FENCED, "another producer has this transactional id", True, False, False)
FAILED = KafkaError(KafkaError._MSG_TIMED_OUT, "not delivered", False, False, True)
LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large", False, False, False)
ABORTABLE = KafkaError(KafkaError.INVALID_TXN_STATE, "to be aborted", False, False, True)
INCOMPLETE = KafkaError(KafkaError._INCONSISTENT, "records failed", False, False, True)
OVERSIZE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "a record failed as too large", False, False, True)
SLOW = KafkaError(KafkaError._TIMED_OUT, "no answer yet", False, True, False)
TAKEN = 2 * 1024 * 1024
"""Bytes of the largest batch that our topics take."""
BATCH = 4
"""Records of a batch: few, so that several are on the way at once."""
STEP = 0.5
"""Seconds between two looks of a reader when nothing is new."""


class Written(NamedTuple):
    """A delivered message, as a delivery report names it."""

    at: int

    def offset(self) -> int:
        return self.at


class Transactional:
    """Librdkafka's producer with a transactional id. Blocks, so it lives in simulated threads."""

    def __init__(self, network: Network, options: dict[str, Any]) -> None:
        self._network = network
        self._main = network.connection()
        self._nodes: dict[Log, Connection] = {}
        self._state = network.broker.coordinator(options["transactional.id"])
        self._timeout = options["transaction.timeout.ms"] / 1000
        self._epoch = -1
        self._waiting: dict[Log, list[tuple[tuple[Any, ...], Callable[..., None]]]] = {}
        self._fatal = False
        self._committing = False
        self._failed: KafkaError | None = None

    def list_topics(self, timeout: float) -> None:
        """Metadata, of which nothing is used."""
        self._wait(self._main.ask(lambda: None))

    def init_transactions(self, timeout: float) -> None:
        """Take the id over."""
        self._epoch = self._wait(self._main.ask(self._state.init, coordinator=True))
        self._settled()

    def begin_transaction(self) -> None:
        """Begin; nothing is asked of the broker."""
        self._living()
        self._waiting = {}
        self._committing = False
        self._failed = None

    def produce(
        self,
        topic: str,
        value: Any,
        key: Any,
        partition: int,
        headers: Any = (),
        on_delivery: Callable[..., None] | None = None,
    ) -> None:
        """Queue a record."""
        log = self._network.broker.log(topic, partition)
        self._waiting.setdefault(log, []).append(((key, value, list(headers or ())), on_delivery or _nobody))

    def produce_batch(
        self, topic: str, rows: list[dict[str, Any]], partition: int, on_delivery: Callable[..., None] | None
    ) -> int:
        """Queue records with callbacks of their own, or the common one."""
        for row in rows:
            self.produce(topic, row["value"], row["key"], partition, (), row.get("callback", on_delivery))
        return len(rows)

    def __len__(self) -> int:
        """Records that were not sent."""
        return sum(map(len, self._waiting.values()))

    def flush(self, timeout: float) -> int:
        """Send what is queued, batch by batch, and wait for the acknowledgements; how many are missing then."""
        self._living()
        self._settled()
        trouble, waiting, self._waiting = self._network.trouble, self._waiting, {}
        for log, queued in waiting.items():
            node = self._nodes.setdefault(log, self._network.connection())
            for first in range(0, len(queued), BATCH):
                batch = queued[first : first + BATCH]
                records = [record for record, _ in batch]
                large = any(len(value or b"") > TAKEN for _, value, _ in records)
                if large or trouble.take("refuse"):
                    self._failed = OVERSIZE if large else INCOMPLETE
                    for _, report in batch:
                        report(LARGE if large else FAILED, Written(-1001))
                    return 0
                ask = node.ask(lambda log=log, records=records: self._write(log, records), acknowledged=True)  # type: ignore[misc]
                for offset, (_, report) in zip(self._wait(ask), batch, strict=True):
                    report(None, Written(offset))
        return 0

    def commit_transaction(self, timeout: float) -> None:
        """Commit. Asked again after it took too long, it goes on with the same commit."""
        self._living()
        trouble = self._network.trouble
        if self._failed is not None:
            raise KafkaException(self._failed)
        if trouble.take("unknown"):
            self._wait(self._main.ask(lambda: self._state.end(self._epoch, True), coordinator=True))
            raise KafkaException(KafkaError(KafkaError._STATE, "who knows", False, False, False))
        if not self._committing and trouble.take("refuse"):
            raise KafkaException(ABORTABLE)
        self._committing = True
        if trouble.take("slow_commits"):
            if self._network.broker.random.random() < 0.5:
                self._wait(self._main.ask(lambda: self._state.end(self._epoch, True), coordinator=True))
            raise KafkaException(SLOW)
        self._wait(self._main.ask(lambda: self._state.end(self._epoch, True), acknowledged=True, coordinator=True))

    def abort_transaction(self, timeout: float) -> None:
        """Abort."""
        self._living()
        self._waiting = {}
        self._wait(self._main.ask(lambda: self._state.end(self._epoch, False), coordinator=True))

    def close(self) -> None:
        """Disconnect; what is open stays open."""
        self._fatal = True

    def _write(self, log: Log, records: list[tuple[Any, ...]]) -> list[int]:
        return self._state.write(self._epoch, self._timeout, log, records)

    def _settled(self) -> None:
        """Until the markers of the last transaction are written, which its commit does not wait for; the next one does."""
        ending = self._state.ending
        if ending is not None and not ending.done():
            self._wait(asyncio.wait([ending]))

    def _living(self) -> None:
        if self._fatal:
            raise KafkaException(FENCED)

    def _wait(self, what: Coroutine[Any, Any, Any]) -> Any:
        try:
            return suspended(what)
        except FencedError as error:
            self._fatal = True
            raise KafkaException(FENCED) from error


def _nobody(fault: Any, message: Any) -> None: ...


class Batch:
    """Records that go to a partition together."""

    def __init__(self) -> None:
        self.records: list[tuple[Any, ...]] = []

    def append(self, timestamp: Any, key: Any, value: Any, headers: Any) -> Any:
        """Add one; None when it is full."""
        if len(self.records) >= BATCH:
            return None
        self.records.append((key, value, list(headers)))
        return len(self.records)

    def size(self) -> int:
        """Bytes, roughly."""
        return sum(len(value or b"") + 100 for _, value, _ in self.records)

    def close(self) -> None:
        """Nothing is added any more."""


class Appended(NamedTuple):
    """An acknowledged batch: the broker's time, as topics of LogAppendTime have it."""

    timestamp: int


class Idempotent:
    """Aiokafka's producer with idempotence: batches of a partition in order, each once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: dict[Log, Connection] = {}

    async def start(self) -> None:
        """Connect."""
        await self._network.connection().ask(lambda: None)

    async def stop(self) -> None:
        """Disconnect."""

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, partition: int) -> asyncio.Future[Any]:
        """Hand a batch over; the future is its acknowledgement."""
        return asyncio.ensure_future(self._send(batch.records, self._network.broker.log(topic, partition)))

    async def _send(self, records: Sequence[tuple[Any, ...]], log: Log) -> Appended:
        node = self._nodes.setdefault(log, self._network.connection())
        if self._network.trouble.take("unsure"):
            if self._network.broker.random.random() < 0.5:
                await node.ask(lambda: self._append(log, records))
            # later batches would leave a gap in the sequence, which the broker refuses
            node.cut()
            raise RequestTimedOutError
        return await node.ask(lambda: self._append(log, records), acknowledged=True)  # type: ignore[no-any-return]

    def _append(self, log: Log, records: Sequence[tuple[Any, ...]]) -> Appended:
        for record in records:
            log.append(*record)
        return Appended(self._network.broker.utc())


class Reader:
    """Aiokafka's consumer without a group."""

    def __init__(self, network: Network, committed: bool) -> None:
        self._network, self._committed = network, committed
        self._connection = network.connection()
        self._at: dict[Any, int] = {}

    async def start(self) -> None:
        """Connect."""
        await self._connection.ask(lambda: None)

    async def stop(self) -> None:
        """Disconnect."""

    def assign(self, tps: list[Any]) -> None:
        """Read these."""
        self._at = dict.fromkeys(tps, 0)

    def seek(self, tp: Any, offset: int) -> None:
        """Read on from here."""
        self._at[tp] = offset

    async def position(self, tp: Any) -> int:
        """The next offset to read."""
        return self._at[tp]

    async def end_offsets(self, tps: Any) -> dict[Any, int]:
        """High watermarks, or stable ends for a reader of committed records."""
        asked = list(tps)
        return await self._connection.ask(lambda: {tp: self._end(self._log(tp)) for tp in asked})  # type: ignore[no-any-return]

    async def beginning_offsets(self, tps: Any) -> dict[Any, int]:
        """What retention has left."""
        asked = list(tps)
        return await self._connection.ask(lambda: {tp: self._log(tp).begin for tp in asked})  # type: ignore[no-any-return]

    async def getmany(self, *tps: Any, timeout_ms: int = 0) -> dict[Any, list[Entry]]:
        """What there is; waits when there is nothing."""
        deadline = self._network.broker.loop.time() + timeout_ms / 1000
        while True:
            news = self._network.broker.news()
            found = await self._connection.ask(lambda: {tp: self._fetched(tp) for tp in tps})
            moved = False
            records = {}
            for tp, (some, position) in found.items():
                moved |= position != self._at[tp]
                self._at[tp] = position
                if some:
                    records[tp] = some
            left = deadline - self._network.broker.loop.time()
            if moved or left <= 0:
                return records
            await asyncio.wait([news], timeout=left)

    def _fetched(self, tp: Any) -> tuple[list[Entry], int]:
        log = self._log(tp)
        return log.read(max(self._at[tp], log.begin), 50, self._committed)

    def _log(self, tp: Any) -> Log:
        return self._network.broker.log(tp.topic, tp.partition)

    def _end(self, log: Log) -> int:
        return log.stable if self._committed else log.end


class Admin:
    """Aiokafka's admin client."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._connection = network.connection()

    async def start(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    async def describe_topics(self, topics: list[str]) -> Any:
        """Partitions of topics."""
        await self._sight()
        return await self._connection.ask(lambda: [self._described(topic) for topic in topics])

    def _described(self, topic: str) -> dict[str, Any]:
        return {"topic": topic, "partitions": [{"partition": n} for n in range(len(self._network.broker.topics[topic]))]}

    async def _sight(self) -> None:
        """Whoever is blind learns nothing for a while."""
        await asyncio.sleep(max(0.0, self._network.trouble.blind - self._network.broker.loop.time()))

    async def find_coordinator(self, group: str) -> int:
        """The only node."""
        return 1

    async def list_consumer_group_offsets(self, group: str, coordinator: int) -> dict[Any, OffsetAndMetadata]:
        """Committed positions."""
        await self._sight()
        offsets = self._network.group.offsets
        return await self._connection.ask(lambda: {_client(tp): OffsetAndMetadata(*at) for tp, at in offsets.items()})  # type: ignore[no-any-return]


def _client(tp: TP) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition)
