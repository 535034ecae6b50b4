"""What this process owns now, and what happens when that changes.

Rule: an assignment is opened (fence, restore, place) outside the rebalance callback, since nobody could join while it
lasts; it is void as soon as the next revocation has begun, which the epoch tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from stream.shell.kafka.decide import Decide, JournalPartition
from stream.shell.kafka.failstop import ended, guarded, stop
from stream.shell.kafka.ingest import Ingest
from stream.shell.kafka.offsets import Offsets, flat
from stream.shell.kafka.plan import PartitionFactory, Plan
from stream.shell.kafka.positions import Committed, Inbox, Placement, decided, demand_decided
from stream.shell.kafka.telemetry import Telemetry
from stream.shell.kafka.ticks import Ticks
from stream.shell.kafka.watchdog import Heartbeat, Moved, Waiting, Watchdog
from stream.shell.kafka.world import World
from stream.shell.logs import logger

PATIENCE, QUESTION, RETRY = 15.0, 5.0, 0.5
"""Seconds that an opening asks where the sources end; that one question may take; between two."""
log = logger(__name__)
NOBODY: frozenset[TP] = frozenset()


class Worker:
    """Ties ingest, decide and ticks to the assignment. The consumer and the agents call it; it knows no agent."""

    def __init__(self, world: World, plan: Plan, factory: PartitionFactory, telemetry: Telemetry) -> None:
        self._world = world
        self._plan = plan
        self._telemetry = telemetry
        self._offsets = Offsets(world, plan)
        self.ingest = Ingest(world, plan, telemetry)
        self.decide = Decide(world, plan, factory, telemetry)
        self._tasks: list[asyncio.Task[None]] = []
        self._opening: asyncio.Future[Any] | None = None
        self._epoch = 0
        self._wanted: tuple[int, set[TP]] | None = None
        self._live = False
        self.consumer: Any = None

    @property
    def journal(self) -> str:
        """Name of the journal on the cluster."""
        return self._plan.journal

    @property
    def patience(self) -> float:
        """Seconds that may pass without progress."""
        return self._plan.stuck_after

    # The assignment

    async def start(self) -> None:
        """Connect, and begin what does not depend on an assignment."""
        self._telemetry.state("starting")
        await asyncio.gather(self.ingest.start(), self._offsets.open())
        ticks = Ticks(self._world, self._plan, self._offsets, self.ingest.clock, self._owns_ticks, self.ingest.tick)
        watchdog = Watchdog(self._world, self._plan, self._offsets, self._telemetry, self._moving, self._logical)
        heartbeat = Heartbeat(self._world, self._plan.stuck_after, self._telemetry, self._buffered, self._queued)
        self._tasks = [
            guarded(ticks.run(), "ticks"),
            guarded(watchdog.run(), "watchdog"),
            guarded(heartbeat.run(), "heartbeat"),
        ]

    def assigned(self, partitions: set[TP]) -> None:
        """These partitions may be opened."""
        self._wanted = (self._epoch, set(partitions))

    async def open(self) -> bool:
        """Open what was assigned last; False when it was revoked again meanwhile."""
        wanted = self._wanted
        if wanted is None or wanted[0] != self._epoch:
            return False
        self._opening = asyncio.ensure_future(self._open(*wanted))
        try:
            return await asyncio.shield(self._opening)
        finally:
            self._opening = None

    async def _open(self, epoch: int, partitions: set[TP]) -> bool:
        journal = sorted(tp.partition for tp in partitions if tp.topic == self.journal)
        self._telemetry.state("restoring")
        try:
            opened = await self.decide.open(journal, lambda: self._epoch == epoch)
            await self._demand_sources(epoch, opened)
            placement = await self._place(epoch, {n: one.applied for n, one in opened.items()})
        except Exception as error:
            stop("the assignment could not be opened", error, partitions=[str(n) for n in journal])
        if placement is None:
            await self.decide.abandon(opened)
            return False
        self._say_lost(placement)
        sources = {tp: start for tp, start in placement.items() if tp.topic != self.journal}
        self.ingest.assign(sources, placement.epoch)
        self.decide.begin(opened, placement, placement.epoch)
        self._live = True
        self._telemetry.assigned(len(opened), len(sources))
        self._telemetry.state("running")
        log.info("assignment opened", partitions=[str(n) for n in journal], count=len(sources), epoch=epoch)
        return True

    async def _place(self, epoch: int, offsets: Mapping[int, int]) -> Placement | None:
        """Seek; None when the assignment is void."""
        if self._epoch != epoch:
            return None
        try:
            placement: Placement = await self.consumer.place({TP(self.journal, n): at for n, at in offsets.items()})
        except Exception:
            # what was assigned may be gone in the middle of it
            if self._epoch != epoch:
                return None
            raise
        return placement if self._epoch == epoch else None

    async def _demand_sources(self, epoch: int, opened: Mapping[int, JournalPartition]) -> None:
        """Who has a ledger asks, whoever reads the source. Raises StateError where one ends before what was decided.

        When nobody answers it goes on: this is seldom wrong, and what a worker reads itself is looked at when it is placed.
        """
        known = decided(self._plan.sources, [one.partition.high for one in opened.values()])
        topics, until = sorted({tp.topic for tp in known}), self._world.steady() + PATIENCE
        while known and self._epoch == epoch and self._world.steady() < until:
            try:
                async with asyncio.timeout(QUESTION):
                    there = await self._offsets.partitions(topics)
                    ends = await self._offsets.ends(known.keys() & set(there))
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("sources not looked at", error=type(error).__name__)
                await asyncio.sleep(RETRY)
            else:
                demand_decided(known, flat(ends))
                return

    def _say_lost(self, placement: Placement) -> None:
        for tp, records in placement.lost.items():
            if records:
                log.error("retention took unread records", topic=tp.topic, partition=tp.partition, records=records)
                self._telemetry.lost(self._logical(tp.topic), tp.partition, records)

    async def revoke(self) -> Mapping[TP, Committed]:
        """Finish what is in flight, let everything go; what is done, for a last commit."""
        self._epoch += 1
        self._live = False
        self._telemetry.state("rebalancing")
        if self._opening is not None:
            await asyncio.wait([self._opening])
        sources, journal = await asyncio.gather(self.ingest.revoke(), self.decide.revoke())
        self._telemetry.assigned(0, 0)
        return {**sources, **journal}

    async def stop(self) -> Mapping[TP, Committed]:
        """The same at the end of the process; connections are closed, too."""
        reached = await self.revoke()
        self._telemetry.state("stopping")
        await ended(*self._tasks)
        await asyncio.gather(self.ingest.stop(), self._offsets.close())
        return reached

    # Records

    async def put(self, tp: TP, span: Any) -> None:
        """Hand a span over to its partition; void ones are dropped, a broken chain ends the worker."""
        inbox = self._inbox(tp)
        if inbox is None:
            return
        try:
            inbox.put(span)
        except Exception as error:
            stop("records were dropped before they came here", error, topic=tp.topic, partition=tp.partition)

    def _inbox(self, tp: TP) -> Inbox | None:
        if tp.topic == self.journal:
            one = self.decide.partitions.get(tp.partition)
            return None if one is None or one.closing else one.inbox
        source = self.ingest.partitions.get(tp)
        return None if source is None else source.inbox

    def full(self) -> frozenset[TP]:
        """Partitions with enough waiting. Called from the consumer's thread: reads only, copies first."""
        full = [tp for tp, one in list(self.ingest.partitions.items()) if one.inbox.full]
        full += [TP(self.journal, n) for n, one in list(self.decide.partitions.items()) if one.inbox and one.inbox.full]
        return frozenset(full) if full else NOBODY

    # What others ask

    def progress(self) -> dict[TP, Committed]:
        """What may be committed now."""
        return {**self.ingest.progress(), **self.decide.progress()}

    def _moving(self) -> dict[TP, Moved]:
        """Progress as the watchdog sees it: commits of sources, decisions of the journal."""
        if not self._live:
            return {}
        sent = self.consumer.sent
        moving = {tp: Moved(sent[tp].offset if tp in sent else 0) for tp in self.ingest.partitions}
        for number, one in self.decide.partitions.items():
            moving[TP(self.journal, number)] = Moved(one.applied, one.decided)
        return moving

    def _owns_ticks(self) -> bool:
        return self._live and 0 in self.decide.partitions

    def _logical(self, topic: str) -> str:
        return topic.removeprefix(self._plan.topic_prefix)

    def _buffered(self) -> dict[str, Waiting]:
        ingest = [one.inbox for one in self.ingest.partitions.values()]
        decide = [one.inbox for one in self.decide.partitions.values() if one.inbox is not None]
        return {"ingest": _waiting(ingest), "decide": _waiting(decide)}

    def _queued(self) -> int:
        return sum(one.sink.queued for one in self.decide.partitions.values())


def _waiting(inboxes: list[Inbox]) -> Waiting:
    return Waiting(sum(map(len, inboxes)), max((inbox.fill for inbox in inboxes), default=0.0))
