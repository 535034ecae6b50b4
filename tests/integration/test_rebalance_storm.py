"""Law: workers that come and go faster than an assignment can be opened cost time, never a record."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from stream.shell.settings import Settings
from tests.integration import worker_trial as trial
from tests.integration.test_worker_delivery import in_order, proofs_hold, settle

EVENTS = 20_000
SECONDS = 15.0
VISITS = 6


@pytest.fixture
def fleet(configured: Callable[..., Settings], tmp_path: Path) -> Iterator[trial.Fleet]:
    settings = configured(journal_partitions=4, source_partitions=1, session_timeout=6.0, chunk=500)
    trial.prepare(settings)
    fleet = trial.Fleet(settings, tmp_path)
    yield fleet
    fleet.destroy()


def visit(fleet: trial.Fleet, dice: Random) -> None:
    """A third worker, without a name in the group, for a moment; every third is killed rather than asked to go."""
    for number in range(VISITS):
        fleet.start("visitor", instance_id=None)  # type: ignore[arg-type]
        time.sleep(dice.uniform(1.0, 4.0))
        if number % 3 == 0:
            fleet.kill("visitor")
        else:
            fleet.processes["visitor"].terminate()
            assert fleet.processes["visitor"].wait(30) in (0, -15), fleet.logs()
    fleet.processes.pop("visitor")


@pytest.mark.timeout(200)
def test_every_event_counts_once_while_workers_come_and_go(fleet: trial.Fleet) -> None:
    """Assignments are revoked while they are fenced, restored and placed; nobody ends but by order."""
    settings = fleet.settings
    for name in ("a", "b"):
        fleet.start(name, instance_id=None)  # type: ignore[arg-type]
    done = threading.Event()
    load = threading.Thread(target=trial.load, args=(settings, EVENTS, SECONDS, done))
    load.start()
    try:
        visit(fleet, Random(2))
    finally:
        done.set()
        load.join()
    truth = trial.truth(settings)
    settle(fleet, sum(truth.outputs.values()))
    codes = fleet.terminate()

    got = trial.read(settings, "out.trigger.tier")
    produced = Counter(message.value() for message in got)
    assert (truth.outputs - produced, produced - truth.outputs) == (Counter(), Counter()), fleet.logs()
    assert trial.rows(settings) == dict(truth.counts)
    in_order(got)
    proofs_hold(settings, truth)
    assert codes == {"a": 0, "b": 0}, fleet.logs()
