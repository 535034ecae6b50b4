"""What one worker needs to know, complete and frozen: names as they are on the cluster, numbers, client options.

Rule: nothing here connects to anything. `app.plan_of` makes it from the settings; tests make it by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from stream.domain.events import JournalRecord, Order


class Output(Protocol):
    """A record for the world. The topic is logical."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Decision(Protocol):
    """What one chunk brings about; nothing of it is true before its transaction has committed."""

    @property
    def consumed(self) -> int: ...
    @property
    def outputs(self) -> Sequence[Output]: ...
    @property
    def rows(self) -> Sequence[tuple[bytes, bytes | None]]: ...
    @property
    def counts(self) -> Counter[tuple[Any, ...]]: ...
    @property
    def times(self) -> Sequence[int]: ...


class Partition(Protocol):
    """The engine's state of one journal partition, as far as a driver sees it."""

    @property
    def next_offset(self) -> int: ...
    @property
    def high(self) -> Mapping[str, int]: ...
    @property
    def dead_runs(self) -> Mapping[str, int]: ...
    def restore(self, key: bytes, value: bytes | None) -> None: ...
    def deciding(self, records: Sequence[JournalRecord]) -> Iterator[Decision | None]: ...
    def accept(self, decision: Any) -> None: ...


PartitionFactory = Callable[[int], Partition]
"""Makes the empty state of a journal partition: ``functools.partial(Partition, engine)``."""


@dataclass(frozen=True, slots=True)
class SourceTopic:
    """A topic that ingest reads.

    Attributes:
        logical: Name without the deployment prefix, as it stands in coordinates and clocks.
        topic: Name on the cluster.
        incarnation: Raised when the topic was recreated or mirrored.
        order: `Order.WALL` or `Order.RECORDED`.
    """

    logical: str
    topic: str
    incarnation: int = 0
    order: Order = Order.WALL


@dataclass(frozen=True, slots=True)
class Plan:
    """One worker's part of a deployment.

    Attributes:
        app_id: Consumer group, and first part of the transactional ids.
        instance_id: Static membership; None for a dynamic member.
        partitions: Number of partitions of journal, state and outputs.
        aiokafka: Connection options of aiokafka clients (addresses, TLS, login).
        librdkafka: The same for librdkafka.
        faust: The same for `faust.App`: ``broker``, ``broker_credentials``.
        chunk: Journal records that one transaction covers at most; also what one ingest round takes of a partition.
        max_record: Largest batch the journal takes, bytes; a single record must fit in it.
        max_row: The worker stops rather than write a larger customer row, bytes.
        max_state: Largest record of the state topic, bytes.
        fetch_bytes: Largest fetch of one partition, bytes.
        commit_interval, session_timeout, tick_interval, idle_after, sample_interval: Seconds.
        stuck_after: With lag and without progress for so long the worker stops, seconds.
        transaction_timeout: The broker aborts a transaction that is open longer, seconds.
        dead_letter_limit: With more dead letters in a row of one source topic the worker stops; 0 for never.
        tick_margin: How much before its visibility a record may be stamped, ms.
    """

    app_id: str
    sources: tuple[SourceTopic, ...]
    partitions: int
    topic_prefix: str = ""
    instance_id: str | None = None
    aiokafka: Mapping[str, Any] = field(default_factory=dict)
    librdkafka: Mapping[str, Any] = field(default_factory=dict)
    faust: Mapping[str, Any] = field(default_factory=dict)
    chunk: int = 4000
    max_record: int = 1_048_588
    max_row: int = 1 << 20
    max_state: int = 2 << 20
    compression: str = "lz4"
    fetch_bytes: int = 1 << 20
    commit_interval: float = 0.2
    session_timeout: float = 10.0
    rebalance_timeout: float = 60.0
    transaction_timeout: float = 30.0
    stuck_after: float = 60.0
    tick_interval: float = 1.0
    tick_margin: int = 100
    dead_letter_limit: int = 0
    sample_interval: float = 0.2
    idle_after: float = 5.0

    def topic(self, logical: str) -> str:
        """Name on the cluster."""
        return self.topic_prefix + logical

    @property
    def journal(self) -> str:
        """Name of the journal on the cluster."""
        return self.topic("journal")

    @property
    def state(self) -> str:
        """Name of the state topic on the cluster."""
        return self.topic("state")

    def transactional_id(self, partition: int) -> str:
        """One per journal partition: whoever initialises it last owns the partition."""
        return f"{self.app_id}-decide-{partition}"
