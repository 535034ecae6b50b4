"""Law: a worker begins and ends in order, or says in one line why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.kafka.publish import publish
from stream.shell.settings import Settings
from stream.simulator import Bank
from tests.builders import START
from tests.integration import cluster

GRACE = 10.0
"""Seconds that a worker may take to end after SIGTERM, with a backlog before it (docs/sre.md)."""


@pytest.fixture
def fleet(configured: Callable[..., Settings], tmp_path: Path) -> Iterator[cluster.Workers]:
    settings = configured(journal_partitions=2, session_timeout=6.0, watchdog=12.0)
    topics.create(settings)
    fleet = cluster.Workers(settings, tmp_path)
    yield fleet
    fleet.destroy()


def send(settings: Settings, customers: int) -> None:
    lines = ((number, line, START) for number, line in enumerate(Bank(customers, 30, seed=3).events(), 1))
    publish(settings, lines, "bank.jsonl")


def critical(fleet: cluster.Workers, name: str) -> list[str]:
    return [line for line in fleet.log(name).read_text().splitlines() if '"critical"' in line and "failstop" in line]


def test_a_worker_told_to_end_does_so_within_its_grace_and_another_goes_on_where_it_was(fleet: cluster.Workers) -> None:
    send(fleet.settings, 300)
    fleet.start("a")
    cluster.journaled(fleet.settings, 2000, fleet)
    asked = time.monotonic()
    assert fleet.terminate() == {"a": 0}, fleet.logs()
    assert time.monotonic() - asked < GRACE
    left = next(iter(cluster.ledgers(fleet.settings)))
    fleet.start("a")
    fleet.opened("a", times=2)

    restored = next(iter(cluster.ledgers(fleet.settings)))
    assert all(restored[number].next >= ledger.next for number, ledger in left.items())
    assert fleet.terminate() == {"a": 0}, fleet.logs()


def test_two_workers_of_one_identity_are_noticed(fleet: cluster.Workers) -> None:
    """Each takes the other's place in the group, until a commit shows one of them that it was fenced; that one ends."""
    fleet.start("a")
    fleet.opened("a")
    both = [fleet.processes["a"]]
    fleet.start("a")
    both.append(fleet.processes["a"])
    until = time.monotonic() + 40
    while all(process.poll() is None for process in both):
        assert time.monotonic() < until, fleet.logs()
        time.sleep(0.2)

    assert sorted((process.poll() for process in both), key=str) == [EXIT_CODE, None]
    assert len(critical(fleet, "a")) == 1
    fleet.processes["a"] = next(process for process in both if process.poll() is None)
    assert fleet.terminate() == {"a": 0}, fleet.logs()


def test_state_of_another_kind_is_refused_at_the_start_with_what_to_do(fleet: cluster.Workers, tmp_path: Path) -> None:
    send(fleet.settings, 20)
    fleet.start("a")
    cluster.journaled(fleet.settings, 200, fleet)
    fleet.opened("a")
    time.sleep(2.0)
    assert fleet.terminate() == {"a": 0}
    other = tmp_path / "other"
    other.mkdir()
    source = Path(__file__).parents[2] / "stream" / "packs" / "retail_bank" / "pack.yaml"
    (other / "pack.yaml").write_text(source.read_text().replace("zone: Asia/Shanghai", "zone: Europe/Prague"))
    fleet.settings = fleet.settings.model_copy(update={"pack": str(other)})
    fleet.start("b")

    assert fleet.processes["b"].wait(40) == EXIT_CODE, fleet.logs()
    [line] = critical(fleet, "b")
    assert "zone is Europe/Prague, was Asia/Shanghai" in line
    assert "another name" in line
    fleet.processes.pop("b")
