"""Laws of the metrics: closed labels, series from the start, exact bounds, a table in the docs that is no lie."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from stream.domain.errors import ConfigError
from stream.domain.reasons import Filtered, Outcome, Refusal, RejectCode
from stream.packs.loader import load
from stream.shell.health import Health, Limits, Server, WorkerState, serving
from stream.shell.kafka.telemetry import Silent, Telemetry
from stream.shell.metrics import Metrics, Reports, table
from stream.shell.metrics.catalogue import BOUNDS, GROUPS, LONG_BOUNDS, OTHER
from stream.shell.metrics.series import SPECS
from stream.shell.metrics.worker import COUNTED, observe
from stream.shell.replay import replay
from stream.simulator import Bank, poison
from stream.wire.registry import REGISTRY, SOURCES

DOCS = Path(__file__).parents[2] / "docs" / "sre.md"
RULES = {"tiers": ("tier.upgraded", "tier.downgraded"), "silence": ("dormancy.entered",)}
NOW = 1_767_576_600.0


class Clock:
    """A clock moved by hand."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return Metrics(RULES, version="0.1.0", pack="abc", now=clock)


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(now=clock, limits=Limits(silent=15.0, stuck=120.0, blind=15.0))


class Sized:
    """A partition of which only the size is of interest."""

    rows, row_bytes, timers = 3, 900, 2


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def every_count() -> Counter[tuple[str, ...]]:
    """One of everything the engine can count."""
    one = {
        "read": "in.txn",
        "outcome": Outcome.PROCESSED,
        "filtered": Filtered.DUPLICATE_EVENT,
        "unhandled": "chat.turn.scored",
        "unknown_fields": "txn.entry.posted",
        "rejected": RejectCode.NOT_JSON,
        "candidate": "tiers",
        "timer_fired": "silence",
        "late": "silence",
    }
    counts: Counter[tuple[str, ...]] = Counter(one.items())
    counts["trigger", "tiers", "tier.upgraded"] = 2
    counts["suppressed", "tiers", Refusal.COOLDOWN] = 3
    counts["row_oversize",] = 1
    return counts


def feed(reports: Telemetry, now: int = int(NOW * 1000)) -> None:
    """A worker's life in which everything happens."""
    reports.state("starting")
    reports.state("restoring")
    reports.restore_started(3, 10)
    reports.restore_progress(3, 4)
    reports.restore_ended(3, 10, 0.5)
    reports.restore_started(4, 10)
    reports.assigned(1, 2)
    reports.state("running")
    reports.ingested("in.txn", 5, now - 20)
    reports.round(5, 0.002)
    reports.lost("in.txn", 0, 7)
    reports.decided(3, 5, every_count(), 0.01)
    reports.committed(3, 0.02, now - 400, 5, [now - 900])
    reports.aborted(3)
    reports.transaction_open(3)
    reports.ticked({"in.txn": now - 150})
    reports.lag("journal", 3, 17)
    reports.lag("in.txn", 0, 2)
    reports.buffered("decide", 9, 1.0, 0.25)
    reports.queued(4)
    reports.loop_lag(0.004)
    reports.restore_started(4, 10)


def fed(metrics: Metrics) -> Metrics:
    feed(metrics)
    metrics.holding(lambda: [Sized()])
    metrics.withheld(1)
    return metrics


def test_every_metric_of_the_catalogue_can_move(metrics: Metrics) -> None:
    """A metric that no feeding method reaches would be a promise nobody keeps."""
    fed(metrics)

    moved = {sample.name for family in metrics.registry.collect() for sample in family.samples if sample.value}
    still = [name for name, spec in SPECS.items() if not moved & {name, f"{name}_count"}]
    assert still == []


def test_nothing_of_ours_is_exported_that_the_catalogue_does_not_list(metrics: Metrics) -> None:
    names = {family.name for family in fed(metrics).registry.collect() if family.name.startswith("kairos_")}

    assert names == {name.removesuffix("_total") for name in SPECS}


