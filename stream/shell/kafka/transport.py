"""Faust's consumer, made to deliver spans instead of records, and to start where we say.

Rule: framework private hooks are overridden in this file and in `restore_hook` only; the versions are pinned, and a
test on a real broker holds each hook by its effect. What the hooks call is the `Desk`, which knows no Faust.

Why not the stock one: it handles every record by itself (64 us of CPU each), commits past records in flight, drops
acknowledged positions at a rebalance, and reads uncommitted records. All of that is replaced here by chains of
positions (`positions`), by which nothing can be dropped unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, cast

import aiokafka
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream.domain.errors import StateError
from stream.shell.kafka.failstop import stop
from stream.shell.kafka.positions import Committed, Span, journal_start, source_start
from stream.shell.logs import logger

SCHEME = "kairos"
FETCH_WAIT_MS = 100
"""Longest wait of the broker for a record; also how long a seek may wait for the fetch before it."""
IDLE = 0.005
"""Seconds until a fetch looks again, when every partition has enough waiting."""
log = logger(__name__)


class Desk(Protocol):
    """What the consumer needs to know of the worker behind it. All but `full` is called in the main loop."""

    @property
    def journal(self) -> str: ...
    def full(self) -> frozenset[TP]: ...
    def progress(self) -> Mapping[TP, Committed]: ...
    async def start(self) -> None: ...
    def assigned(self, partitions: set[TP]) -> None: ...
    async def revoke(self) -> Mapping[TP, Committed]: ...
    async def stop(self) -> Mapping[TP, Committed]: ...


class Placement(dict[TP, Committed]):
    """Where every assigned partition was put, and the number that spans of these positions carry."""

    epoch: int = 0
    lost: Mapping[TP, int] = {}


class SpanThread(driver.AIOKafkaConsumerThread):
    """The thread with the client in it: reads positions right after each fetch, seeks between fetches."""

    consumer: SpanConsumer
    _at: dict[Any, int]
    _epoch = 0

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        client = super()._create_worker_consumer(transport)
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
        wanted = active - self.consumer.desk.full()
        if not wanted:
            await asyncio.sleep(IDLE)
            return {}
        async with self._between:
            try:
                records = await self._fetch_fairly(consumer, wanted, max_records // 2)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                self._unplaced(error)
                return {}
            except KafkaError as error:
                stop("the fetcher failed", error)
            return self._spans(consumer, records) if self.consumer.flow_active else {}

    async def _fetch_fairly(self, consumer: aiokafka.AIOKafkaConsumer, wanted: set[TP], most: int) -> dict[Any, Any]:
        """What was prefetched of the journal and of the sources, so many each; waits only when there is neither.

        The client hands out prefetched partitions one after the other: a backlog of the sources would hold the journal
        back until all of it is read.
        """
        journal = {tp for tp in wanted if tp.topic == self.consumer.desk.journal}
        records: dict[Any, Any] = {}
        for some in (journal, wanted - journal):
            if some:
                records.update(await super()._fetch_records(consumer, some, 0, most))
        return records or await super()._fetch_records(consumer, wanted, FETCH_WAIT_MS / 1000, most)

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
                found = Span(start, state.position, self._epoch, records.get(tp, ()))
                spans[TP(tp.topic, tp.partition)] = [found]
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
        committed = await client._coordinator.fetch_committed_offsets(assigned)
        begins = await client.beginning_offsets(assigned)
        ends = await client.end_offsets(assigned)
        placement, lost = Placement(), {}
        for client_tp in assigned:
            tp = TP(client_tp.topic, client_tp.partition)
            begin, end = begins[client_tp], ends[client_tp]
            try:
                if tp in journal:
                    placement[tp] = Committed(journal_start(journal[tp], begin, end))
                    continue
                known = committed.get(client_tp)
                start, lost[tp] = source_start(known.offset if known else None, begin, end)
                placement[tp] = Committed(start, known.metadata if known else "")
            except StateError as error:
                raise StateError(f"{tp.topic}/{tp.partition}: {error}") from error
        placement.lost = lost
        return placement

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


class Unread(dict[TP, None]):
    """Read offsets that are never known: the framework would drop or pad by them what the chains account for."""

    def __missing__(self, key: TP) -> None:
        return None

    def __setitem__(self, key: TP, value: Any) -> None: ...


class SpanConsumer(driver.Consumer):
    """Delivers one message per partition and fetch, whose value is a `Span`."""

    _thread: SpanThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.desk: Desk = cast(Any, self.app).desk
        self._read_offset = cast(Any, Unread())
        self._sent: dict[TP, Committed] = {}

    def _new_consumer_thread(self) -> SpanThread:
        return SpanThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        last = record.next - 1
        generation = self.app.consumer_generation_id
        return ConsumerMessage(
            tp.topic, tp.partition, last, 0.0, 0, None, None, record, None, 0, 0, tp, generation_id=generation
        )

    def ack(self, message: Any) -> bool:
        """Only says that the agent has taken the span over; what is done is said by the desk."""
        self._unacked_messages.discard(message)
        message.acked = True
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None: ...

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: a full partition is left out of the next fetch, without the stock pause of a second."""

    async def verify_all_partitions_active(self) -> None:
        """Nothing: our own watchdog looks at positions, the stock one logs false alarms."""

    async def perform_seek(self) -> None:
        """Nothing: positions are set by `place`, once per assignment, before the flow resumes."""

    async def place(self, journal: Mapping[TP, int]) -> Placement:
        """Set the position of every assigned partition; see `SpanThread.place`."""
        self._sent = {}
        return cast(Placement, await self._thread.call_thread(self._thread.place, journal))

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit what the desk says is done and was not committed yet."""
        return await self._commit_positions(self.desk.progress())

    async def _commit_positions(self, positions: Mapping[TP, Committed]) -> bool:
        news = {tp: position for tp, position in positions.items() if self._sent.get(tp) != position}
        if not news or not await self._thread.call_thread(self._thread.commit_marked, news):
            return False
        self._sent.update(news)
        return True

    @property
    def sent(self) -> Mapping[TP, Committed]:
        """Positions committed since the last assignment."""
        return self._sent

    async def on_start(self) -> None:
        """The worker's own connections come up with the consumer's."""
        await super().on_start()
        await self.desk.start()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """The coordinator waits for this, so it must be quick: opening happens in `restore_hook`."""
        self.desk.assigned(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """The coordinator waits for this before it joins again: finish what is in flight, commit it, let go."""
        self.stop_flow()
        await self._commit_positions(await self.desk.revoke())
        await super().on_partitions_revoked(revoked)

    async def on_stop(self) -> None:
        """SIGTERM comes this way; `on_partitions_revoked` is not called."""
        self.stop_flow()
        await self._commit_positions(await self.desk.stop())
        await super().on_stop()


class SpanTransport(driver.Transport):
    """Registered under the URL scheme ``kairos``."""

    Consumer = SpanConsumer


def register() -> None:
    """Let Faust find the transport by its scheme."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:{SpanTransport.__name__}"


__all__ = ["SCHEME", "Desk", "Placement", "SpanConsumer", "SpanTransport", "register"]
