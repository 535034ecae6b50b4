"""Turns the catalogue into live series: created at 0, children kept, labels held to their closed lists.

Rule: feeding a metric never raises and never makes a series that was not foreseen (except `other`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from stream.domain.reasons import Filtered, Outcome, Refusal, RejectCode
from stream.shell.health import WorkerState
from stream.shell.metrics.catalogue import GROUPS, OTHER, Kind, Spec
from stream.wire.registry import REGISTRY, SOURCES

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per series that says when the first began; nobody asks

SPECS: dict[str, Spec] = {spec.name: spec for specs in GROUPS.values() for spec in specs}
STAGES = ("ingest", "decide")
OWNED = ("journal", "sources")
_Made = TypeVar("_Made", Counter, Gauge, Histogram)
Rules = Mapping[str, Iterable[str]]
"""The pack's rules, each with the trigger types it can emit."""


Closed = dict[str, frozenset[tuple[str, ...]]]
"""Per metric, the label values that can occur, in the order of its labels."""


def closed_lists(rules: Rules) -> Closed:
    """From the reasons, the wire and the pack. A metric without an entry is labelled by partitions or by the build."""
    single: dict[str, Iterable[str]] = {
        "kairos_ingest_records_total": SOURCES,
        "kairos_source_records_lost_total": SOURCES,
        "kairos_last_event_timestamp_seconds": SOURCES,
        "kairos_events_consumed_total": SOURCES,
        "kairos_events_processed_total": Outcome,
        "kairos_events_filtered_total": Filtered,
        "kairos_dlq_records_total": RejectCode,
        "kairos_events_unhandled_total": REGISTRY,
        "kairos_unknown_fields_total": REGISTRY,
        "kairos_candidates_total": rules,
        "kairos_timers_fired_total": rules,
        "kairos_late_events_total": rules,
        "kairos_buffered_records": STAGES,
        "kairos_buffer_fill_ratio": STAGES,
        "kairos_backpressure_seconds_total": STAGES,
        "kairos_partitions_assigned": OWNED,
        "kairos_worker_state": WorkerState,
    }
    closed: Closed = {name: frozenset((str(one),) for one in each) for name, each in single.items()}
    closed["kairos_triggers_emitted_total"] = frozenset((rule, one) for rule, types in rules.items() for one in types)
    closed["kairos_triggers_suppressed_total"] = frozenset(product(rules, map(str, Refusal)))
    return closed


class Series:
    """All collectors of one worker in one registry."""

    def __init__(self, registry: CollectorRegistry, rules: Rules) -> None:
        self.registry = registry
        self.closed = closed_lists(rules)
        self._made: dict[str, Counter | Gauge | Histogram] = {name: _collector(spec, registry) for name, spec in SPECS.items()}
        for name, lists in self.closed.items():
            for labels in sorted(lists):
                self._made[name].labels(*labels)

    def counter(self, name: str, *labels: str) -> Counter:
        """The counter of these labels; to be kept by who counts often."""
        return self._child(name, labels, Counter)

    def gauge(self, name: str, *labels: str) -> Gauge:
        """The gauge of these labels."""
        return self._child(name, labels, Gauge)

    def histogram(self, name: str, *labels: str) -> Histogram:
        """The histogram of these labels."""
        return self._child(name, labels, Histogram)

    def drop(self, name: str, *labels: str) -> None:
        """Ends the series of a partition that is no longer ours. Harmless when there is none."""
        self._made[name].remove(*labels)

    def _child(self, name: str, labels: tuple[str, ...], kind: type[_Made]) -> _Made:
        made = self._made[name]
        if labels:
            closed = self.closed.get(name)
            inside = closed is None or labels in closed
            made = made.labels(*(labels if inside else (OTHER,) * len(labels)))
        assert isinstance(made, kind)
        return made


def _collector(spec: Spec, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if spec.kind is Kind.COUNTER:
        return Counter(spec.name, spec.answers, spec.labels, registry=registry)
    if spec.kind is Kind.GAUGE:
        return Gauge(spec.name, spec.answers, spec.labels, registry=registry)
    return Histogram(spec.name, spec.answers, spec.labels, registry=registry, buckets=spec.bounds)
