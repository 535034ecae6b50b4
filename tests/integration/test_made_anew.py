"""Law: a source topic that was deleted and made anew is refused until somebody says so; then nothing of it is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, recorded
from stream.shell.settings import Settings
from stream.simulator import Bank
from stream.wire.registry import SOURCES
from tests.integration import cluster
from tests.rig.oracle import journal_replay

PATIENCE = 30.0


def sent(settings: Settings, seed: int, events: int) -> None:
    """So many events of a bank, and nobody else's."""
    lines = islice(Bank(30, 60, seed=seed).events(), events)
    log = recorded(Numbered(f"{seed}.jsonl", place, line) for place, line in enumerate(lines, 1))
    publish(settings, [(line.number, line.line, line.at) for line in log], f"{seed}.jsonl")


def worked_off(settings: Settings, workers: cluster.Workers) -> None:
    """Everything sent until now, by the wall clock."""
    cluster.decided(settings, cluster.proven(time.time_ns() // 1_000_000, *SOURCES), workers)


def made_anew(settings: Settings, topic: str) -> None:
    """By somebody who does not know better: the broker forgets what the group has committed of it."""
    name = settings.topic(topic)
    with closing(KafkaAdminClient(bootstrap_servers=settings.brokers)) as admin:
        admin.delete_topics([name])
        until = time.monotonic() + PATIENCE
        while name in admin.list_topics():
            assert time.monotonic() < until
            time.sleep(cluster.PAUSE)
    topics.create(settings)


@pytest.mark.timeout(150)
def test_a_source_topic_made_anew_is_refused_until_it_is_said(configured: Callable[..., Settings], tmp_path: Path) -> None:
    settings = configured()
    topics.create(settings)
    workers = cluster.Workers(settings, tmp_path)
    try:
        workers.start("a")
        sent(settings, 1, 1500)
        worked_off(settings, workers)
        assert workers.terminate() == {"a": 0}, workers.logs()
        before = cluster.said(settings)
        made_anew(settings, "in.txn")
        sent(settings, 2, 300)

        workers.start("a")
        assert workers.processes["a"].wait(60) == EXIT_CODE, workers.logs()
        assert "up to which it was decided" in workers.log("a").read_text()

        workers.settings = settings.model_copy(update={"incarnations": {"in.txn": 1}})
        workers.start("a")
        worked_off(settings, workers)
        assert workers.terminate() == {"a": 0}, workers.logs()
    finally:
        workers.destroy()

    want, got = journal_replay(settings)[1].outputs, cluster.said(settings)
    assert len(want) > len(before) > 50
    assert Counter(map(reports.canonical, got)) == Counter(map(reports.canonical, want))
