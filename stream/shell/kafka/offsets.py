"""Looks at topics from outside the group: ends, begins, partitions, committed positions.

Rule: reads only. Ends are high watermarks: the stable end would hide records behind an open transaction, and they
would appear after a tick had said that there were none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import for_code
from faust.types import TP

from stream.shell.kafka.plan import Plan
from stream.shell.kafka.positions import Committed
from stream.shell.kafka.world import World

ByPartition = dict[str, dict[int, int]]
"""Topic to partition to offset."""


class Offsets:
    """One connection for looking."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._client: Any = None
        self._stable: Any = None
        self._admin: Any = None
        self._coordinator: int | None = None

    async def open(self) -> None:
        """Connect."""
        plan, world = self._plan, self._world
        self._client = world.reader(**plan.aiokafka, enable_auto_commit=False, isolation_level="read_uncommitted")
        self._stable = world.reader(**plan.aiokafka, enable_auto_commit=False, isolation_level="read_committed")
        self._admin = world.admin(**plan.aiokafka)
        await asyncio.gather(self._client.start(), self._stable.start(), self._admin.start())

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(self._client.stop(), self._stable.stop(), self._admin.close(), return_exceptions=True)

    async def partitions(self, topics: list[str]) -> list[TP]:
        """Every partition there is now, new ones included. Raises KafkaError for a topic that could not be looked at."""
        described = await self._admin.describe_topics(topics)
        for topic in described:
            # the client hands errors on as topics without partitions
            if code := topic.get("error_code"):
                raise for_code(code)(topic["topic"])
        return [TP(topic["topic"], one["partition"]) for topic in described for one in topic["partitions"]]

    async def ends(self, tps: Iterable[TP]) -> ByPartition:
        """High watermarks."""
        return _by_topic(await self._client.end_offsets(_client(tps)))

    async def stable_ends(self, tps: Iterable[TP]) -> ByPartition:
        """Ends of what can be read now."""
        return _by_topic(await self._stable.end_offsets(_client(tps)))

    async def begins(self, tps: Iterable[TP]) -> ByPartition:
        """First offsets that retention has left."""
        return _by_topic(await self._client.beginning_offsets(_client(tps)))

    async def committed(self) -> dict[str, dict[int, Committed]]:
        """The group's positions with their metadata, by topic and partition."""
        if self._coordinator is None:
            self._coordinator = await self._admin.find_coordinator(self._plan.app_id)
        try:
            found = await self._admin.list_consumer_group_offsets(self._plan.app_id, self._coordinator)
        except Exception:
            self._coordinator = None
            raise
        if not found:
            # what the client also says when its answer was an error, such as that the group has moved to another broker
            self._coordinator = None
        out: dict[str, dict[int, Committed]] = {}
        for tp, position in found.items():
            if position.offset >= 0:
                out.setdefault(tp.topic, {})[tp.partition] = Committed(position.offset, position.metadata or "")
        return out


def flat(offsets: Mapping[str, Mapping[int, int]]) -> dict[TP, int]:
    """By topic partition."""
    return {TP(topic, p): offset for topic, of_topic in offsets.items() for p, offset in of_topic.items()}


def _client(tps: Iterable[TP]) -> list[TopicPartition]:
    return [TopicPartition(tp.topic, tp.partition) for tp in tps]


def _by_topic(offsets: dict[TopicPartition, int]) -> ByPartition:
    out: ByPartition = {}
    for tp, offset in offsets.items():
        out.setdefault(tp.topic, {})[tp.partition] = offset
    return out
