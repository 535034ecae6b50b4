"""Law: one engine. What two workers told through Kafka, killed on the way, is what a replay tells: of the journal they left,
and of the log that was published, byte for byte in sorted order. With 1 % of bad input among it, every piece of it in the
dead letters and nothing else harmed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER
from stream.packs import loader
from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.kafka.record import Range, bounds, messages, record
from stream.shell.kafka.record import consumer as reading
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Collected, Replay
from stream.shell.settings import Clock, Settings
from stream.simulator import Bank, poison
from stream.wire.registry import topic_of
from tests.integration import cluster

NAME = "bank.jsonl"
THREE = ("in.txn", "in.account", "in.app")
PARTITIONS = {"in.txn": 3, "in.account": 5, "in.app": 4}
EVENTS = 200_000
RATE = 7_000.0
KILLS = (40_000, 90_000)
"""Journal records there at least when a worker is killed: the log is not over, however slow the machine."""
ERRORS = "__kairos.errors."


class Bad(NamedTuple):
    """What was bad on purpose."""

    lines: list[bytes]
    codes: Counter[str]


def bank(customers: int) -> Iterator[bytes]:
    """Events of three sources."""
    for line in Bank(customers, 120, seed=11).events():
        kind = line.partition(b'"type":"')[2].partition(b'"')[0].decode()
        if topic_of(kind) in THREE:
            yield line


def spoiled(lines: Iterable[bytes]) -> Bad:
    """The same with 1 % of eight kinds of bad input."""
    spoilt, codes = [], Counter[str]()
    for code, line in poison(lines, 0.01, seed=3):
        spoilt.append(line)
        if code is not None:
            codes[code] += 1
    return Bad(spoilt, codes)


def numbered(lines: Iterable[bytes]) -> list[Recorded]:
    """The lines with their recorded times."""
    return list(recorded(Numbered(NAME, number, line) for number, line in enumerate(lines, 1)))


@pytest.fixture(scope="module")
def log() -> list[Recorded]:
    """200,000 events, and what is bad among them."""
    lines = list(islice(bank(2_000), EVENTS))
    assert len(lines) == EVENTS
    return numbered(spoiled(lines).lines)


def replayed(log: Iterable[Recorded]) -> list[Output]:
    sink = Collected()
    Replay(Engine(loader.load("retail_bank"), "replay"), sink).run(log)
    return sink.outputs


def test_bad_input_dies_with_its_bytes_and_harms_nobody() -> None:
    """By replay: each bad line is dead for its reason, bytes as they came, and the triggers are those of the sound lines."""
    bad = spoiled(bank(200))
    outputs = replayed(numbered(bad.lines))
    died = {output.value or b"" for output in only_dead(outputs)}
    # coordinates are line numbers: the sound lines keep theirs
    kept = (Numbered(NAME, number, line) for number, line in enumerate(bad.lines, 1) if line not in died)

    assert Counter(map(code, only_dead(outputs))) == bad.codes
    assert told(outputs) == told(replayed(recorded(kept))) != []


def code(output: Output) -> str:
    return dict(output.headers)[f"{ERRORS}code"].decode()


def told(outputs: list[Output]) -> list[bytes]:
    """Triggers and what was suppressed, sorted; the mode apart."""
    return sorted(reports.canonical(output) for output in outputs if output.topic != topics.DEAD)


class Run(NamedTuple):
    """What two workers left behind, and how they were killed."""

    settings: Settings
    outputs: list[Output]
    kills: list[tuple[int, bool]]


@pytest.fixture
def run(configured: Callable[..., Settings], tmp_path: Path, log: list[Recorded]) -> Iterator[Run]:
    settings = configured(journal_partitions=4, clock=Clock.RECORDED, session_timeout=6.0, watchdog=60.0)
    topics.create(settings, PARTITIONS)
    workers = cluster.Workers(settings, tmp_path, holding=True)
    try:
        for name in ("a", "b"):
            workers.start(name)
        workers.opened("a", "b")
        lines = [(line.number, line.line, line.at) for line in log]
        publisher = threading.Thread(target=publish, args=(settings, lines, NAME), kwargs={"rate": RATE})
        publisher.start()
        kills = kill_twice(workers, settings)
        assert publisher.is_alive(), "expected the log to outlast the kills"
        publisher.join()
        cluster.decided(settings, cluster.end_of_log(log[-1].at), workers, patience=240)
        assert set(workers.terminate().values()) == {0}, workers.logs()
        yield Run(settings, cluster.said(settings), kills)
    finally:
        workers.destroy()


def kill_twice(workers: cluster.Workers, settings: Settings) -> list[tuple[int, bool]]:
    """Kill one worker -9 with its transaction open, and again; what it left undecided of its own, and whether it was."""
    kills = []
    for journaled in KILLS:
        workers.up()
        workers.shared()
        cluster.journaled(settings, journaled, workers)
        held, owned, ends = workers.hold("a"), workers.owned("a"), cluster.journal_ends(settings)
        workers.kill("a")
        # what was there before it was killed, and is not decided by whom it leaves it to either
        kills.append((sum(max(0, ends[number] - decided(settings, number)) for number in owned), held))
        workers.start("a")
    return kills


def decided(settings: Settings, number: int) -> int:
    """How far a journal partition is decided, as its last committed ledger says."""
    name = settings.topic(topics.STATE)
    with reading(settings) as reader:
        low, high = bounds(reader, name, number, Range())
        ledgers = [each.value() for each in messages(reader, name, number, low, high) if each.key() == LEDGER]
    return msgspec.json.decode(ledgers[-1], type=cluster.Ledger).next if ledgers else 0


@pytest.mark.timeout(400)
def test_two_workers_killed_on_the_way_tell_what_a_replay_tells(run: Run, log: list[Recorded]) -> None:
    """The journal's replay equals what was told, dead letters included; so do the log's triggers and suppressions."""
    journal = BytesIO()
    record(run.settings, topics.JOURNAL, journal)
    journal.seek(0)
    sink = Collected()
    Replay(Engine(loader.load("retail_bank"), "replay"), sink).journal(
        Numbered("journal.jsonl", number, line.rstrip(b"\n")) for number, line in enumerate(journal, 1)
    )
    by_log = replayed(log)

    assert all(behind > 0 for behind, _ in run.kills), run.kills
    assert any(held for _, held in run.kills), run.kills
    assert sorted(dead(run.outputs)) == sorted(dead(sink.outputs))
    assert told(run.outputs) == told(sink.outputs)
    assert told(run.outputs) == told(by_log)
    assert Counter(map(code, only_dead(run.outputs))) == Counter(map(code, only_dead(by_log)))


def only_dead(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if output.topic == topics.DEAD]


def dead(outputs: list[Output]) -> list[tuple[bytes, bytes]]:
    return [(output.value or b"", repr(sorted(output.headers)).encode()) for output in only_dead(outputs)]
