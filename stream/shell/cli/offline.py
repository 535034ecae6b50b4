"""A replay from files to a report: what `replay`, `demo` and `explain` share.

Rule: the same logs, pack and settings give the same report, but for its two figures of time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from stream.domain import days
from stream.domain.errors import ConfigError
from stream.engine.engine import Engine
from stream.packs.spec import Pack
from stream.shell.cli.logs import Logs
from stream.shell.cli.meter import meter, metered
from stream.shell.logfile import lines
from stream.shell.replay import Replay, Sink
from stream.shell.reports import Report, Tally, Totals, summary

Row = tuple[int, bytes, bytes]


class Job(NamedTuple):
    """What is to be replayed, and how.

    Attributes:
        state: Rows of a snapshot, before a journal range that starts in the middle.
        partitions: Over how many a source log is spread; None is one. A journal brings its own.
        until: Let the clock of a source log run on to then, UTC ms.
    """

    engine: Engine
    logs: Logs
    state: Sequence[Row] = ()
    partitions: int | None = None
    until: int | None = None


def checked(job: Job) -> Job:
    """The same job. Raises ConfigError for what does not go together."""
    if job.logs.journal and (job.until is not None or job.partitions is not None):
        raise ConfigError("a recorded journal brings its own clock and partitions: leave --until and --partitions out")
    if job.state and not job.logs.journal:
        raise ConfigError("--state goes with a recorded journal (kairos record journal), got a source log")
    return job


def drive(job: Job, sink: Sink, title: str = "replay") -> Replay:
    """The whole job. Raises StateError for a journal range that does not follow on from the state before it."""
    replay = Replay(job.engine, sink, job.partitions or 1)
    for row in job.state:
        replay.restore(*row)
    with meter(title, job.logs.size) as told:
        if job.logs.journal:
            replay.journal(metered(job.logs.numbered(), told))
        else:
            replay.run(metered(job.logs.recorded(), told), job.until)
    return replay


class Reported(NamedTuple):
    """A written report."""

    summary: dict[str, Any]
    tally: Tally


def report(job: Job, pack: Pack, folder: Path, title: str = "replay") -> Reported:
    """Replay into a folder."""
    start = time.perf_counter()
    with Report(folder) as sink:
        replay = drive(job, sink, title)
        totals = Totals(pack, replay.counts, replay.customers, time.perf_counter() - start)
        found = summary(totals, sink.tally, sink.digest())
        sink.close(found)
    return Reported(found, sink.tally)


def snapshot(path: str) -> tuple[Row, ...]:
    """Rows of a snapshot file, packed or not."""
    from stream.shell.kafka.snapshot import load_snapshot

    return load_snapshot(each.line for each in lines(path)).rows


def moment(text: str, zone: str) -> int:
    """UTC milliseconds of a date or a time; of the pack's zone unless it names another. Raises ValueError.

    >>> moment("2026-01-05", "Asia/Shanghai") == moment("2026-01-04T16:00:00Z", "Asia/Shanghai")
    True
    """
    parsed = datetime.fromisoformat(text)
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=days.zone(zone))
    return int(aware.timestamp() * 1000)
