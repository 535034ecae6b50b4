"""The metrics of one worker, fed by what it tells (`stream.shell.kafka.telemetry.Telemetry`).

Rule: counts are of committed decisions only, so that an aborted transaction that is sent again counts once.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Histogram

from stream.packs.spec import Pack
from stream.shell.health import JOURNAL, WorkerState
from stream.shell.metrics.held import Held, Holding
from stream.shell.metrics.restores import Restores
from stream.shell.metrics.series import SPECS, Rules, Series

COUNTED = {
    "read": "kairos_events_consumed_total",
    "outcome": "kairos_events_processed_total",
    "filtered": "kairos_events_filtered_total",
    "unhandled": "kairos_events_unhandled_total",
    "unknown_fields": "kairos_unknown_fields_total",
    "rejected": "kairos_dlq_records_total",
    "candidate": "kairos_candidates_total",
    "trigger": "kairos_triggers_emitted_total",
    "suppressed": "kairos_triggers_suppressed_total",
    "timer_fired": "kairos_timers_fired_total",
    "late": "kairos_late_events_total",
    "row_oversize": "kairos_rows_oversize_total",
}
"""The engine's word for a count -> the counter; the rest of the engine's key are its labels."""

COMMITTED = "kairos_last_commit_timestamp_seconds"

_LOG = logging.getLogger("stream.metrics")


class Metrics:
    """Every metric of the catalogue, in a registry of its own. Implements `Telemetry`.

    Args:
        rules: The pack's rules, each with its trigger types: the only values those labels can have.
        version, pack: Engine version and pack digest, for `kairos_build_info`.
        registry: One per worker; never the library's global one.
        now: Wall clock, UTC seconds.
    """

    def __init__(
        self,
        rules: Rules,
        version: str = "",
        pack: str = "",
        registry: CollectorRegistry | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.series = series = Series(self.registry, {rule: tuple(types) for rule, types in rules.items()})
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.GCCollector(registry=self.registry)
        series.gauge("kairos_build_info", version, pack).set(1)
        self._now = now
        self.counters = {
            (word, *labels): series.counter(name, *labels)
            for word, name in COUNTED.items()
            for labels in series.closed.get(name, ((),))
        }
        self._strange: set[str] = set()
        self._committing = series.histogram("kairos_commit_seconds")
        self._computing = series.histogram("kairos_process_seconds")
        self._end_to_end = series.histogram("kairos_trigger_e2e_seconds")
        self._since_event = series.histogram("kairos_event_e2e_seconds")
        self._restores = Restores(series, now)
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._opened = series.gauge("kairos_transactions_open")
        self._seen: set[tuple[str, ...]] = set()

    @classmethod
    def of(cls, pack: Pack, version: str, now: Callable[[], float] = time.time) -> Metrics:
        """The metrics of a worker that runs this pack."""
        rules = {name: [emit.type for emit in rule.emits.values()] for name, rule in pack.spec.rules.items()}
        return cls(rules, version, pack.digest, now=now)

    def holding(self, partitions: Callable[[], Iterable[Holding]]) -> None:
        """How to ask for the partitions that this worker holds; asked at scrapes, from the server's thread."""
        held = Held(partitions, self._now)
        self.series.gauge("kairos_state_rows").set_function(lambda: held.sizes().rows)
        self.series.gauge("kairos_state_bytes").set_function(lambda: held.sizes().row_bytes)
        self.series.gauge("kairos_timers_pending").set_function(lambda: held.sizes().timers)

    def withheld(self, fields: int) -> None:
        """A log line lost so many fields (`stream.shell.logs.configure`)."""
        self.series.counter("kairos_log_fields_withheld_total").inc(fields)

    # Decide

    def decision(self, counts: Mapping[tuple[Any, ...], int]) -> None:
        """The engine's counts of a committed decision."""
        known = self.counters
        for key, number in counts.items():
            counter = known.get(key)
            if counter is not None:
                counter.inc(number)
            else:
                self._unforeseen(key, number)

    def decided(self, partition: int, records: int, counts: Counter[tuple[Any, ...]], compute: float) -> None:
        """See `Telemetry`."""
        self.decision(counts)
        self._computing.observe(compute)

    def committed(self, partition: int, seconds: float, oldest: int | None, outputs: int, events: Sequence[int] = ()) -> None:
        """See `Telemetry`."""
        now = self._now()
        self._committing.observe(seconds)
        self._touched(partition, now)
        if oldest is not None and outputs:
            observe(self._end_to_end, [max(0.0, now - oldest / 1000)] * outputs)
        observe(self._since_event, [max(0.0, now - at / 1000) for at in events])
        self._closed(partition)

    def transaction_open(self, partition: int) -> None:
        """See `Telemetry`. From a thread."""
        with self._lock:
            self._open.add(partition)
            self._opened.set(len(self._open))

    def aborted(self, partition: int) -> None:
        """See `Telemetry`."""
        self.series.counter("kairos_transactions_aborted_total").inc()
        self._closed(partition)

    # Ingest

    def ingested(self, topic: str, records: int, oldest: int) -> None:
        """See `Telemetry`."""
        self.series.counter("kairos_ingest_records_total", topic).inc(records)
        self.series.gauge("kairos_last_event_timestamp_seconds", topic).set(oldest / 1000)
        self.series.histogram("kairos_ingest_seconds").observe(max(0.0, self._now() - oldest / 1000))

    def round(self, records: int, seconds: float) -> None:
        """See `Telemetry`."""
        self.series.histogram("kairos_ingest_round_seconds").observe(seconds)

    def lost(self, topic: str, partition: int, records: int) -> None:
        """See `Telemetry`."""
        self.series.counter("kairos_source_records_lost_total", topic).inc(records)

    def ticked(self, clock: Mapping[str, int]) -> None:
        """See `Telemetry`."""
        self.series.counter("kairos_ticks_written_total").inc()
        for topic, at in clock.items():
            self.series.gauge("kairos_watermark_timestamp_seconds", topic).set(at / 1000)
            self._seen.add(("kairos_watermark_timestamp_seconds", topic))

    # The worker

    def state(self, name: str) -> None:
        """See `Telemetry`."""
        for state in WorkerState:
            self.series.gauge("kairos_worker_state", state).set(state == name)
        if name == WorkerState.RUNNING:
            self.series.counter("kairos_rebalances_total").inc()
        self._restores.state(name)

    def assigned(self, journal: int, sources: int) -> None:
        """See `Telemetry`. Series of partitions end here; those that are still ours come back with the next reading."""
        self.series.gauge("kairos_partitions_assigned", JOURNAL).set(journal)
        self.series.gauge("kairos_partitions_assigned", "sources").set(sources)
        for name, *labels in self._seen:
            self.series.drop(name, *labels)
        self._seen.clear()
        self._closed(*self._open)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """See `Telemetry`."""
        self.series.gauge("kairos_partition_lag_messages", topic, str(partition)).set(records)
        self._seen.add(("kairos_partition_lag_messages", topic, str(partition)))
        if topic == JOURNAL and (COMMITTED, str(partition)) not in self._seen:
            self._touched(partition, self._now())

    def restore_started(self, partition: int, records: int) -> None:
        """See `Telemetry`."""
        self._restores.started(partition)

    def restore_progress(self, partition: int, records: int) -> None:
        """See `Telemetry`."""
        self._restores.progress(partition, records)

    def restore_ended(self, partition: int, records: int, seconds: float) -> None:
        """See `Telemetry`."""
        self._restores.ended(partition, records, seconds)
        self._touched(partition, self._now())

    def buffered(self, stage: str, records: int, fill: float, seconds: float) -> None:
        """See `Telemetry`."""
        self.series.gauge("kairos_buffered_records", stage).set(records)
        self.series.gauge("kairos_buffer_fill_ratio", stage).set(fill)
        if fill >= 1:
            self.series.counter("kairos_backpressure_seconds_total", stage).inc(seconds)

    def queued(self, records: int) -> None:
        """See `Telemetry`."""
        self.series.gauge("kairos_producer_queue_messages").set(records)

    def loop_lag(self, seconds: float) -> None:
        """See `Telemetry`."""
        self.series.histogram("kairos_loop_lag_seconds").observe(seconds)

    def _touched(self, partition: int, at: float) -> None:
        self.series.gauge(COMMITTED, str(partition)).set(at)
        self._seen.add((COMMITTED, str(partition)))

    def _closed(self, *partitions: int) -> None:
        with self._lock:
            self._open.difference_update(partitions)
            self._opened.set(len(self._open))

    def _unforeseen(self, key: tuple[Any, ...], number: int) -> None:
        """A label outside its list counts as `other`; a word without a metric is said once and not counted."""
        word, *labels = map(str, key)
        name = COUNTED.get(word)
        if name is not None and len(labels) == len(SPECS[name].labels):
            self.series.counter(name, *labels).inc(number)
        elif word not in self._strange:
            self._strange.add(word)
            _LOG.warning("the engine counts something that has no metric")


def observe(histogram: Histogram, values: Sequence[float]) -> None:
    """Observes all of these, each bucket being touched once.

    The library has no call for it: this does what its `observe` does, on its private parts (the version is pinned).
    """
    histogram._sum.inc(sum(values))
    bounds = histogram._upper_bounds
    for place, times in Counter(bisect_left(bounds, value) for value in values).items():
        histogram._buckets[place].inc(times)
