"""Samples the sources on every worker; the owner of journal partition 0 turns proofs into ticks.

Rule: a tick is a proof (see `proofs`). Every worker keeps samples, so that a new owner need not begin afresh. Old or
doubled ticks, as a woken zombie writes them, do no harm: the largest T per source counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka.errors import KafkaError

from stream.domain.events import Order
from stream.shell.kafka.offsets import ByPartition, Offsets
from stream.shell.kafka.plan import Plan, SourceTopic
from stream.shell.kafka.positions import Committed, Mark
from stream.shell.kafka.proofs import BrokerClock, Quiet, RecordedClock, WallClock, journaled
from stream.shell.kafka.stamping import Tick
from stream.shell.kafka.world import World
from stream.shell.logs import logger

IDLE_RHYTHM = 5
"""Workers that write no ticks look at the commits with every fifth sample only: often enough to thin the history."""
log = logger(__name__)


class SourceClock:
    """What is known about the time of one source."""

    def __init__(self, source: SourceTopic, idle_after: float) -> None:
        self.source = source
        self.wall = WallClock()
        self.recorded = RecordedClock()
        self.quiet = Quiet(idle_after)
        self.idle = False
        self.time: int | None = None
        self._overtaken: frozenset[int] = frozenset()

    def look(self, now: float, ends: dict[int, int], committed: dict[int, Committed], begins: dict[int, int]) -> None:
        """Draw the conclusions of one sample; ``now`` in seconds of a steady clock."""
        found = journaled(committed, begins)
        # the ends were asked after the commits: a position that lies beyond its end is of a topic that was there before
        positions = {p: at for p, at in found.items() if at <= ends.get(p, 0)}
        self.idle = self.quiet.idle(now, positions, ends)
        if self.source.order is Order.RECORDED:
            told = {p: committed[p].metadata for p in positions if p in committed}
            marks = {p: Mark.parse(told.get(p, "")) for p in ends}
            self._say_overtaken(marks)
            self.time = self.recorded.proven(marks)
        else:
            self.time = self.wall.proven(positions)

    def _say_overtaken(self, marks: dict[int, Mark]) -> None:
        """Once for each partition: nothing can be taken back, but deadlines may have fired too early."""
        overtaken = self.recorded.overtaken(marks)
        for number in sorted(overtaken - self._overtaken):
            log.error(
                "an old log went on before what was proven of it",
                topic=self.source.topic,
                partition=number,
                recorded=marks[number].recorded,
                watermark=self.time,
            )
        self._overtaken |= overtaken


class Ticks:
    """Sampler and tick writer.

    Args:
        clock: The broker's time. When it is needed and has not been heard for a while, a tick is written that says
            nothing new, for the sake of its acknowledgement; so is a first one.
        owner: Whether this worker owns journal partition 0 and is live.
        write: Takes the tick into the next ingest round.
    """

    def __init__(
        self,
        world: World,
        plan: Plan,
        offsets: Offsets,
        clock: BrokerClock,
        owner: Callable[[], bool],
        write: Callable[[Tick], None],
    ) -> None:
        self._world = world
        self._plan = plan
        self._offsets = offsets
        self._clock = clock
        self._owner = owner
        self._write = write
        self._clocks = {source.topic: SourceClock(source, plan.idle_after) for source in plan.sources}
        self._timed = any(source.order is Order.WALL for source in plan.sources)
        self._due = 0.0
        self._last: Tick | None = None

    async def run(self) -> None:
        """Sample for ever. A broker that does not answer costs samples, not the worker."""
        number = 0
        while True:
            number += 1
            try:
                owner = self._owner()
                await self._sample(owner or number % IDLE_RHYTHM == 0)
                if owner and self._owner():
                    self._maybe_write()
                elif not owner:
                    self._last = None
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("sources not sampled", error=type(error).__name__)
            await asyncio.sleep(self._plan.sample_interval)

    async def _sample(self, conclude: bool) -> None:
        """Commits first, the clock, then the partitions, then their ends.

        So the ends are those of this instant or later, and there is no partition unknown in which an old log began before
        what its commits say of the others.
        """
        committed = await self._offsets.committed() if conclude else {}
        at = self._clock.now(self._world.steady())
        tps = await self._offsets.partitions(list(self._clocks))
        ends = await self._offsets.ends(tps)
        if at is not None:
            for topic, of_topic in ends.items():
                self._clocks[topic].wall.sample(at - self._plan.tick_margin, of_topic)
        if not conclude:
            return
        behind = [tp for tp in tps if _position(committed, tp.topic, tp.partition) < ends[tp.topic][tp.partition]]
        begins: ByPartition = await self._offsets.begins(behind) if behind else {}
        for topic, clock in self._clocks.items():
            clock.look(self._world.steady(), ends.get(topic, {}), committed.get(topic, {}), begins.get(topic, {}))

    def _maybe_write(self) -> None:
        now = self._world.steady()
        tick = self.tick()
        news = tick != self._last and (tick.clock or tick.idle)
        if now < self._due or not (news or (self._timed and self._clock.stale(now))):
            return
        # keep the rhythm, but do not catch up on what a stall missed
        self._due = max(self._due + self._plan.tick_interval, now)
        self._last = tick
        self._write(tick)

    def tick(self) -> Tick:
        """What can be said now."""
        clocks = self._clocks.values()
        clock = {one.source.logical: one.time for one in clocks if one.time is not None}
        return Tick(clock, [one.source.logical for one in clocks if one.idle])


def _position(committed: dict[str, dict[int, Committed]], topic: str, partition: int) -> int:
    found = committed.get(topic, {}).get(partition)
    return -1 if found is None else found.offset