def test_series_of_closed_labels_exist_at_zero_before_anything_happened(metrics: Metrics) -> None:
    """A rate over a series that begins at 1 never sees its first count."""
    for code in RejectCode:
        assert value(metrics, "kairos_dlq_records_total", reason=code) == 0
    for topic in SOURCES:
        assert value(metrics, "kairos_events_consumed_total", topic=topic) == 0
    assert value(metrics, "kairos_triggers_emitted_total", rule="silence", type="dormancy.entered") == 0
    assert value(metrics, "kairos_triggers_emitted_total", rule="silence", type="tier.upgraded") is None
    assert value(metrics, "kairos_triggers_suppressed_total", rule="silence", reason="EXPIRED") == 0
    assert value(metrics, "kairos_events_unhandled_total", type="chat.turn.scored") == 0


def test_a_decision_counts_what_the_engine_counted(metrics: Metrics) -> None:
    metrics.decision(every_count())
    metrics.decision(every_count())

    assert value(metrics, "kairos_events_processed_total", outcome="processed") == 2
    assert value(metrics, "kairos_triggers_emitted_total", rule="tiers", type="tier.upgraded") == 4
    assert value(metrics, "kairos_triggers_suppressed_total", rule="tiers", reason="COOLDOWN") == 6
    assert value(metrics, "kairos_rows_oversize_total") == 2


def test_every_word_of_the_engine_has_a_metric_with_as_many_labels() -> None:
    arity = {key[0]: len(key) - 1 for key in every_count()}

    assert {word: len(SPECS[name].labels) for word, name in COUNTED.items()} == arity


def test_what_the_engine_really_counts_has_its_series_and_adds_up() -> None:
    """Over a poisoned log of the simulated bank, and a few lines that come twice."""
    pack = load()
    lines = [line for _, line in poison(Bank(customers=20, days=60, seed=7).events(), 0.02, seed=7)]
    log = [("in.txn", number, line) for number, line in enumerate([*lines, *lines[-5:]], 1)]
    counts = replay(pack, log).counts
    del counts["lines",]
    metrics = Metrics.of(pack, version="0.1.0")
    known = set(metrics.counters)
    metrics.decision(counts)

    assert set(counts) - known == set()
    outcomes = [value(metrics, "kairos_events_processed_total", outcome=outcome) for outcome in Outcome]
    assert sum(filter(None, outcomes)) == value(metrics, "kairos_events_consumed_total", topic="in.txn") == len(log)


def test_a_label_outside_its_list_becomes_other_and_makes_no_new_series(metrics: Metrics) -> None:
    """Free text in a label could be a customer's; it also grows without bound."""
    for number in range(50):
        metrics.decision(Counter({("rejected", f"C{number:07}"): 1, ("trigger", f"C{number:07}", "x"): 1}))
        metrics.decision(Counter({("read", f"C{number:07}"): 1, ("nonsense", "C0000001"): 1, ("late",): 1}))
        metrics.ingested(f"C{number:07}", 1, 0)
        metrics.buffered(f"C{number:07}", 1, 0.1, 0.25)

    assert value(metrics, "kairos_dlq_records_total", reason=OTHER) == 50
    assert value(metrics, "kairos_triggers_emitted_total", rule=OTHER, type=OTHER) == 50
    assert b"C0000" not in generate_latest(metrics.registry)


def test_label_values_come_from_the_closed_lists_alone(metrics: Metrics) -> None:
    """No customer, no event id: whatever stands in a label is a word somebody declared, or a partition's number."""
    states: set[str] = {*WorkerState, "ingest", "decide", "journal", "sources", "0.1.0", "abc"}
    reasons: set[str] = {*RejectCode, *Refusal, *Filtered, *Outcome}
    pack = {*RULES, *(kind for kinds in RULES.values() for kind in kinds)}
    words = states | reasons | pack | {*SOURCES, *REGISTRY, OTHER}

    families = [family for family in fed(metrics).registry.collect() if family.name.startswith("kairos_")]
    labels = [sample.labels for family in families for sample in family.samples]
    found = {text for each in labels for label, text in each.items() if label != "le"}
    assert {text for text in found - words if not text.isdecimal()} == set()


def test_bounds_hold_the_objectives_exactly() -> None:
    """The share within an objective is exact only when the objective is a bound."""
    assert 1.0 in BOUNDS
    assert 300.0 in LONG_BOUNDS
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert list(LONG_BOUNDS) == sorted(set(LONG_BOUNDS))


