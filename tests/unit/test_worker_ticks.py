"""Law: T goes on as the broker's clock does, also when that was wrong for a while; what comes after its proof is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest
from faust.types import TP

from stream.domain.events import Order
from stream.shell.kafka.offsets import ByPartition, Offsets
from stream.shell.kafka.plan import Plan, SourceTopic
from stream.shell.kafka.positions import Committed
from stream.shell.kafka.proofs import BrokerClock
from stream.shell.kafka.stamping import Tick
from stream.shell.kafka.ticks import SourceClock, Ticks
from stream.shell.kafka.world import World

HOUR = 3_600_000
SOURCE = SourceTopic("in.app", "in.app", 0, Order.WALL)
PLAN = Plan("kairos", (SOURCE,), partitions=1, sample_interval=0.0, tick_interval=1.0, tick_margin=0)


class QuietSource:
    """A source of one partition to which nothing comes, and all of which is journaled."""

    async def partitions(self, topics: list[str]) -> list[TP]:
        return [TP("in.app", 0)]

    async def ends(self, tps: Iterable[TP]) -> ByPartition:
        return {"in.app": {0: 5}}

    async def committed(self) -> dict[str, dict[int, Committed]]:
        return {"in.app": {0: Committed(5)}}


class Seconds:
    """A world in which a second passes with every look at the clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def steady(self) -> float:
        self.now += 1.0
        return self.now


class GrowingLog:
    """An old log that gets a second partition, and goes on in the first, while a worker is between its questions."""

    def __init__(self) -> None:
        self._asked = 0

    def _grown(self) -> bool:
        self._asked += 1
        return self._asked > 1

    async def partitions(self, topics: list[str]) -> list[TP]:
        return [TP("in.app", number) for number in range(2 if self._grown() else 1)]

    async def ends(self, tps: Iterable[TP]) -> ByPartition:
        return {"in.app": {tp.partition: 5 for tp in tps}}

    async def committed(self) -> dict[str, dict[int, Committed]]:
        return {"in.app": {0: Committed(5, "r=2000" if self._grown() else "r=1000")}}

    async def begins(self, tps: Iterable[TP]) -> ByPartition:
        return {"in.app": {tp.partition: 0 for tp in tps}}


def test_a_partition_made_between_two_questions_holds_an_old_log_back() -> None:
    """Its first record may have been recorded at 1500: the commits that say 2000 are of a time when it was there."""
    plan, times = replace(PLAN, sources=(replace(SOURCE, order=Order.RECORDED),)), list[int]()

    async def run() -> None:
        world = Seconds()
        ticks = Ticks(
            cast(World, world), plan, cast(Offsets, GrowingLog()), BrokerClock(), lambda: True,
            lambda tick: times.extend(tick.clock.values()),
        )  # fmt: skip
        running = asyncio.ensure_future(ticks.run())
        while world.now < 20:
            await asyncio.sleep(0)
        running.cancel()

    asyncio.run(run())

    assert max(times, default=0) <= 1000


async def _times(wrong: range, until: float) -> list[int]:
    """T of each tick that a lone worker writes while the broker's clock is an hour behind in some seconds."""
    world, clock, times = Seconds(), BrokerClock(), list[int]()

    def write(tick: Tick) -> None:
        behind = HOUR if int(world.now) in wrong else 0
        clock.heard(10 * HOUR + int(world.now * 1000) - behind, world.now)
        times.append(tick.clock.get("in.app", 0))

    ticks = Ticks(cast(World, world), PLAN, cast(Offsets, QuietSource()), clock, lambda: True, write)
    running = asyncio.ensure_future(ticks.run())
    while world.now < until:
        await asyncio.sleep(0)
    running.cancel()
    return times


def test_a_quiet_fleet_follows_the_clock_of_the_broker() -> None:
    times = asyncio.run(_times(range(0), until=60))

    assert times == sorted(times)
    assert times[-1] > 10 * HOUR + 50_000


def test_a_broker_that_was_out_of_time_is_heard_again() -> None:
    """Nothing new can be said while its clock is behind T; when it is right again, nothing but a tick tells so."""
    times = asyncio.run(_times(range(20, 25), until=90))

    assert times == sorted(times)
    assert times[-1] > 10 * HOUR + 80_000


def test_an_old_log_that_begins_before_what_is_proven_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A partition made later, with older records: what fired before they came cannot be taken back."""
    clock = SourceClock(SourceTopic("in.app", "in.app", 0, Order.RECORDED), idle_after=5.0)
    old, told = Committed(9, "r=1000"), []
    clock.look(0.0, {0: 9}, {0: old}, {})
    for mark in ("", "r=500", "r=600", "r=1001"):
        clock.look(0.0, {0: 9, 1: 9}, {0: old, 1: Committed(9, mark)}, {})
        told.append(len(caplog.records))

    assert told == [0, 1, 1, 1]
    assert clock.time == 999
