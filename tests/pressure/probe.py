"""A worker seen from outside while it runs: its own metrics page, read once a second.

Rule: what the worker exports is what is judged; nothing is asked of the process itself.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from statistics import linear_regression, median
from typing import NamedTuple

import msgspec
from prometheus_client.parser import text_string_to_metric_families

EVERY = 1.0
"""Seconds between two looks."""
WAIT = 60.0
"""Seconds within which a worker can be looked at."""
STARTING = b'"worker starting"'
LAG, LOOP, BUFFERED = "kairos_partition_lag_messages", "kairos_loop_lag_seconds_bucket", "kairos_buffered_records"
MIB = 1024 * 1024

Late = dict[float, float]
"""Cumulative counts of loop lags by upper bound, seconds."""


class Look(NamedTuple):
    """One look at a worker.

    Attributes:
        at: Steady seconds.
        rss: Bytes.
        lag: Records at the broker that are not done, source topics and journal.
        buffered: Fetched records that wait, ingest and decide together.
        processed: Records applied for the first time, whatever became of them.
        rebalances: Assignments received so far.
    """

    at: float
    rss: int
    lag: int
    buffered: int
    processed: int
    rebalances: int
    aborted: int
    state: int
    late: Late


def look(page: str, at: float) -> Look:
    """What a metrics page says."""
    sums: defaultdict[str, float] = defaultdict(float)
    late: Late = defaultdict(float)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            sums[sample.name] += sample.value
            if sample.name == LOOP:
                late[float(sample.labels["le"])] += sample.value
    return Look(
        at,
        int(sums["process_resident_memory_bytes"]),
        int(sums[LAG]),
        int(sums[BUFFERED]),
        # after a kill what was journaled twice is read twice, and filtered
        int(sums["kairos_events_consumed_total"] - sums["kairos_events_filtered_total"]),
        int(sums["kairos_rebalances_total"]),
        int(sums["kairos_transactions_aborted_total"]),
        int(sums["kairos_state_bytes"]),
        dict(late),
    )


class Probe(threading.Thread):
    """Looks until it is over; a look that fails is left out.

    Attributes:
        looks: In their order.
    """

    def __init__(self, log: Path) -> None:
        super().__init__(name="probe", daemon=True)
        self._log = log
        self.over = threading.Event()
        self.looks: list[Look] = []

    def run(self) -> None:
        """The thread."""
        while not self.over.wait(EVERY):
            port = self.port()
            # nothing answers while a worker is being started
            with suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    page = answer.read().decode()
                self.looks.append(look(page, time.monotonic()))

    def port(self) -> int:
        """Where the worker started last serves its metrics, as its log says; 0 before it does."""
        lines = [line for line in self._log.read_bytes().splitlines() if STARTING in line]
        return int(msgspec.json.decode(lines[-1])["port"]) if lines else 0

    def latest(self, after: float = 0.0) -> Look:
        """The newest look; waits for one after this moment (steady seconds)."""
        until = time.monotonic() + WAIT
        while not self.looks or self.looks[-1].at < after:
            assert time.monotonic() < until, f"nothing was seen of the worker\n{self._log.read_text()[-4000:]}"
            time.sleep(0.1)
        return self.looks[-1]

    def since(self, start: float) -> list[Look]:
        """The looks since then."""
        self.latest(after=start)
        return [one for one in self.looks if one.at >= start]


class Seen(NamedTuple):
    """A stretch of time in figures.

    Attributes:
        rate: Records applied a second.
        rss_start, rss_most, rss_end: MiB.
        growth: MiB of RSS a minute, over the second half.
        state: MiB of encoded rows at the end.
        lag_usual, lag_most, lag_end, buffered_most: Records; the usual lag is the median of the second half.
        loop_p99, loop_most: How late the event loop woke up, seconds: upper bounds of buckets.
    """

    seconds: float
    rate: float
    rss_start: float
    rss_most: float
    rss_end: float
    growth: float
    state: float
    lag_usual: int
    lag_most: int
    lag_end: int
    buffered_most: int
    loop_p99: float
    loop_most: float
    rebalances: int
    aborted: int


def seen(looks: list[Look]) -> Seen:
    """The figures of these looks, of which there must be some."""
    first, last = looks[0], looks[-1]
    seconds = max(last.at - first.at, EVERY)
    half = [one for one in looks if one.at >= first.at + seconds / 2]
    slope = linear_regression([one.at for one in half], [one.rss for one in half]).slope if len(half) > 2 else 0.0
    return Seen(
        seconds=round(seconds, 1),
        rate=round((last.processed - first.processed) / seconds),
        rss_start=round(first.rss / MIB),
        rss_most=round(max(one.rss for one in looks) / MIB),
        rss_end=round(last.rss / MIB),
        growth=round(slope * 60 / MIB, 2),
        state=round(last.state / MIB, 1),
        lag_usual=round(median(one.lag for one in half)),
        lag_most=max(one.lag for one in looks),
        lag_end=last.lag,
        buffered_most=max(one.buffered for one in looks),
        loop_p99=bound(first.late, last.late, 0.99),
        loop_most=bound(first.late, last.late, 1.0),
        rebalances=last.rebalances - first.rebalances,
        aborted=last.aborted - first.aborted,
    )


def bound(before: Late, after: Late, share: float) -> float:
    """The least bucket bound under which this share of what came in between lies."""
    most = after[max(after)] - before.get(max(after), 0.0)
    return next(le for le in sorted(after) if after[le] - before.get(le, 0.0) >= share * most)