@given(st.lists(st.sampled_from([*BOUNDS[:-1], 0.0, 0.0011, 1.0001, 60.0, 1e9])))
def test_observing_together_equals_one_by_one(values: list[float]) -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    observe(Histogram("h", "h", registry=one, buckets=BOUNDS), values)
    naive = Histogram("h", "h", registry=other, buckets=BOUNDS)
    for each in values:
        naive.observe(each)

    assert generate_latest(one) == generate_latest(other)


def test_latencies_are_taken_from_the_oldest_record(metrics: Metrics) -> None:
    metrics.committed(0, 0.02, int(NOW * 1000) - 1000, 4)
    metrics.committed(0, 0.02, int(NOW * 1000) - 1001, 1)
    metrics.committed(0, 0.02, None, 1)
    metrics.committed(0, 0.02, int(NOW * 1000) + 50, 1)

    assert value(metrics, "kairos_trigger_e2e_seconds_bucket", le="1.0") == 5
    assert value(metrics, "kairos_trigger_e2e_seconds_count") == 6
    assert value(metrics, "kairos_commit_seconds_count") == 4


def test_a_trigger_is_as_old_as_its_event(metrics: Metrics) -> None:
    """Each by itself; one that is dated ahead is not younger than nothing."""
    metrics.committed(0, 0.02, None, 3, [int(NOW * 1000) - 900, int(NOW * 1000) - 1100, int(NOW * 1000) + 50])

    assert value(metrics, "kairos_event_e2e_seconds_bucket", le="1.0") == 2
    assert value(metrics, "kairos_event_e2e_seconds_count") == 3
    assert value(metrics, "kairos_event_e2e_seconds_sum") == pytest.approx(2.0)


def test_time_too_full_to_fetch_adds_up(metrics: Metrics) -> None:
    for fill in (0.5, 1.0, 1.2, 0.9):
        metrics.buffered("decide", 100, fill, 0.25)

    assert value(metrics, "kairos_backpressure_seconds_total", stage="decide") == 0.5
    assert value(metrics, "kairos_backpressure_seconds_total", stage="ingest") == 0
    assert value(metrics, "kairos_buffer_fill_ratio", stage="decide") == 0.9


def test_partitions_that_went_away_leave_no_series(metrics: Metrics) -> None:
    """A lag that nobody updates any more would alert for ever."""
    fed(metrics)
    metrics.assigned(0, 0)

    text = generate_latest(metrics.registry).decode()
    assert not re.search(r"^kairos_(partition_lag|last_commit|watermark)\S*\{", text, re.MULTILINE)
    assert value(metrics, "kairos_transactions_open") == 0


def test_a_partition_that_never_committed_has_a_commit_age_all_the_same(metrics: Metrics, clock: Clock) -> None:
    """Else the partition that hangs from the first moment on would be the one without an alert."""
    metrics.lag("journal", 3, 5)
    clock.at += 100
    metrics.lag("journal", 3, 6)

    assert value(metrics, "kairos_last_commit_timestamp_seconds", partition="3") == NOW


def test_restore_progress_is_a_record_more_and_not_a_call_more(metrics: Metrics, clock: Clock) -> None:
    name = "kairos_restore_progress_timestamp_seconds"
    metrics.state("restoring")
    metrics.restore_started(0, 0)
    metrics.restore_progress(0, 5)
    clock.at += 50
    metrics.restore_progress(0, 5)

    assert value(metrics, name) == NOW
    metrics.restore_progress(0, 6)
    assert value(metrics, name) == NOW + 50
    metrics.restore_ended(0, 8, 1.0)
    assert value(metrics, "kairos_restore_records_total") == 8
    metrics.state("running")
    assert value(metrics, name) == 0


def test_the_size_of_the_state_is_asked_at_scrapes_and_seldom(metrics: Metrics, clock: Clock) -> None:
    asked = list[int]()

    def partitions() -> list[Sized]:
        asked.append(1)
        if len(asked) == 2:
            raise RuntimeError("dictionary changed size during iteration")
        return [Sized()] * len(asked)

    metrics.holding(partitions)
    names = ("kairos_state_rows", "kairos_state_bytes", "kairos_timers_pending")
    seen = []
    for _ in range(5):
        seen.append([value(metrics, name) for name in names])
        clock.at += 20

    assert seen == [[3, 900, 2]] * 4 + [[9, 2700, 6]]
    assert len(asked) == 3


