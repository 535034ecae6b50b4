"""Source topics to the journal: one pump per worker takes what waits, writes it, waits for it, and only then moves on.

Delivery: every source record is in the journal at least once, in source order per journal partition. Positions are
committed after the acknowledgement, so a crash repeats records and never skips one; any error ends the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from faust.types import TP

from stream.domain.days import NEVER
from stream.domain.events import Order
from stream.shell.kafka.failstop import ended, guarded
from stream.shell.kafka.journal import Journal
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.positions import Committed, Inbox, Mark, rest
from stream.shell.kafka.proofs import BrokerClock
from stream.shell.kafka.stamping import JournalRecord, Router, Stamper, Tick
from stream.shell.kafka.telemetry import Telemetry
from stream.shell.kafka.world import World

AHEAD = 4
"""Rounds that may wait, all partitions together."""
ROUND = 8000
"""Records of one round over all partitions: some 50 ms of work, during which the event loop does nothing else."""
STEP = 100
"""Records that are taken of one partition at a time."""


class Brought(NamedTuple):
    """What one round took of one source partition: the position after it, how many records, the oldest timestamp of them."""

    position: int
    records: int
    oldest: int


NOTHING = Brought(0, 0, NEVER)


class SourcePartition:
    """One assigned source partition.

    Attributes:
        done: What may be committed: everything before it is acknowledged in the journal.
    """

    def __init__(self, inbox: Inbox, stamper: Stamper) -> None:
        self.inbox = inbox
        self.stamper = stamper
        self.reached(inbox.expected)

    def reached(self, position: int) -> None:
        """All that was stamped so far is acknowledged; it ends at this position."""
        recorded = self.stamper.source.order is Order.RECORDED
        self.done = Committed(position, str(self.stamper.mark) if recorded else "")


class Ingest:
    """The pump and the source partitions it serves.

    Attributes:
        clock: The broker's time, as the acknowledgements of the journal tell it.
    """

    def __init__(self, world: World, plan: Plan, telemetry: Telemetry) -> None:
        self._world = world
        self._plan = plan
        self._telemetry = telemetry
        self._journal = Journal(world, plan)
        self.clock = BrokerClock()
        self._router = Router(plan.partitions)
        self._sources = {source.topic: source for source in plan.sources}
        self._ready = asyncio.Event()
        self._round = asyncio.Lock()
        self._tick: Tick | None = None
        self._task: asyncio.Task[None] | None = None
        self.partitions: dict[TP, SourcePartition] = {}

    async def start(self) -> None:
        """Connect and begin to pump."""
        await self._journal.open()
        self._task = guarded(self._pump(), "ingest")

    async def stop(self) -> None:
        """End; a round in flight is waited for first."""
        async with self._round:
            await ended(self._task)
        await self._journal.close()

    def assign(self, starts: Mapping[TP, Committed], epoch: int) -> None:
        """Begin at these positions."""
        most = max(STEP, ROUND * AHEAD // max(1, len(starts)))
        for tp, start in starts.items():
            inbox = Inbox(start.offset, epoch, most, self._ready)
            stamper = Stamper(self._sources[tp.topic], tp.partition, self._router, Mark.parse(start.metadata))
            self.partitions[tp] = SourcePartition(inbox, stamper)

    def progress(self) -> dict[TP, Committed]:
        """What may be committed now."""
        return {tp: partition.done for tp, partition in self.partitions.items()}

    async def revoke(self) -> dict[TP, Committed]:
        """Give all partitions up; what may be committed of them once the round in flight is acknowledged."""
        async with self._round:
            reached = self.progress()
            self.partitions = {}
        return reached

    def tick(self, tick: Tick) -> None:
        """Write this tick into every journal partition with the next round; a later one replaces it."""
        self._tick = tick
        self._ready.set()

    async def _pump(self) -> None:
        while True:
            await self._ready.wait()
            async with self._round:
                self._ready.clear()
                began = self._world.steady()
                await self._write_round()
                took = self._world.steady() - began
            waiting = sum(len(partition.inbox) for partition in self.partitions.values())
            await asyncio.sleep(rest(took, waiting, self._plan.chunk))

    async def _write_round(self) -> None:
        parts: dict[int, list[JournalRecord]] = self._tick_first()
        reached = self._stamp_round(parts)
        began = self._world.steady()
        if parts:
            self.clock.heard(await self._journal.write(parts), self._world.steady())
        seconds = self._world.steady() - began
        for partition, (position, records, oldest) in reached.items():
            partition.reached(position)
            if records:
                self._telemetry.ingested(partition.stamper.source.logical, records, oldest)
        if parts:
            self._telemetry.round(sum(map(len, parts.values())), seconds)

    def _stamp_round(self, parts: dict[int, list[JournalRecord]]) -> dict[SourcePartition, Brought]:
        """Stamp what one round takes, step by step: always of the partition that is furthest behind.

        Behind is who has the least recorded time in an old log, else who brought the least. Were partitions of an old log
        read as they come, the small ones would be through when the large ones have hardly begun, and all that they brought
        would wait in rows for the proof of the least T.
        """
        reached: dict[SourcePartition, Brought] = {}
        waiting = [partition for partition in self.partitions.values() if partition.inbox.waiting]
        room = ROUND
        while waiting and room > 0:
            partition = min(waiting, key=lambda one: (one.stamper.mark.recorded or 0, reached.get(one, NOTHING).records))
            taken = partition.inbox.take(STEP)
            partition.stamper.stamp(taken.records, parts)
            so_far = reached.get(partition, NOTHING)
            oldest = min([record.timestamp for record in taken.records], default=so_far.oldest)
            reached[partition] = Brought(taken.next, so_far.records + len(taken.records), min(so_far.oldest, oldest))
            room -= len(taken.records)
            if not partition.inbox.waiting:
                waiting.remove(partition)
        if waiting:
            self._ready.set()
        return reached

    def _tick_first(self) -> dict[int, list[JournalRecord]]:
        tick, self._tick = self._tick, None
        if tick is None:
            return {}
        self._telemetry.ticked(tick.clock)
        return {partition: [tick.record()] for partition in range(self._plan.partitions)}
