"""Law: an outage changes when things are said, never what. Workers that were away, a source that stands still, a clock that is
wrong, the wall clock with a restart before the deadline.

Rule: every log is small; what is expected is written down here, and compared with the replay where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream.domain.days import stamp
from stream.engine.clock import EVERY
from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.packs import loader
from stream.shell import reports
from stream.shell.kafka import topics
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, recorded
from stream.shell.replay import Collected, Replay, plain
from stream.shell.settings import Clock, Settings
from stream.wire.decode import subject_of
from tests.builders import MINUTE, START, Happening, posting, session
from tests.integration import cluster

PACK = """
name: outage
version: 1
zone: Asia/Shanghai
currency: CNY
rules:
  unpaid:
    mechanism: absence
    after: [{on: txn.entry.posted, where: [{field: credit_debit_indicator, in: [CRDT]}]}]
    until: [{on: txn.entry.posted, where: [{field: credit_debit_indicator, in: [DBIT]}]}]
    stages: [{moment: over, after: $after}]
    emits:
      over: &over
        type: dormancy.entering
        topic: dormancy
        purpose: service
        talk_track: unpaid
        zh: 已 {elapsed_s} 秒未付
        en: not paid for {elapsed_s} s
  unseen:
    mechanism: absence
    after: [{on: txn.entry.posted, where: [{field: credit_debit_indicator, in: [CRDT]}]}]
    until: [{on: app.session.started}]
    stages: [{moment: over, after: $after}]
    emits:
      over:
        <<: *over
        type: dormancy.entered
"""
UNPAID, UNSEEN = "dormancy.entering", "dormancy.entered"
"""What listens to in.txn only, and what listens to in.app, too."""
NAME = "outage.jsonl"
LAST = 130
"""Minutes that a log of the recorded clock covers: the workers are away for more than two hours of them."""
TEN_YEARS = 3653 * 24 * 60 * MINUTE

Lines = list[tuple[int, bytes, int]]
Fired = list[tuple[str, str, str]]
"""Type, subject and event time, sorted."""


@pytest.fixture
def pack(tmp_path: Path) -> Callable[[str], Path]:
    """A pack of two absences of this length."""

    def write(after: str) -> Path:
        path = tmp_path / "pack.yaml"
        path.write_text(PACK.replace("$after", after))
        return path

    return write


@contextmanager
def workers(settings: Settings, where: Path, *names: str) -> Iterator[cluster.Workers]:
    """Topics, and workers that are at it."""
    topics.create(settings)
    fleet = cluster.Workers(settings, where / "workers")
    try:
        begin(fleet, *names)
        yield fleet
    finally:
        fleet.destroy()


def begin(fleet: cluster.Workers, *names: str) -> None:
    for name in names:
        fleet.start(name)
    fleet.opened(*names)


def log(*events: Iterable[Happening]) -> Lines:
    """The events in recorded order, as `publish` takes them."""
    happened = sorted((event for some in events for event in some), key=lambda event: event.seen)
    lines = (replace(event, id=f"E{number}").line() for number, event in enumerate(happened, 1))
    return [(each.number, each.line, each.at) for each in recorded(Numbered(NAME, *each) for each in enumerate(lines, 1))]


def credit(subject: str, at: int) -> Happening:
    return posting(at, subject=subject)


def debit(subject: str, at: int) -> Happening:
    return posting(at, way="DBIT", subject=subject)


def minute(number: float) -> int:
    """UTC ms of a minute of the log."""
    return START + round(number * MINUTE)


def beats() -> Iterator[Happening]:
    """Somebody else's sessions, so that recorded time goes on to the end."""
    return (session(minute(number), subject="beat") for number in range(LAST + 1))


def replayed(pack: Path, lines: Lines) -> list[Output]:
    """What a replay of the log says."""
    sink = Collected()
    Replay(Engine(loader.load(str(pack)), "replay"), sink).run(
        recorded(Numbered(NAME, number, line) for number, line, _ in lines)
    )
    return sink.outputs


def triggers(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if output.topic in topics.TRIGGERS]


def bytes_of(outputs: list[Output]) -> list[bytes]:
    """The triggers, sorted; the mode apart."""
    return sorted(map(reports.canonical, triggers(outputs)))


def fired(outputs: list[Output]) -> Fired:
    return sorted(
        (each["type"].removesuffix(".v1"), each["subject"], each["data"]["context"]["event_time"])
        for each in map(plain, triggers(outputs))
    )


def expected(kind: str, subjects: Iterable[str], at: Callable[[str], int]) -> Fired:
    return [(kind, subject, stamp(at(subject))) for subject in subjects]


def until(settings: Settings, enough: Callable[[list[Output]], bool], patience: float) -> list[Output]:
    """Everything said, once it is enough or patience has ended; the checks say which."""
    end = time.monotonic() + patience
    while not enough(outputs := cluster.said(settings)) and time.monotonic() < end:
        time.sleep(cluster.PAUSE)
    return outputs


