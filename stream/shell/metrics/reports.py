"""Passes what a worker tells on to its metrics, its health and its log.

Rule: one telling, three readers; none of them can fail the worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from stream.shell import logs
from stream.shell.health import JOURNAL, Health, WorkerState
from stream.shell.metrics.worker import Metrics


class Reports:
    """Implements `stream.shell.kafka.telemetry.Telemetry` for `kairos run`.

    Logged here: changes of state, and at level DEBUG a transaction that is complete and not committed yet (one per
    chunk). Restores, aborts, assignments and losses are logged where they happen.
    """

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self.metrics = metrics
        self.health = health
        self._log = logs.logger("stream.worker")
        self._restoring: set[int] = set()
        self._decisions: Counter[int] = Counter()

    def state(self, name: str) -> None:
        """Metrics, health, log."""
        self.metrics.state(name)
        with suppress(ValueError):
            self.health.entered(WorkerState(name))
        if name != WorkerState.RESTORING:
            self._restores(set())
        self._log.info("worker state", state=name)

    def assigned(self, journal: int, sources: int) -> None:
        """Metrics, health."""
        self.metrics.assigned(journal, sources)
        self.health.reassigned()

    def restore_started(self, partition: int, records: int) -> None:
        """Metrics, health. From a thread."""
        self.metrics.restore_started(partition, records)
        self._restores(self._restoring | {partition})

    def restore_progress(self, partition: int, records: int) -> None:
        """Metrics. From a thread."""
        self.metrics.restore_progress(partition, records)

    def restore_ended(self, partition: int, records: int, seconds: float) -> None:
        """Metrics, health. From a thread."""
        self.metrics.restore_ended(partition, records, seconds)
        self._restores(self._restoring - {partition})

    def ingested(self, topic: str, records: int, oldest: int) -> None:
        """Metrics."""
        self.metrics.ingested(topic, records, oldest)

    def round(self, records: int, seconds: float) -> None:
        """Metrics."""
        self.metrics.round(records, seconds)

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Metrics."""
        self.metrics.lost(topic, partition, records)

    def decided(self, partition: int, records: int, counts: Counter[tuple[Any, ...]], compute: float) -> None:
        """Metrics; progress for health (a slice of a big tick covers no record and is progress all the same)."""
        self.metrics.decided(partition, records, counts, compute)
        self._decisions[partition] += 1

    def committed(self, partition: int, seconds: float, oldest: int | None, outputs: int, events: Sequence[int] = ()) -> None:
        """Metrics."""
        self.metrics.committed(partition, seconds, oldest, outputs, events)

    def transaction_open(self, partition: int) -> None:
        """Metrics, log. From a thread."""
        self.metrics.transaction_open(partition)
        self._log.debug("transaction open", topic=JOURNAL, partition=partition)

    def aborted(self, partition: int) -> None:
        """Metrics. From a thread."""
        self.metrics.aborted(partition)

    def ticked(self, clock: dict[str, int]) -> None:
        """Metrics."""
        self.metrics.ticked(clock)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Metrics; health for the journal alone.

        A source may stand still because somebody else's transaction is open there, which no restart of ours would end.
        The watchdog can tell (it asks for the stable end), so sources are left to it.
        """
        self.metrics.lag(topic, partition, records)
        if topic == JOURNAL:
            self.health.observed(topic, partition, self._decisions[partition], records)

    def buffered(self, stage: str, records: int, fill: float, seconds: float) -> None:
        """Metrics."""
        self.metrics.buffered(stage, records, fill, seconds)

    def queued(self, records: int) -> None:
        """Metrics."""
        self.metrics.queued(records)

    def loop_lag(self, seconds: float) -> None:
        """Metrics, health."""
        self.metrics.loop_lag(seconds)
        self.health.beat()

    def _restores(self, partitions: set[int]) -> None:
        self._restoring = partitions
        self.health.restoring(partitions)
