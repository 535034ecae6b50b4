"""Law: after a kill everything is back: rows, timers, ledger. The first event is decided right, and until then nobody is
told that the worker is ready.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stream.engine.partition import LEDGER
from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.settings import Settings
from tests.integration import cluster, worker_held
from tests.integration import test_outage as outage
from tests.integration import worker_trial as trial
from tests.rig.oracle import journal_replay

WAIT = 15_000
"""ms after a credit at which the pack fires: later than a restart takes, and not much."""


class Held(cluster.Workers):
    """Workers whose restores can be held."""

    def __init__(self, settings: Settings, where: Path) -> None:
        super().__init__(settings, where)
        self.held = where / "held"
        self.command = [sys.executable, worker_held.__file__, str(self.held)]

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log(name).read_text().splitlines() if line.startswith("{")]


class Page(NamedTuple):
    status: int
    text: str


def page(workers: Held, name: str, path: str) -> Page:
    """What the worker's newest process answers there; status 0 while nobody does."""
    ports = [line["port"] for line in workers.lines(name) if "port" in line]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=10) as found:
            return Page(found.status, found.read().decode())
    except urllib.error.HTTPError as refused:
        return Page(refused.code, refused.read().decode())
    except OSError:
        return Page(0, "")


def wait(workers: Held, what: Callable[[], bool], patience: float = 40.0) -> None:
    until = time.monotonic() + patience
    while not what():
        workers.alive()
        assert time.monotonic() < until, workers.logs()
        time.sleep(0.1)


def state(settings: Settings) -> dict[bytes, bytes]:
    """The newest committed row of each customer; ledgers are left out."""
    rows = {message.key() or b"": message.value() or b"" for message in trial.read(settings, topics.STATE)}
    rows.pop(LEDGER)
    return rows


@pytest.mark.timeout(120)
def test_after_a_kill_all_is_back_and_nobody_is_ready_before(configured: Callable[..., Settings], tmp_path: Path) -> None:
    """30 customers owe; one worker is killed; 10 pay while it is down. It tells of the 20 others, on time and once."""
    pack = tmp_path / "pack.yaml"
    pack.write_text(outage.PACK.replace("$after", f"{WAIT // 1000}s"))
    settings = configured(pack=str(pack), tick_interval=0.2, session_timeout=6.0)
    subjects = [f"C{number:02d}" for number in range(30)]
    topics.create(settings)
    workers = Held(settings, tmp_path / "workers")
    try:
        workers.start("a")
        workers.opened("a")
        now = time.time_ns() // 1_000_000
        paid = [outage.debit(each, now + 1) for each in subjects[:10]]
        lines = outage.log([outage.credit(each, now) for each in subjects], paid)
        publish(settings, lines[: -len(paid)], outage.NAME)
        cluster.decided(settings, cluster.proven(now + 1, "in.txn"), workers)
        workers.held.touch()
        workers.kill("a")
        publish(settings, lines[-len(paid) :], outage.NAME)
        workers.start("a")
        restoring(workers)
        workers.held.unlink()
        wait(workers, lambda: page(workers, "a", "/readyz").status == 200)
        outputs = outage.until(settings, lambda said: len(outage.triggers(said)) >= 50, 40.0)
        outage.goes_on(settings, workers, 1.0, "in.txn", "in.app")
        assert workers.terminate() == {"a": 0}, workers.logs()
    finally:
        workers.destroy()

    unpaid = outage.expected(outage.UNPAID, subjects[10:], lambda _: now + WAIT)
    assert outage.fired(outputs) == sorted(unpaid + outage.expected(outage.UNSEEN, subjects, lambda _: now + WAIT))
    as_if_never_killed(settings)
    said = [line for line in workers.lines("a") if line["event"] == "restoring"]
    assert said[-1]["records"] >= len(subjects)
    assert said[-1]["lag"] == 0


def restoring(workers: Held) -> None:
    """A worker in the middle of a restore: alive, not ready, and it says how far it is."""
    wait(workers, lambda: "is being restored" in page(workers, "a", "/readyz").text)
    wait(workers, lambda: "kairos_restore_records_total 0.0" not in page(workers, "a", "/metrics").text)
    ready, pages = page(workers, "a", "/readyz"), page(workers, "a", "/metrics").text

    assert (ready.status, json.loads(ready.text)["ok"]) == (503, False)
    assert "worker is restoring" in json.loads(ready.text)["why"]
    assert page(workers, "a", "/healthz").status == 200
    assert "kairos_partitions_restoring 0.0" not in pages
    assert 'kairos_worker_state{state="restoring"} 1.0' in pages
    assert [line["event"] for line in workers.lines("a")].count("assignment opened") == 1, "that of the first process"


def as_if_never_killed(settings: Settings) -> None:
    """Outputs and rows are those of an engine that read the journal from its beginning, without a break."""
    replay, sink = journal_replay(settings)
    want, got = (Counter(map(reports.canonical, outputs)) for outputs in (sink.outputs, cluster.said(settings)))

    assert got == want
    assert state(settings) == {key: row for partition in replay.partitions for key, row in partition.dump()}


@pytest.mark.timeout(90)
def test_who_comes_back_by_its_name_disturbs_nobody(configured: Callable[..., Settings], tmp_path: Path) -> None:
    """Static membership: killed and started again within its session, a worker gets its partitions back without a rebalance."""
    settings = configured(journal_partitions=4, session_timeout=30.0)
    topics.create(settings)
    workers = cluster.Workers(settings, tmp_path / "workers")
    try:
        for name in ("a", "b"):
            workers.start(name)
        workers.shared()
        before, others = workers.owned("b"), workers.log("a").read_bytes().count(cluster.OPENED)
        workers.kill("b")
        workers.start("b")
        workers.opened("b", times=workers.log("b").read_bytes().count(cluster.OPENED) + 1)
        assert (workers.owned("b"), workers.log("a").read_bytes().count(cluster.OPENED)) == (before, others), workers.logs()
        assert workers.terminate() == {"a": 0, "b": 0}, workers.logs()
    finally:
        workers.destroy()
