"""Law: a worker that is told to end does so within its grace, also when no broker answers any more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.shell.kafka import topics
from stream.shell.kafka.app import GRACE
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.kafka.publish import publish
from stream.shell.settings import Settings
from stream.simulator import Bank
from tests.builders import START
from tests.integration import cluster
from tests.rig.broker import Broker

STATED = 30.0
"""Seconds from SIGTERM to SIGKILL that operators are told to give (docs/sre.md)."""


@pytest.fixture
def own(broker: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that may be stopped."""
    made = Broker(tmp_path / "broker")
    made.start()
    yield made
    made.stop()


@pytest.mark.timeout(200)
def test_a_worker_whose_broker_is_silent_ends_within_its_grace(own: Broker, tmp_path: Path) -> None:
    """With work in flight that nobody acknowledges: one line, exit code 70; the next start goes on at the ledger."""
    settings = Settings(brokers=own.bootstrap, journal_partitions=2, source_partitions=2, session_timeout=6.0)
    topics.create(settings)
    fleet = cluster.Workers(settings, tmp_path / "fleet")
    try:
        fleet.start("a")
        fleet.opened("a")
        log = ((number, line, START) for number, line in enumerate(Bank(1500, 30, seed=3).events(), 1))
        publish(settings, log, "bank.jsonl")
        pid = int((tmp_path / "broker" / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(1.0)
            asked = time.monotonic()
            fleet.processes["a"].terminate()
            code = fleet.processes["a"].wait(120)
            took = time.monotonic() - asked
        finally:
            os.kill(pid, signal.SIGCONT)

        assert GRACE < STATED
        assert code == EXIT_CODE, fleet.logs()
        assert "not ended in order" in fleet.log("a").read_text()
        assert took < 2 * STATED, "a guard against hanging, not a measurement"
    finally:
        fleet.destroy()
