"""Law: what the commands say of a deployment is what its workers did: topics, a published log, triggers, records, snapshots."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from stream.shell import reports
from stream.shell.cli.app import app
from stream.shell.logfile import Numbered, recorded
from stream.shell.settings import PREFIX, Clock, Settings
from stream.simulator import Bank, poison
from tests.integration import cluster

NAME = "bank.jsonl"


@pytest.fixture
def settings(configured: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """An old log in small chunks; the commands run in an empty folder, with these settings in the environment."""
    chosen = configured(clock=Clock.RECORDED, chunk=100, tick_interval=0.2, commit_interval=0.1)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, text in cluster.environment(chosen).items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, text)
    monkeypatch.chdir(tmp_path)
    return chosen


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[cluster.Workers]:
    made = cluster.Workers(settings, tmp_path)
    yield made
    made.destroy()


def kairos(*words: str, code: int = 0) -> Result:
    """One command, in this process; it ends with this code."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def events(folder: str) -> list[dict[str, Any]]:
    """The triggers of a report, without saying that they are a replay's."""
    lines = (Path(folder) / reports.TRIGGERS).read_bytes().splitlines()
    return [event for event in map(msgspec.json.decode, lines) if event.pop("kairosmode") == "replay"]


def by_id(triggers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(triggers, key=lambda event: str(event["id"]))


def joined(name: str, *parts: str) -> str:
    """One log of several."""
    Path(name).write_bytes(b"".join(Path(part).read_bytes() for part in parts))
    return name


@pytest.mark.timeout(120)
def test_the_commands_tell_what_a_worker_did(settings: Settings, workers: cluster.Workers) -> None:
    """From no topics at all to a replay of the second half of the journal, from a snapshot taken in its middle."""
    bad, lines = 0, []
    for code, line in poison(Bank(60, 60, seed=4).events(), 0.01, seed=3):
        bad += code is not None
        lines.append(line)
    Path(NAME).write_bytes(b"".join(line + b"\n" for line in lines))
    last = [each.at for each in recorded(Numbered(NAME, number, line) for number, line in enumerate(lines, 1))][-1]

    assert kairos("topics", "check", code=1).output.count("missing; `kairos topics create`") == 19
    assert "19 made, 0 were there" in kairos("topics", "create", "--partitions", "in.txn=3").output
    kairos("topics", "check")
    workers.start("a")
    workers.up()
    sent = dict(re.findall(r"(in\.\w+): ([\d,]+)", kairos("publish", NAME, "--rate", "1000").stdout))
    cluster.decided(settings, cluster.end_of_log(last), workers, patience=60)

    assert sum(int(number.replace(",", "")) for number in sent.values()) == len(lines)
    reconciled(workers, len(lines), bad)
    assert workers.terminate() == {"a": 0}, workers.logs()

    kairos("record", "in.txn", "--out", "in.txn.jsonl")
    assert len(Path("in.txn.jsonl").read_bytes().splitlines()) == int(sent["in.txn"].replace(",", ""))
    kairos("record", "journal", "--out", "journal.jsonl.zst")
    kairos("replay", "journal.jsonl.zst", "--out", "whole")
    whole, told = events("whole"), list(map(msgspec.json.decode, kairos("tail").stdout.splitlines()))
    assert {event.pop("kairosmode") for event in told} == {"live"}
    assert by_id(told) == by_id(whole)
    assert len(whole) > 100
    for what, number in (("suppressed", len(Path("whole", reports.SUPPRESSED).read_bytes().splitlines())), ("dlq", bad)):
        assert len(kairos("tail", what).stdout.splitlines()) == number > 0

    first, second = halves(settings)
    assert "kairos snapshot" in kairos("replay", second, "--out", "refused", code=2).output
    kairos("replay", first, "--out", "first")
    kairos("replay", second, "--state", "state.jsonl", "--out", "second")
    # how many of them had been told by the cut is up to the ticks, and these to the machine
    assert len(events("second")) > 20
    assert by_id(events("first") + events("second")) == by_id(whole)


def reconciled(workers: cluster.Workers, read: int, dead: int, patience: float = 10.0) -> None:
    """Whatever was sent is consumed, has one outcome, and is among the dead letters if it is bad; counted at the commit."""
    names = [f"kairos_{each}_total" for each in ("events_consumed", "events_processed", "dlq_records")]
    until = time.monotonic() + patience
    while (counted := [workers.counted("a", name) for name in names]) != [read, read, dead] and time.monotonic() < until:
        time.sleep(cluster.PAUSE)
    assert counted == [read, read, dead]


def halves(settings: Settings) -> tuple[str, str]:
    """The journal in two logs, cut where a snapshot says; the snapshot is in state.jsonl."""
    asked = {number: end // 2 for number, end in cluster.journal_ends(settings).items()}
    at = [word for number, offset in asked.items() for word in ("--at", f"{number}={offset}")]
    said = kairos("snapshot", *at, "--out", "state.jsonl").stderr
    cuts = dict(re.findall(r"kairos record journal --partition (\d+) --from (\d+)", said))
    assert set(map(int, cuts)) == set(asked)
    assert all(0 < int(cut) <= asked[int(number)] for number, cut in cuts.items())
    for number, cut in cuts.items():
        kairos("record", "journal", "--partition", number, "--to", cut, "--out", f"first-{number}.jsonl")
        kairos("record", "journal", "--partition", number, "--from", cut, "--out", f"second-{number}.jsonl")
    first, second = (joined(f"{half}.jsonl", *(f"{half}-{number}.jsonl" for number in cuts)) for half in ("first", "second"))
    return first, second
