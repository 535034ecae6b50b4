"""State partitions back into memory: from the beginning to the stable end, nothing interpreted but key and value.

Rule: runs after fencing, so the stable end cannot move any more; a restore that does not reach it is an error. Own
thread and own event loop, so that the worker's loop keeps its heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from stream.domain.errors import StateError
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.world import World
from stream.shell.logs import logger

FETCH_BYTES = 8 << 20
STEP_MS = 200
PATIENCE = 60.0
"""Seconds without a record before a restore is given up."""
SAY = 5.0
"""Seconds between two lines of the log that say how far it is: partitions, records read, offsets still to pass."""
log = logger(__name__)


class Reading(NamedTuple):
    """One state partition to read.

    Attributes:
        start: Offset of the first record.
        record: Called with key and value of every record, in order.
    """

    start: int
    record: Callable[[bytes, bytes | None], None]


Progress = Callable[[int, int, int], None]
"""Called with the state partition, the records read so far, and the offsets still to pass."""


async def read(
    world: World, plan: Plan, readings: Mapping[int, Reading], goes_on: Callable[[], bool], progress: Progress
) -> dict[int, int]:
    """Read these state partitions to their stable ends; how many records each had. In an event loop of its own.

    Stops early, with what it has, when ``goes_on`` says no. Raises StateError when an end is not reached.
    """
    client = world.reader(
        **plan.aiokafka,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=FETCH_BYTES,
        max_poll_records=20_000,
    )
    await client.start()
    try:
        return await _read_all(world, client, plan, readings, goes_on, progress)
    finally:
        await client.stop()


async def _read_all(
    world: World, client: Any, plan: Plan, readings: Mapping[int, Reading], goes_on: Callable[[], bool], progress: Progress
) -> dict[int, int]:
    partitions = {TopicPartition(plan.state, partition): partition for partition in readings}
    client.assign(list(partitions))
    ends = await client.end_offsets(list(partitions))
    for tp, partition in partitions.items():
        client.seek(tp, readings[partition].start)
    counts = dict.fromkeys(readings, 0)
    moved = said = world.steady()
    left = [tp for tp in partitions if readings[partitions[tp]].start < ends[tp]]
    while left and goes_on():
        found = await client.getmany(*left, timeout_ms=STEP_MS)
        for tp, records in found.items():
            _apply(readings[partitions[tp]].record, records)
            counts[partitions[tp]] += len(records)
        ahead = {tp: max(0, ends[tp] - await client.position(tp)) for tp in left}
        for tp in found:
            progress(partitions[tp], counts[partitions[tp]], ahead[tp])
        left = [tp for tp in left if ahead[tp]]
        now = world.steady()
        if found or len(left) < len(ahead):
            moved = now
        elif now - moved > PATIENCE:
            raise StateError(f"expected {plan.state} to its stable end, got nothing for {PATIENCE:.0f} s")
        if now - said >= SAY:
            said = now
            log.info("restoring", count=len(left), records=sum(counts.values()), lag=sum(ahead.values()))
    return counts


def _apply(record: Callable[[bytes, bytes | None], None], records: list[Any]) -> None:
    for found in records:
        record(found.key, found.value)
