"""Law: whatever dies, every event has its effect once. Two workers, kills with transactions open, a zombie."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.settings import Settings
from tests.integration import worker_trial as trial

EVENTS = 105_000
"""Some 3 % of them are in aborted transactions."""
SECONDS = 30.0
FROZEN = 9.0
"""Longer than the session timeout: the others take over what the zombie believes to own."""


@pytest.fixture
def fleet(configured: Callable[..., Settings], tmp_path: Path) -> Iterator[trial.Fleet]:
    settings = configured(journal_partitions=4, source_partitions=1, session_timeout=6.0, chunk=2000)
    trial.prepare(settings)
    fleet = trial.Fleet(settings, tmp_path)
    yield fleet
    fleet.destroy()


def harm(fleet: trial.Fleet) -> dict[str, Any]:
    """Four kills, two of them with a transaction open for certain, then a zombie; what was seen of it."""
    open_when_killed = 0
    for number, name in enumerate(("a", "b", "a", "b")):
        time.sleep(2.0)
        if number % 2:
            open_when_killed += fleet.hold(name)
        fleet.kill(name)
        time.sleep(0.5)
        fleet.start(name)
    time.sleep(2.5)
    held = fleet.hold("a")
    fleet.freeze("a")
    time.sleep(FROZEN)
    fleet.thaw("a")
    code = fleet.processes["a"].wait(20)
    fleet.start("a")
    return {"open_when_killed": open_when_killed, "zombie_held": held, "zombie_code": code}


def settle(fleet: trial.Fleet, expected: int, patience: float = 40.0) -> None:
    """Wait until the outputs are complete and every source's time is known, or patience ends; the checks say which."""
    until, settings = time.monotonic() + patience, fleet.settings
    while time.monotonic() < until and (len(trial.read(settings, "out.trigger.tier")) < expected or not timed(settings)):
        time.sleep(0.5)


def timed(settings: Settings) -> bool:
    """Whether each journal partition's last tick has a time of every source: a new owner's first ticks have not."""
    ticks = [[record.clock for record in records if record.clock is not None] for records in trial.journal(settings).values()]
    return all(set(each[-1]) >= set(trial.PARTITIONS) for each in ticks if each)


@pytest.mark.timeout(150)
def test_every_event_counts_once_through_kills_and_a_zombie(fleet: trial.Fleet) -> None:
    """0 lost, 0 doubled, 0 wrong rows, 0 false proofs; the zombie is fenced; SIGTERM ends in order."""
    settings = fleet.settings
    for name in ("a", "b"):
        fleet.start(name)
    done = threading.Event()
    load = threading.Thread(target=trial.load, args=(settings, EVENTS, SECONDS, done))
    load.start()

    try:
        seen = harm(fleet)
    finally:
        done.set()
        load.join()
    truth = trial.truth(settings)
    assert sum(truth.counts.values()) >= 100_000
    settle(fleet, sum(truth.outputs.values()))
    codes = fleet.terminate()

    got = trial.read(settings, "out.trigger.tier")
    produced = Counter(message.value() for message in got)
    assert (truth.outputs - produced, produced - truth.outputs) == (Counter(), Counter()), fleet.logs()
    assert all(dict(message.headers() or ())["kairosmode"] == b"live" for message in got)
    assert trial.rows(settings) == dict(truth.counts)
    in_order(got)
    proofs_hold(settings, truth)
    assert seen == {"open_when_killed": 2, "zombie_held": True, "zombie_code": EXIT_CODE}, fleet.logs()
    assert codes == {"a": 0, "b": 0}, fleet.logs()


def in_order(outputs: list[Any]) -> None:
    """The outputs of a key came in the order of its events."""
    last: dict[bytes, int] = {}
    for message in outputs:
        key, number = message.value().split(b"|")
        assert int(number) > last.get(key, 0)
        last[key] = int(number)


def proofs_hold(settings: Settings, truth: trial.Truth) -> None:
    """Every source record is in the journal, there were ticks, and none of them lied."""
    journal = trial.journal(settings)
    sources = {record.source for records in journal.values() for record in records if record.source is not None}
    assert set(truth.stamps) == sources
    for partition, records in journal.items():
        ticks = [record.clock for record in records if record.clock is not None]
        assert len(ticks) > SECONDS / 4, f"journal partition {partition}"
        assert set(ticks[-1]) >= set(trial.PARTITIONS), "every source has its time, emptied and silent partitions or not"
        assert list(trial.broken_proofs(records, truth.stamps)) == []
