"""Law: two workers under one command share the partitions, tell what a replay tells, and end together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path

import msgspec
import pytest

from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, recorded
from stream.shell.settings import Clock, Settings
from stream.simulator import Bank
from tests.integration import cluster
from tests.rig.oracle import journal_replay

NAME = "bank.jsonl"
PATIENCE = 60.0


def shared(workers: cluster.Workers, partitions: int) -> None:
    """Return when the last two assignments that were opened are halves of the journal."""
    until = time.monotonic() + PATIENCE
    while True:
        workers.alive()
        lines = [line for line in workers.log("a").read_bytes().splitlines() if cluster.OPENED in line][-2:]
        halves = [msgspec.json.decode(line)["partitions"] for line in lines]
        if len(halves) == 2 and all(halves) and sorted(map(int, chain(*halves))) == list(range(partitions)):
            return
        assert time.monotonic() < until, f"the journal was not divided: {halves}\n{workers.logs()}"
        time.sleep(cluster.PAUSE)


@pytest.mark.timeout(150)
def test_two_workers_of_one_command_are_a_fleet(configured: Callable[..., Settings], tmp_path: Path) -> None:
    settings = configured(journal_partitions=4, clock=Clock.RECORDED, session_timeout=6.0)
    lines = islice(Bank(60, 60, seed=4).events(), 4_000)
    log = list(recorded(Numbered(NAME, place, line) for place, line in enumerate(lines, 1)))
    topics.create(settings)
    workers = cluster.Workers(settings, tmp_path)
    workers.command += ["--workers", "2"]
    try:
        workers.start("a")
        shared(workers, settings.journal_partitions)
        publish(settings, [(line.number, line.line, line.at) for line in log], NAME)
        cluster.decided(settings, cluster.end_of_log(log[-1].at), workers)
        codes = workers.terminate()
    finally:
        workers.destroy()

    assert codes == {"a": 0}, workers.logs()
    want, got = journal_replay(settings)[1].outputs, cluster.said(settings)
    assert len(want) > 50
    assert Counter(map(reports.canonical, got)) == Counter(map(reports.canonical, want))
