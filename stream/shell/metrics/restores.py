"""Restores in progress, and the one instant that shows when they get stuck.

Rule: progress is a record more than before, never the mere fact that somebody called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from stream.shell.health import WorkerState
from stream.shell.metrics.series import Series


class Restores:
    """Feeds the restore metrics. Called from several threads.

    The progress instant is that of the worker's last new record, so that a long queue of partitions is no alarm and one
    that hangs at the end is. It also runs while the worker says that it restores and reads nothing, so that a worker
    that hangs in fencing shows as well.
    """

    def __init__(self, series: Series, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._state = ""
        self._read: dict[int, int] = {}
        self._records = series.counter("kairos_restore_records_total")
        self._took = series.histogram("kairos_restore_seconds")
        self._running = series.gauge("kairos_partitions_restoring")
        self._progress = series.gauge("kairos_restore_progress_timestamp_seconds")

    def state(self, name: str) -> None:
        """The worker's state changed; in any other than restoring, what was being read is done or given up."""
        with self._lock:
            self._state = name
            if name != WorkerState.RESTORING:
                self._read.clear()
            self._moved()

    def started(self, partition: int) -> None:
        """The partition is being read."""
        with self._lock:
            self._read[partition] = 0
            self._moved()

    def progress(self, partition: int, records: int) -> None:
        """So many records were read since the start."""
        with self._lock:
            more = records - self._read.get(partition, records)
            if more > 0:
                self._records.inc(more)
                self._read[partition] = records
                self._moved()

    def ended(self, partition: int, records: int, seconds: float) -> None:
        """The partition is ready, or was given up."""
        with self._lock:
            self._records.inc(max(0, records - self._read.pop(partition, records)))
            self._took.observe(seconds)
            self._moved()

    def _moved(self) -> None:
        busy = self._read or self._state == WorkerState.RESTORING
        self._running.set(len(self._read))
        self._progress.set(self._now() if busy else 0.0)