def test_an_open_transaction_is_open_until_its_end(metrics: Metrics) -> None:
    metrics.transaction_open(1)
    metrics.transaction_open(2)
    metrics.committed(1, 0.1, None, 0)

    assert value(metrics, "kairos_transactions_open") == 1
    metrics.aborted(2)
    assert value(metrics, "kairos_transactions_open") == 0
    assert value(metrics, "kairos_transactions_aborted_total") == 1


def test_counting_from_many_threads_loses_nothing(metrics: Metrics) -> None:
    def work(partition: int) -> None:
        metrics.restore_started(partition, 0)
        for number in range(200):
            metrics.restore_progress(partition, number + 1)
            metrics.transaction_open(partition)
            metrics.aborted(partition)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert value(metrics, "kairos_restore_records_total") == 800
    assert value(metrics, "kairos_transactions_aborted_total") == 800
    assert value(metrics, "kairos_transactions_open") == 0


def test_the_reports_implement_the_whole_port(metrics: Metrics, health: Health) -> None:
    wanted = {name for name in vars(Silent) if not name.startswith("_")}

    assert [name for name in wanted if not callable(getattr(Reports, name, None))] == []
    assert [name for name in wanted if not callable(getattr(Metrics, name, None))] == []
    feed(Reports(metrics, health))
    assert value(metrics, "kairos_worker_state", state="running") == 1
    assert value(metrics, "kairos_worker_state", state="restoring") == 0


def test_two_workers_in_one_process_share_nothing() -> None:
    first, second = Metrics(RULES), Metrics(RULES)
    first.decision(every_count())

    assert value(second, "kairos_rows_oversize_total") == 0


def test_the_table_in_the_docs_is_the_catalogue() -> None:
    """Print it with: python -c "from stream.shell.metrics import table; print(table())"."""
    text = DOCS.read_text(encoding="utf-8")
    found = re.search(r"<!-- metrics -->\n(.*?)<!-- /metrics -->", text, re.DOTALL)

    assert found is not None
    assert found[1] == table()


def test_help_texts_are_one_plain_sentence() -> None:
    for specs in GROUPS.values():
        for spec in specs:
            assert spec.answers[0].isupper()
            assert not spec.answers.endswith(".")
            assert "|" not in spec.answers


# Health


def test_a_silent_loop_is_not_alive(health: Health, clock: Clock) -> None:
    clock.at += 10
    health.beat()
    clock.at += 15

    assert health.live().ok
    clock.at += 1
    assert health.live().why == ("event loop silent for 16 s",)


def lagging(health: Health, clock: Clock, seconds: int, lag: Callable[[int], int], done: Callable[[int], int]) -> None:
    """Two observations every four seconds, as the watchdog makes them; the loop beats."""
    for second in range(0, seconds, 2):
        health.observed("journal", 3, done(second), lag(second))
        health.beat()
        clock.at += 2


def test_a_partition_that_stands_before_records_is_not_alive(health: Health, clock: Clock) -> None:
    lagging(health, clock, 130, lag=lambda _: 17, done=lambda _: 4)

    assert health.live().why == ("journal/3 stands still for 130 s with 17 records ahead",)


@pytest.mark.parametrize(
    ("lag", "done"),
    [(lambda s: 0, lambda s: 4), (lambda s: 17 + s, lambda s: s), (lambda s: 1000 - s, lambda s: 4)],
    ids=["nothing ahead", "behind and at work", "lag shrinks"],
)
def test_a_partition_that_is_done_or_at_work_is_alive(
    health: Health, clock: Clock, lag: Callable[[int], int], done: Callable[[int], int]
) -> None:
    lagging(health, clock, 400, lag, done)

    assert health.live().ok


