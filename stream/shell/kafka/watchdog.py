"""Ends a worker that has work and makes no progress: a dead fetcher, a hung task, a group left in silence.

Rule: looks from outside (ends asked by another connection), so that what is broken cannot hide itself. Never fires
because the broker is away: then there are no ends, and a restart would not help.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError
from faust.types import TP

from stream.shell.kafka.failstop import stop
from stream.shell.kafka.offsets import Offsets, flat
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.telemetry import Telemetry
from stream.shell.kafka.world import World

RHYTHM = 2.0
HEARTBEAT = 0.25


class Moved(NamedTuple):
    """How far a partition has come.

    Attributes:
        position: Everything before it is done.
        steps: Anything that grows with progress inside one record (a large tick is worked off in slices).
    """

    position: int
    steps: int = 0


class Watch:
    """When each partition last moved.

    >>> watch = Watch(after=60.0)
    >>> [watch.stuck(now, {"a": Moved(5)}, {"a": 9}) for now in (0.0, 30.0, 59.0, 61.0)]
    [[], [], [], ['a']]
    >>> watch.stuck(62.0, {"a": Moved(6)}, {"a": 9}), watch.stuck(200.0, {"a": Moved(6)}, {"a": 9})
    ([], [])
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._known: dict[Any, tuple[Moved, float]] = {}
        self._looked = 0.0

    def stuck(self, now: float, progress: Mapping[Any, Moved], ends: Mapping[Any, int]) -> list[Any]:
        """Partitions whose progress has not changed for too long although they have not reached their ends."""
        if now - self._looked > max(self._after / 2, 3 * RHYTHM):
            # the broker was away, or this process was stopped: so was whoever should have moved, and the watch begins anew
            self._known = {}
        self._looked = now
        known = {}
        for tp, moved in progress.items():
            before, since = self._known.get(tp, (moved, now))
            waiting = moved.position < ends.get(tp, 0)
            known[tp] = (moved, since if waiting and before == moved else now)
        self._known = known
        return [tp for tp, (_, since) in known.items() if now - since >= self._after]


class Watchdog:
    """Measures lag, stops the worker when it is stuck.

    Args:
        progress: Own partitions, live ones only.
        logical: Name of a topic without the deployment prefix.
    """

    def __init__(
        self,
        world: World,
        plan: Plan,
        offsets: Offsets,
        telemetry: Telemetry,
        progress: Callable[[], Mapping[TP, Moved]],
        logical: Callable[[str], str],
    ) -> None:
        self._world = world
        self._offsets = offsets
        self._telemetry = telemetry
        self._progress = progress
        self._logical = logical
        self._watch = Watch(plan.stuck_after)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(RHYTHM)
            try:
                await self._look()
            except (KafkaError, TimeoutError, OSError):
                continue

    async def _look(self) -> None:
        progress = self._progress()
        ends = flat(await self._offsets.ends(progress))
        for tp, moved in progress.items():
            self._telemetry.lag(self._logical(tp.topic), tp.partition, max(0, ends[tp] - moved.position))
        stuck = self._watch.stuck(self._world.steady(), progress, ends)
        if stuck:
            # behind an open transaction nobody can read: that is waiting, not being stuck
            stable = flat(await self._offsets.stable_ends(stuck))
            for tp in stuck:
                reached = progress[tp].position
                if reached < stable[tp]:
                    stop("no progress", topic=tp.topic, partition=tp.partition, position=reached, end=stable[tp])


class Waiting(NamedTuple):
    """What waits for a stage: records, and how full its fullest partition is."""

    records: int
    fill: float


class Heartbeat:
    """Measures how late the event loop wakes up, and ends the worker when it does not wake up at all.

    A loop that hangs (an endless computation) cannot watch itself: the guard is a thread.

    Args:
        buffered: What waits for each stage.
        queued: Records of transactions that the broker has not acknowledged.
    """

    def __init__(
        self,
        world: World,
        stuck_after: float,
        telemetry: Telemetry,
        buffered: Callable[[], Mapping[str, Waiting]],
        queued: Callable[[], int],
    ) -> None:
        self._world = world
        self._stuck_after = stuck_after
        self._telemetry = telemetry
        self._buffered, self._queued = buffered, queued
        self._beat = self._world.steady()
        self._over = threading.Event()

    async def run(self) -> None:
        """Beat for ever."""
        self._world.guard(self._guard)
        try:
            while True:
                asked = self._world.steady()
                await asyncio.sleep(HEARTBEAT)
                self._beat = self._world.steady()
                self._telemetry.loop_lag(max(0.0, self._beat - asked - HEARTBEAT))
                for stage, waiting in self._buffered().items():
                    self._telemetry.buffered(stage, *waiting, self._beat - asked)
                self._telemetry.queued(self._queued())
        finally:
            self._over.set()

    def _guard(self) -> None:
        seen, still = self._beat, 0.0
        while not self._over.wait(RHYTHM):
            # counts own wake-ups, not the clock: a process that was stopped as a whole has not hung
            still = still + RHYTHM if self._beat == seen else 0.0
            seen = self._beat
            if still >= self._stuck_after:
                stop("the event loop hangs", seconds=int(still))
