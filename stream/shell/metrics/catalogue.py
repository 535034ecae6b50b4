"""Every metric of a worker, as data: its name, labels, bounds and what it answers.

Rule: nothing is exported that is not listed here, and nothing is listed here that nobody feeds (both are tests).
Seconds and instants are base units; an instant is exported as it is and its age is taken where it is read, so that a
worker that hangs does not report a fresh age. No label holds a customer, an event's id or free text: every label's
values are a closed list (`stream.domain.reasons`, the pack's rules and trigger types, event types, topics, partitions).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds. 1.0 is the objective of a trigger (docs/sre.md): an exact bound, so that the share within it is exact."""
LONG_BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds, for a restore."""
OTHER = "other"
"""Stands for a label value outside its closed list: when it counts, a list is out of date."""


class Kind(StrEnum):
    """What Prometheus calls the type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Spec(NamedTuple):
    """One metric. `answers` is its help text: one line, no full stop."""

    kind: Kind
    name: str
    answers: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = BOUNDS


COUNTER, GAUGE, HISTOGRAM = Kind
FLOW = (
    Spec(COUNTER, "kairos_ingest_records_total", "Records acknowledged in the journal, by source topic", ("topic",)),
    Spec(COUNTER, "kairos_source_records_lost_total", "Records that retention took before they were read", ("topic",)),
    Spec(COUNTER, "kairos_events_consumed_total", "Records that decide applied, by source topic", ("topic",)),
    Spec(COUNTER, "kairos_events_processed_total", "What became of them; adds up to those consumed", ("outcome",)),
    Spec(COUNTER, "kairos_events_filtered_total", "Records rightly skipped since they had been before", ("reason",)),
    Spec(COUNTER, "kairos_events_unhandled_total", "Valid events on which nothing acts yet", ("type",)),
    Spec(COUNTER, "kairos_unknown_fields_total", "Fields left out since the event type lacks them", ("type",)),
    Spec(COUNTER, "kairos_dlq_records_total", "Records written to the dead letters", ("reason",)),
    Spec(COUNTER, "kairos_candidates_total", "Moments that mechanisms reported, before the gates", ("rule",)),
    Spec(COUNTER, "kairos_triggers_emitted_total", "Triggers in committed transactions", ("rule", "type")),
    Spec(COUNTER, "kairos_triggers_suppressed_total", "Refusals; one candidate may meet several", ("rule", "reason")),
    Spec(COUNTER, "kairos_timers_fired_total", "Deadlines that a tick reached", ("rule",)),
)
LATENCY = (
    Spec(HISTOGRAM, "kairos_event_e2e_seconds", "Event time of a trigger to its commit, by the wall clock"),
    Spec(HISTOGRAM, "kairos_trigger_e2e_seconds", "Journal append of a chunk's oldest record to commit, per output"),
    Spec(HISTOGRAM, "kairos_ingest_seconds", "Source append of a batch's oldest record to journal acknowledgement"),
    Spec(HISTOGRAM, "kairos_process_seconds", "One decision's computation"),
    Spec(HISTOGRAM, "kairos_commit_seconds", "One decision's transaction"),
    Spec(HISTOGRAM, "kairos_ingest_round_seconds", "One ingest round, first send to last acknowledgement"),
)
FRESHNESS = (
    Spec(GAUGE, "kairos_partition_lag_messages", "Records at the broker that are not done", ("topic", "partition")),
    Spec(GAUGE, "kairos_last_event_timestamp_seconds", "Broker time of the latest batch's oldest record", ("topic",)),
    Spec(GAUGE, "kairos_watermark_timestamp_seconds", "T of the last tick, from the worker that ticks", ("topic",)),
    Spec(COUNTER, "kairos_ticks_written_total", "Ticks that this worker wrote"),
    Spec(COUNTER, "kairos_late_events_total", "Events that came after the proof of their time", ("rule",)),
)
STATE = (
    Spec(GAUGE, "kairos_state_rows", "Customer rows held in memory"),
    Spec(GAUGE, "kairos_state_bytes", "Encoded bytes of these rows"),
    Spec(GAUGE, "kairos_timers_pending", "Alarms set for deadlines ahead"),
    Spec(COUNTER, "kairos_rows_oversize_total", "Rows written that exceed the size for an alert"),
    Spec(
        GAUGE,
        "kairos_last_commit_timestamp_seconds",
        "Last commit, or else restore",
        ("partition",),
    ),
    Spec(HISTOGRAM, "kairos_restore_seconds", "By partition: the whole opening in which it was restored", (), LONG_BOUNDS),
    Spec(COUNTER, "kairos_restore_records_total", "State records read by restores"),
    Spec(GAUGE, "kairos_partitions_restoring", "Partitions whose state is being read"),
    Spec(GAUGE, "kairos_restore_progress_timestamp_seconds", "Last progress of restores, 0 when none runs"),
)
SATURATION = (
    Spec(HISTOGRAM, "kairos_loop_lag_seconds", "How much later than asked the event loop woke up"),
    Spec(GAUGE, "kairos_buffered_records", "Fetched records that wait for a stage", ("stage",)),
    Spec(GAUGE, "kairos_buffer_fill_ratio", "Fullest partition's share of what may wait for a stage", ("stage",)),
    Spec(COUNTER, "kairos_backpressure_seconds_total", "Time with a partition too full to be fetched", ("stage",)),
    Spec(GAUGE, "kairos_producer_queue_messages", "Records of transactions that the broker has not acknowledged"),
    Spec(GAUGE, "kairos_transactions_open", "Transactions sent completely and not committed yet"),
    Spec(COUNTER, "kairos_transactions_aborted_total", "Transactions aborted, to be sent again"),
    Spec(COUNTER, "kairos_log_fields_withheld_total", "Log fields withheld since they are not on the allow-list"),
)
CLUSTER = (
    Spec(COUNTER, "kairos_rebalances_total", "Assignments that this worker received"),
    Spec(
        GAUGE, "kairos_partitions_assigned", "Partitions that this worker owns, of the journal and of all sources", ("topic",)
    ),
    Spec(GAUGE, "kairos_worker_state", "Is 1 for the state it is in, 0 for the others", ("state",)),
    Spec(GAUGE, "kairos_build_info", "Always 1; which engine and which pack", ("version", "pack")),
)
GROUPS = {
    "flow": FLOW,
    "latency": LATENCY,
    "freshness": FRESHNESS,
    "state": STATE,
    "saturation": SATURATION,
    "cluster": CLUSTER,
}


def table() -> str:
    """The catalogue as the Markdown table of docs/sre.md; a test compares the two."""
    lines = ["| group | metric | type | answers |", "|---|---|---|---|"]
    for group, specs in GROUPS.items():
        for spec in specs:
            labels = "{" + ",".join(spec.labels) + "}" if spec.labels else ""
            lines.append(f"| {group} | `{spec.name}{labels}` | {spec.kind} | {spec.answers} |")
    return "\n".join(lines) + "\n"
