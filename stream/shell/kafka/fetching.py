"""The thread with the client in it: fetches become spans, seeks happen between fetches.

Rule: a position is read right after the fetch that moved it, without an await between, so that spans and positions
agree; see `positions`. Framework and client internals are touched here and in `transport` only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol

import aiokafka
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.domain.native import batches
from stream.shell.kafka import lenient
from stream.shell.kafka.failstop import stop
from stream.shell.kafka.positions import USUAL, Bounds, Committed, Placement, Span, starts
from stream.shell.logs import logger

FETCH_WAIT_MS = 100
"""Longest wait of the broker for a record; also how long a seek may wait for the fetch before it."""
BREATH = 0.002
"""Seconds between two fetches that bring little; without it a trickle is fetched record by record, at 0.5 ms each."""
CRUMBS = 400
"""Records of one fetch that are little."""
RUN = 64
"""Records of a batch that are handed out together."""
FRAMEWORK = logging.getLogger("faust.app")
"""The framework's services log by themselves, under the module of the class: ours must not lend them their names."""
log = logger(__name__)


class Desk(Protocol):
    """What the consumer needs to know of the worker behind it. All but `full` is called in the main loop."""

    @property
    def journal(self) -> str: ...
    @property
    def patience(self) -> float: ...
    def full(self) -> frozenset[TP]: ...
    def progress(self) -> Mapping[TP, Committed]: ...
    async def start(self) -> None: ...
    def assigned(self, partitions: set[TP]) -> None: ...
    async def revoke(self) -> Mapping[TP, Committed]: ...
    async def stop(self) -> Mapping[TP, Committed]: ...


class Run(NamedTuple):
    """Records of one batch that are handed out together. To the client they are one record, whose offset is the last one's.

    Attributes:
        size: Bytes of them, about.
    """

    offset: int
    records: list[Any]
    size: int


