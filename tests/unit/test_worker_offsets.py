"""Law: what looks at topics from outside says what it saw, or that it saw nothing; never that there is nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from stream.shell.kafka.offsets import Offsets
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.positions import Committed
from stream.shell.kafka.world import Real

NOT_COORDINATOR = 16
UNKNOWN_TOPIC = 3


class Cluster(AIOKafkaAdminClient):
    """The client's own reading of answers that a broker gives; no connection.

    Attributes:
        coordinator: The node that has the group now.
        asked: How often somebody asked who that is.
    """

    def __init__(self, topics: list[dict[str, Any]] | None = None) -> None:
        self.coordinator = 1
        self.asked = 0
        self._topics = topics or []

    async def find_coordinator(self, *_: Any) -> int:
        self.asked += 1
        return self.coordinator

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        if node_id != self.coordinator:
            return OffsetFetchResponse_v3(0, [], NOT_COORDINATOR)
        return OffsetFetchResponse_v3(0, [("in.txn", [(0, 7, "", 0)])], 0)

    async def describe_topics(self, topics: list[str] | None = None) -> list[Any]:
        return self._topics


def looking(cluster: Cluster) -> Offsets:
    offsets = Offsets(Real(), Plan("kairos", (), 1))
    offsets._admin = cluster
    return offsets


def test_positions_are_found_again_when_the_group_has_moved_to_another_broker() -> None:
    """The client passes over an error of the whole answer and says that there are no positions: time would stand still."""

    async def run() -> list[dict[str, dict[int, Committed]]]:
        cluster = Cluster()
        offsets = looking(cluster)
        found = [await offsets.committed()]
        cluster.coordinator = 2
        found += [await offsets.committed(), await offsets.committed()]
        assert cluster.asked == 2
        return found

    before, _, after = asyncio.run(run())
    assert before == after == {"in.txn": {0: Committed(7)}}


def test_a_topic_that_the_broker_cannot_describe_is_no_topic_without_partitions() -> None:
    """It would count as idle, and what is held would be released past it."""
    cluster = Cluster([{"error_code": UNKNOWN_TOPIC, "topic": "in.txn", "is_internal": False, "partitions": []}])

    with pytest.raises(UnknownTopicOrPartitionError):
        asyncio.run(looking(cluster).partitions(["in.txn"]))
