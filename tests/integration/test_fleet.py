"""Law: two workers under one command share the partitions, tell what a replay tells, and end together.

Their sources are not keyed by customer: what the journal has is then the truth, and its replay equals what was told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from random import Random

import msgspec
import pytest
from confluent_kafka import Producer

from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.publish import route
from stream.shell.logfile import Numbered, Recorded, recorded
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


def scattered(settings: Settings, log: list[Recorded]) -> None:
    """The log as systems send it that know no customer: without a key, in any partition."""
    producer, dice = Producer(librdkafka(settings)), Random(7)
    for at, name, number, line in log:
        routed = route(line, f"{name}:{number}", at)
        assert routed is not None
        partition = dice.randrange(settings.source_partitions)
        producer.produce(settings.topic(routed.topic), routed.value, None, partition, headers=routed.headers)
    assert producer.flush(30) == 0


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
        scattered(settings, log)
        # its last line once more, which is known by its id, tells every partition that the log has ended
        (tmp_path / NAME).write_bytes(log[-1].line + b"\n")
        cluster.kairos(settings, "publish", str(tmp_path / NAME))
        cluster.decided(settings, cluster.end_of_log(log[-1].at), workers)
        codes = workers.terminate()
    finally:
        workers.destroy()

    assert codes == {"a": 0}, workers.logs()
    spoken = [msgspec.json.decode(line) for line in workers.log("a").read_bytes().splitlines() if line[:1] == b"{"]
    assert {line["worker"] for line in spoken} == {0, 1}
    want, got = journal_replay(settings)[1].outputs, cluster.said(settings)
    assert len(want) > 50
    assert Counter(map(reports.canonical, got)) == Counter(map(reports.canonical, want))