def test_a_broker_that_is_down_kills_nobody(health: Health, clock: Clock) -> None:
    """Without an answer there is no lag to judge by; when it answers again, patience starts anew."""
    lagging(health, clock, 100, lag=lambda _: 17, done=lambda _: 4)
    for _ in range(300):
        clock.at += 2
        health.beat()
        assert health.live().ok
    lagging(health, clock, 100, lag=lambda _: 17, done=lambda _: 4)

    assert health.live().ok
    lagging(health, clock, 40, lag=lambda _: 17, done=lambda _: 4)
    assert not health.live().ok


def test_a_long_restore_kills_nobody_and_is_not_ready(metrics: Metrics, health: Health, clock: Clock) -> None:
    reports = Reports(metrics, health)
    reports.state("restoring")
    reports.restore_started(3, 1000)
    for _ in range(300):
        clock.at += 2
        reports.loop_lag(0.0)
        reports.lag("journal", 3, 1000)

    assert health.live().ok
    assert health.ready().why == ("worker is restoring", "journal/3 is being restored")


def test_a_source_that_stands_is_left_to_the_watchdog(metrics: Metrics, health: Health, clock: Clock) -> None:
    """Somebody else's open transaction may hold it back: no restart of ours would end that."""
    reports = Reports(metrics, health)
    for _ in range(200):
        reports.lag("in.txn", 0, 5)
        reports.loop_lag(0.0)
        clock.at += 2

    assert health.live().ok


def test_a_slice_of_a_big_tick_is_progress(metrics: Metrics, health: Health, clock: Clock) -> None:
    """It covers no record, so neither the offset nor the lag moves."""
    reports = Reports(metrics, health)
    for _ in range(200):
        reports.decided(3, 0, Counter(), 0.1)
        reports.lag("journal", 3, 1)
        reports.loop_lag(0.0)
        clock.at += 2

    assert health.live().ok


def test_readiness_is_running_and_restored(metrics: Metrics, health: Health) -> None:
    reports = Reports(metrics, health)
    seen = []
    for name in ("starting", "restoring", "running", "rebalancing", "running", "stopping"):
        reports.state(name)
        seen.append(health.ready().ok)

    assert seen == [False, False, True, False, True, False]


def test_a_restore_given_up_by_a_rebalance_does_not_hold_readiness(metrics: Metrics, health: Health) -> None:
    reports = Reports(metrics, health)
    reports.state("restoring")
    reports.restore_started(3, 10)
    reports.state("rebalancing")
    reports.state("running")

    assert health.ready().ok
    assert value(metrics, "kairos_partitions_restoring") == 0


# The server


def get(server: Server, path: str) -> tuple[int, str]:
    host, port = server.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()


def test_the_three_pages(metrics: Metrics, health: Health, clock: Clock) -> None:
    with serving(metrics.registry, health) as server:
        assert server.address[0] == "127.0.0.1"
        status, text = get(server, "/metrics")
        assert (status, "kairos_build_info" in text, "process_cpu_seconds_total" in text) == (200, True, True)
        assert get(server, "/healthz") == (200, '{"ok": true, "why": []}\n')
        assert get(server, "/readyz") == (503, '{"ok": false, "why": ["worker is starting"]}\n')
        health.entered(WorkerState.RUNNING)
        assert get(server, "/readyz")[0] == 200
        clock.at += 60
        status, text = get(server, "/healthz")
        assert (status, json.loads(text)["why"]) == (503, ["event loop silent for 60 s"])
        assert get(server, "/")[0] == 404


def test_stopping_frees_the_port_and_ends_the_thread(metrics: Metrics, health: Health) -> None:
    before = threading.active_count()
    with serving(metrics.registry, health) as server:
        port = server.address[1]
        get(server, "/healthz")
    with serving(metrics.registry, health, port=port) as again:
        assert get(again, "/healthz")[0] == 200

    assert threading.active_count() <= before


def test_a_server_that_never_started_stops_all_the_same(metrics: Metrics, health: Health) -> None:
    server = Server(metrics.registry, health)
    port = server.address[1]
    server.stop()

    with serving(metrics.registry, health, port=port) as again:
        assert again.address[1] == port


def test_a_taken_port_is_said_with_its_number(metrics: Metrics, health: Health) -> None:
    with serving(metrics.registry, health) as server:
        port = server.address[1]
        with pytest.raises(ConfigError, match=f"at 127.0.0.1:{port}"):
            Server(metrics.registry, health, port=port)
