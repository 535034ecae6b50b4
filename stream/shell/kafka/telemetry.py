"""What a worker tells about itself: one port, implemented by the metrics room and by tests.

Rule: every call is cheap and never raises; the implementation keeps its own locks, since `transaction_open`,
`aborted` and all of `restore_*` come from threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol


class Telemetry(Protocol):
    """Everything that can be known about a worker from outside. Times in seconds, instants in UTC ms."""

    def state(self, name: str) -> None:
        """`starting`, `restoring`, `running`, `rebalancing` or `stopping`."""

    def assigned(self, journal: int, sources: int) -> None:
        """How many partitions this worker owns now."""

    def restore_started(self, partition: int, records: int) -> None:
        """A state partition of at most so many records is being read."""

    def restore_progress(self, partition: int, records: int) -> None:
        """So many were read so far."""

    def restore_ended(self, partition: int, records: int, seconds: float) -> None:
        """The partition is ready, or was given up."""

    def ingested(self, topic: str, records: int, oldest: int) -> None:
        """Acknowledged in the journal; `oldest` is the least broker timestamp of them. Logical topic."""

    def round(self, records: int, seconds: float) -> None:
        """One ingest round, from the first send to the last acknowledgement."""

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Source records that its retention took before they were read."""

    def decided(self, partition: int, records: int, counts: Counter[tuple[Any, ...]], compute: float) -> None:
        """A committed decision: journal records it covers, the engine's counts, seconds of computing."""

    def committed(self, partition: int, seconds: float, oldest: int | None, outputs: int, events: Sequence[int] = ()) -> None:
        """The transaction of a decision; `oldest` is the journal timestamp of its first record, if any, `events` the event
        times of its triggers."""

    def transaction_open(self, partition: int) -> None:
        """All records of a transaction are at the broker, it is not committed yet."""

    def aborted(self, partition: int) -> None:
        """A transaction was aborted and will be sent again."""

    def ticked(self, clock: dict[str, int]) -> None:
        """A tick was put into the journal by this worker."""

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Records at the broker that are not done; logical topic, own partitions only."""

    def buffered(self, stage: str, records: int, fill: float, seconds: float) -> None:
        """Fetched records that wait for a stage (`ingest`, `decide`); how full its fullest partition is, 1 being too full to
        be fetched; since when this was last told."""

    def queued(self, records: int) -> None:
        """Records of transactions that the broker has not acknowledged."""

    def loop_lag(self, seconds: float) -> None:
        """How much later than asked the event loop woke up."""


class Silent:
    """Tells nobody."""

    def state(self, name: str) -> None: ...
    def assigned(self, journal: int, sources: int) -> None: ...
    def restore_started(self, partition: int, records: int) -> None: ...
    def restore_progress(self, partition: int, records: int) -> None: ...
    def restore_ended(self, partition: int, records: int, seconds: float) -> None: ...
    def ingested(self, topic: str, records: int, oldest: int) -> None: ...
    def round(self, records: int, seconds: float) -> None: ...
    def lost(self, topic: str, partition: int, records: int) -> None: ...
    def decided(self, partition: int, records: int, counts: Counter[tuple[Any, ...]], compute: float) -> None: ...
    def committed(
        self, partition: int, seconds: float, oldest: int | None, outputs: int, events: Sequence[int] = ()
    ) -> None: ...
    def transaction_open(self, partition: int) -> None: ...
    def aborted(self, partition: int) -> None: ...
    def ticked(self, clock: dict[str, int]) -> None: ...
    def lag(self, topic: str, partition: int, records: int) -> None: ...
    def buffered(self, stage: str, records: int, fill: float, seconds: float) -> None: ...
    def queued(self, records: int) -> None: ...
    def loop_lag(self, seconds: float) -> None: ...