class Runs:
    """A batch that hands out runs: for each record that it is given the client does work of its own, at 2 us.

    Args:
        fetched: Says how many records may be handed out now.
    """

    def __init__(self, batch: Any, fetched: Fetched) -> None:
        self._batch, self._fetched = batch, fetched

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """The client looks into a control batch."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Run]:
        run = getattr(self._batch, "run", None) or partial(_run, iter(self._batch))
        while True:
            most = min(RUN, self._fetched.wanted)
            records, size = run(most, most * USUAL)
            if not records:
                return
            yield Run(records[-1].offset, records, size)


def _run(batch: Iterator[Any], most: int, weight: int) -> tuple[list[Any], int]:
    """As a batch in C does it: the next records, at most so many, or until they weigh as many bytes; and their bytes."""
    found: list[Any] = []
    size = 0
    for record in islice(batch, most):
        found.append(record)
        size += len(record.value or b"") + len(record.key or b"")
        if size >= weight:
            break
    # headers are weighed by sample: they cost more to add up than all the rest
    return found, size + len(found) * sum(len(content or b"") for record in found[:1] for _, content in record.headers)


class Fetched:
    """What one fetch brought of one partition, its batches in `Runs`.

    Attributes:
        wanted: How many records the next run may have at most.
    """

    wanted = RUN

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def has_next(self) -> bool:
        """Whether there is another batch."""
        return bool(self._batches.has_next())

    def next_batch(self) -> Runs:
        """The next of them."""
        return Runs(self._batches.next_batch(), self)


class LeanRecords(fetcher.PartitionRecords):
    """Hands out the records as they were parsed, in runs; the client would copy each into an object of its own, at 2 us.

    Nothing in here may know itself: a fetch's bytes would stay until garbage is collected, which is rarely.
    """

    next_fetch_offset: int

    def __init__(self, tp: Any, records: Any, *rest: Any) -> None:
        self.fetched = Fetched(records)
        super().__init__(tp, self.fetched, *rest)

    def _consumer_record(self, tp: Any, run: Run) -> Run:
        """Of a compressed batch the broker sends all, also what lies before the position asked for."""
        if run.records[0].offset >= self.next_fetch_offset:
            return run
        return run._replace(records=[record for record in run.records if record.offset >= self.next_fetch_offset])


class Found(list[Any]):
    """Records of one partition and fetch.

    Attributes:
        size: Bytes of them, about.
    """

    size = 0


class LeanResult(fetcher.FetchResult):
    """Stops at so many bytes, too: what is compressed well may be a thousand times as large in memory."""

    _partition_records: Any

    def getall(self, max_records: int) -> Found:
        """The next records, at most so many, or about as many bytes as so many of the usual size have; at least one."""
        found, records = Found(), self._partition_records
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return found
        while len(found) < max_records and found.size < max_records * USUAL:
            records.fetched.wanted = max_records - len(found)
            run = next(records, None)
            if run is None:
                self._partition_records = None
                break
            found += run.records
            found.size += run.size
        self._assignment.state_value(self._topic_partition).consumed_to(records.next_fetch_offset)
        return found


NOTHING = Found()


class SpanThread(driver.AIOKafkaConsumerThread):
    """The thread with the client in it: reads positions right after each fetch, seeks between fetches."""

    logger = FRAMEWORK
    consumer: Any
    _at: dict[Any, int]
    _epoch = 0
    _rest = BREATH

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        client = super()._create_worker_consumer(transport)
        # the fetcher makes its own by these names; there is no setting for it
        fetcher.PartitionRecords = LeanRecords
        fetcher.FetchResult = LeanResult
        native = batches()
        fetcher.MemoryRecords = lenient.Batches if native is None else native.Batches
        # read by AIOKafkaConsumer.start(); the framework has no settings for them
        client._isolation_level = "read_committed"
        client._fetch_max_wait_ms = FETCH_WAIT_MS
        client._auto_offset_reset = "none"
        self._at = {}
        self._between = asyncio.Lock()
        return client

    async def _fetch_records(
        self, consumer: aiokafka.AIOKafkaConsumer, active: set[TP], timeout: float | None = None, max_records: Any = None
    ) -> dict[TP, list[Span]]:
        await asyncio.sleep(self._rest)
        wanted = active - self.consumer.desk.full()
        if not wanted:
            # nothing may be taken: not asked again at once
            self._rest = BREATH
            return {}
        async with self._between:
            # filled step by step: what one step brought must not be forgotten when the next one fails
            records: dict[Any, Any] = {}
            try:
                await self._fetch_fairly(consumer, wanted, max_records // 2, records)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                self._unplaced(error)
            except KafkaError as error:
                stop("the fetcher failed", error)
            self._rest = BREATH if sum(map(len, records.values())) < CRUMBS else 0.0
            return self._spans(consumer, records) if self.consumer.flow_active else {}

    async def _fetch_fairly(self, consumer: Any, wanted: set[TP], most: int, into: dict[Any, Any]) -> None:
        """What was prefetched of the journal and of the sources, so many each; waits only when there is neither.

        The client hands out prefetched partitions one after the other: a backlog of the sources would hold the journal
        back until all of it is read.
        """
        journal = {tp for tp in wanted if tp.topic == self.consumer.desk.journal}
        for some in (journal, wanted - journal):
            if some:
                into.update(await super()._fetch_records(consumer, some, 0, most))
        if not into:
            into.update(await super()._fetch_records(consumer, wanted, FETCH_WAIT_MS / 1000, most))

    def _spans(self, consumer: aiokafka.AIOKafkaConsumer, records: Mapping[Any, Any]) -> dict[TP, list[Span]]:
        """What lies between the positions of the last fetch and now. No await: positions and records agree."""
        subscription = consumer._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return {}
        spans = {}
        for tp, start in self._at.items():
            if tp not in subscription.assignment.tps:
                continue
            state = subscription.assignment.state_value(tp)
            if state.has_valid_position and state.position != start:
                found = records.get(tp, NOTHING)
                spans[TP(tp.topic, tp.partition)] = [Span(start, state.position, self._epoch, found, found.size)]
                self._at[tp] = state.position
        return spans

    def _unplaced(self, error: KafkaError) -> None:
        """Before a seek a partition may have no position; after it, retention took what was not read yet."""
        faulty = error.args[0] if isinstance(error, OffsetOutOfRangeError) else {}
        for tp, offset in faulty.items():
            if self._at.get(tp) == offset:
                stop(
                    "retention took records before they were read", error, topic=tp.topic, partition=tp.partition, offset=offset
                )

    async def place(self, journal: Mapping[TP, int]) -> Placement:
        """Seek every assigned partition: the journal's as given, sources to the group's commit. In this thread.

        Raises StateError when a position does not exist in its topic.
        """
        client = self._ensure_consumer()
        async with self._between:
            self._epoch += 1
            self._at = {}
            assigned = list(client.assignment())
            placement = await self._starts(client, assigned, journal)
            placement.epoch = self._epoch
            for tp in assigned:
                offset = placement[TP(tp.topic, tp.partition)].offset
                client.seek(tp, offset)
                self._at[tp] = offset
        return placement

    async def _starts(self, client: Any, assigned: list[Any], journal: Mapping[TP, int]) -> Placement:
        if not assigned:
            return Placement()
        known = await client._coordinator.fetch_committed_offsets(assigned)
        begins = await client.beginning_offsets(assigned)
        ends = await client.end_offsets(assigned)
        bounds = {TP(tp.topic, tp.partition): Bounds(begins[tp], ends[tp]) for tp in assigned}
        committed = {TP(tp.topic, tp.partition): Committed(at.offset, at.metadata) for tp, at in known.items()}
        return starts(bounds, committed, journal)

    async def commit_marked(self, positions: Mapping[TP, Committed]) -> bool:
        """Commit positions with their metadata; False when the group would not have them now. In this thread."""
        client = self._ensure_consumer()
        own = client.assignment()
        offsets = {
            aiokafka.TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(position.offset, position.metadata)
            for tp, position in positions.items()
        }
        offsets = {tp: position for tp, position in offsets.items() if tp in own}
        if not offsets:
            return False
        try:
            await client.commit(offsets)
        except KafkaError as error:
            log.warning("positions not committed", error=type(error).__name__, count=len(offsets))
            return False
        return True