def goes_on(settings: Settings, fleet: cluster.Workers, seconds: float, *sources: str) -> None:
    """Return when time, by these sources, has gone on for so long from now."""
    cluster.decided(settings, cluster.proven(time.time_ns() // 1_000_000 + round(seconds * 1000), *sources), fleet)


def clocks(settings: Settings) -> list[cluster.Clock]:
    """What every journal partition knows of time."""
    with closing(cluster.ledgers(settings)) as looks:
        found = next(each for each in looks if len(each) == settings.journal_partitions)
    return [ledger.clock for ledger in found.values()]


# Workers that were away


@pytest.mark.timeout(90)
def test_what_piled_up_while_no_worker_ran_counts(
    configured: Callable[..., Settings], pack: Callable[[str], Path], tmp_path: Path
) -> None:
    """Deadlines passed while nobody worked: who paid in time, as the backlog shows, is left alone; the others are told."""
    path = pack("30m")
    settings = configured(clock=Clock.RECORDED, pack=str(path), idle_after=1.0, session_timeout=6.0)
    subjects = [f"C{number:02d}" for number in range(60)]
    began = {subject: minute(number / 10) for number, subject in enumerate(subjects)}
    in_time, too_late, never = subjects[::3], subjects[1::3], subjects[2::3]

    def deadline(subject: str) -> int:
        return began[subject] + 30 * MINUTE

    lines = log(
        (credit(subject, began[subject]) for subject in subjects),
        (debit(subject, deadline(subject) - 1) for subject in in_time),
        (debit(subject, deadline(subject)) for subject in too_late),
        (session(deadline(subject) - MINUTE, subject=subject) for subject in never),
        beats(),
    )
    before = [line for line in lines if line[2] < minute(7)]

    with workers(settings, tmp_path, "a", "b") as fleet:
        publish(settings, before, NAME, finish=False)
        cluster.decided(settings, cluster.proven(minute(5), EVERY), fleet)
        assert set(fleet.terminate().values()) == {0}, fleet.logs()
        early = cluster.said(settings)
        publish(settings, lines[len(before) :], NAME)
        begin(fleet, "a", "b")
        cluster.decided(settings, cluster.end_of_log(lines[-1][2]), fleet)
        outputs = cluster.said(settings)

    assert triggers(early) == []
    unpaid = expected(UNPAID, too_late + never, deadline)
    assert fired(outputs) == sorted(unpaid + expected(UNSEEN, in_time + too_late, deadline))
    assert bytes_of(outputs) == bytes_of(replayed(path, lines))


# A source that stands still


@pytest.mark.timeout(90)
def test_a_source_that_stopped_in_an_old_log_stops_no_other_and_proves_no_absence(
    configured: Callable[..., Settings], pack: Callable[[str], Path], tmp_path: Path
) -> None:
    """in.app stops without its end marker: what listens to in.txn only is worked off, the rest waits until in.app is back."""
    path = pack("30m")
    settings = configured(clock=Clock.RECORDED, pack=str(path), idle_after=1.0)
    subjects = [f"C{number:02d}" for number in range(20)]
    lines = log(
        (credit(subject, minute(0)) for subject in subjects),
        (session(minute(1), subject="beat"),),
        (session(minute(2), subject=subject) for subject in subjects[::2]),
        (debit(subject, minute(LAST)) for subject in subjects),
    )
    late = [line for line in lines if b"app.session" in line[1] and line[2] > minute(1)]

    with workers(settings, tmp_path, "a") as fleet:
        produce(settings, [line for line in lines if line not in late])
        until(settings, lambda said: len(triggers(said)) >= len(subjects), 20.0)
        # longer than the silent source needs to count as idle
        time.sleep(3.0)
        meanwhile = cluster.said(settings)
        publish(settings, late + lines[-1:], NAME)
        cluster.decided(settings, cluster.end_of_log(minute(LAST)), fleet)
        outputs = cluster.said(settings)

    def deadline(subject: str) -> int:
        return minute(30)

    assert fired(meanwhile) == expected(UNPAID, subjects, deadline)
    assert fired(outputs) == sorted(fired(meanwhile) + expected(UNSEEN, subjects[1::2], deadline))


def produce(settings: Settings, lines: Lines) -> None:
    """The lines as separate systems send them: nobody knows how far the log as a whole has come."""
    producer = Producer(librdkafka(settings))
    for _, line, _ in lines:
        topic = "in.app" if b"app.session" in line else "in.txn"
        producer.produce(settings.topic(topic), line, subject_of((), line))
    assert producer.flush(30) == 0


@pytest.mark.timeout(90)
def test_deadlines_wait_for_the_sources_they_listen_to_and_for_no_other(
    configured: Callable[..., Settings], pack: Callable[[str], Path], tmp_path: Path
) -> None:
    """By wall clock, in.app hangs in an open transaction: what listens to in.txn only goes on; the rest waits for it."""
    settings = configured(pack=str(pack("5s")), tick_interval=0.2, idle_after=0.5)

    with workers(settings, tmp_path, "a") as fleet:
        # the deadline lies well after the transaction has opened, however slow the machine
        now = time.time_ns() // 1_000_000
        with hanging(settings, session(now + 500, subject="C1", id="S1")):
            publish(settings, log([credit("C1", now), credit("C2", now)]), NAME)
            until(settings, lambda said: len(triggers(said)) >= 2, 20.0)
            # longer than a silent source needs to count as idle, twice over
            goes_on(settings, fleet, 1.0, "in.txn")
            meanwhile = cluster.said(settings)
        outputs = until(settings, lambda said: len(triggers(said)) >= 3, 10.0)
        fleet.alive()

    def deadline(subject: str) -> int:
        return now + 5000

    assert fired(meanwhile) == expected(UNPAID, ["C1", "C2"], deadline)
    # the session of C1 comes to light with the transaction, and it was in time
    assert fired(outputs) == sorted(fired(meanwhile) + expected(UNSEEN, ["C2"], deadline))


@contextmanager
def hanging(settings: Settings, event: Happening) -> Iterator[None]:
    """The event is in in.app, in a transaction that is committed only in the end: nobody reads on before that."""
    producer = Producer({**librdkafka(settings), "transactional.id": f"{settings.app_id}-hanging", "linger.ms": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(settings.topic("in.app"), event.line(stamped=False), event.subject.encode(), 0)
    producer.flush(30)
    yield
    producer.commit_transaction(30)


# A clock that is wrong


@pytest.mark.timeout(90)
def test_a_stamp_of_the_far_future_moves_nobodys_deadline(
    configured: Callable[..., Settings], pack: Callable[[str], Path], tmp_path: Path
) -> None:
    """Ten years ahead, with a recorded time and without: dead, no B of anybody, no A of anybody, and no progress of time."""
    path = pack("30m")
    settings = configured(clock=Clock.RECORDED, pack=str(path), idle_after=1.0)
    subjects = [f"C{number}" for number in range(10)]
    sound = log((credit(subject, minute(0)) for subject in subjects), (debit("C0", minute(29)),), beats())
    wrong = [
        replace(debit("C1", minute(10) + TEN_YEARS), id="W1", recorded=minute(10)).line(),
        replace(session(minute(10) + TEN_YEARS, subject="C2"), id="W2").line(stamped=False),
        replace(credit("C99", minute(10) + TEN_YEARS), id="W3").line(stamped=False),
    ]
    at = next(place for place, line in enumerate(sound) if line[2] > minute(10))
    mixed = [line for _, line, _ in sound[:at]] + wrong + [line for _, line, _ in sound[at:]]
    lines = [(each.number, each.line, each.at) for each in recorded(Numbered(NAME, *each) for each in enumerate(mixed, 1))]

    with workers(settings, tmp_path, "a") as fleet:
        publish(settings, lines, NAME)
        cluster.decided(settings, cluster.end_of_log(minute(LAST)), fleet)
        outputs = cluster.said(settings)
        known = clocks(settings)

    def deadline(subject: str) -> int:
        return minute(30)

    dead = [dict(output.headers) for output in outputs if output.topic == topics.DEAD]
    assert [each["__kairos.errors.code"] for each in dead] == [b"FUTURE_STAMP"] * len(wrong)
    assert sorted(each["ce_id"] for each in dead) == [b"W1", b"W2", b"W3"]
    assert fired(outputs) == sorted(expected(UNPAID, subjects[1:], deadline) + expected(UNSEEN, subjects, deadline))
    assert bytes_of(outputs) == bytes_of(replayed(path, lines))
    assert {max(clock.vector.values()) for clock in known} == {minute(LAST)}


# The wall clock


@pytest.mark.timeout(90)
@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_a_deadline_by_wall_clock_fires_once_and_soon(
    configured: Callable[..., Settings], pack: Callable[[str], Path], tmp_path: Path, killed: bool
) -> None:
    """Five seconds after the event, by a worker that stayed or by one that was killed and came back in between."""
    settings = configured(pack=str(pack("5s")), tick_interval=0.2, session_timeout=6.0)

    with workers(settings, tmp_path, "a") as fleet:
        now = time.time_ns() // 1_000_000
        due = now + 5000
        publish(settings, log([credit("C1", now), credit("C2", now), debit("C2", now + 1)]), NAME)
        if killed:
            cluster.decided(settings, cluster.proven(now + 1, "in.txn"), fleet)
            fleet.kill("a")
            fleet.start("a")
        outputs = until(settings, lambda said: len(triggers(said)) >= 3, 20.0)
        late = time.time() - due / 1000
        goes_on(settings, fleet, 1.0, "in.txn", "in.app")
        after = cluster.said(settings)
        fleet.alive()

    def deadline(subject: str) -> int:
        return due

    assert fired(outputs) == sorted(expected(UNPAID, ["C1"], deadline) + expected(UNSEEN, ["C1", "C2"], deadline))
    assert 0 <= late < 10.0
    assert fired(after) == fired(outputs)
