"""One log, one outcome: the default pack over a simulated bank with one bad line in a hundred, however the work is cut.

What is compared is what the product publishes: canonical lines (`stream.shell.reports`), dead letters by value and code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import orjson
import pytest

from stream.domain.days import MINUTE
from stream.domain.events import Order, Record
from stream.engine import partition as room
from stream.engine.clock import EVERY
from stream.engine.decision import Counts, Decision, Output
from stream.engine.engine import Engine
from stream.engine.partition import Partition
from stream.packs.loader import load
from stream.shell import reports
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Collected, Replay
from stream.simulator import Bank, poison
from stream.wire.outputs import SUPPRESSED
from stream.wire.reading import read
from stream.wire.registry import topic_of
from tests.builders import LOG, Said, journal, journaled, restored, run, ticked
from tests.histories import skewed
from tests.laws.test_engine_recorded import _read as happenings

ROOT = Path(__file__).parents[2]
ENGINE = Engine(load(), "replay")
PROGRAM = "from tests.laws.test_engine_replay import fingerprint; print(fingerprint())"


class Heard(NamedTuple):
    """What came out, in an order of its own."""

    triggers: list[bytes]
    suppressed: list[bytes]
    dead: list[tuple[bytes, bytes]]
    outcomes: dict[str, int]


def simulated(customers: int = 120, days: int = 100, share: float = 0.01) -> list[Recorded]:
    """A bank's log, with bad lines."""
    lines = poison(Bank(customers, days, seed=6).events(), share, seed=2)
    return list(recorded(Numbered(LOG, place, line) for place, (_, line) in enumerate(lines, 1)))


def spoken(outputs: Sequence[Output]) -> tuple[list[Output], list[Output], list[Output]]:
    """Triggers, suppressed ones, dead letters."""
    dead = [each for each in outputs if each.topic == "dlq"]
    suppressed = [each for each in outputs if each.topic == "out.suppressed"]
    return [each for each in outputs if each.topic.startswith("out.trigger.")], suppressed, dead


def heard(outputs: Sequence[Output], counts: Counts) -> Heard:
    """The canonical form of a run."""
    triggers, suppressed, dead = spoken(outputs)
    assert len(triggers) + len(suppressed) + len(dead) == len(outputs)
    return Heard(
        sorted(map(reports.canonical, triggers)),
        sorted(map(reports.canonical, suppressed)),
        sorted((each.value or b"", reports.dead_letter(each)[0].value.encode()) for each in dead),
        reports.labelled(counts, "outcome"),
    )


def replayed(log: Sequence[Recorded], partitions: int = 1, chunk: int = 4000, engine: Engine = ENGINE) -> Heard:
    """The log through the replay driver."""
    sink = Collected()
    counts = Replay(engine, sink, partitions, chunk).run(log)
    return heard(sink.outputs, counts)


def fingerprint() -> str:
    """The digest that a replay reports, with the dead letters and the suppressed behind it."""
    sink = Collected()
    Replay(Engine(load(), "replay"), sink, partitions=2, chunk=100).run(simulated(40, 60))
    triggers, suppressed, dead = spoken(sink.outputs)
    codes = Counter(reports.dead_letter(each)[0].value for each in dead)
    return f"{reports.digest(triggers)} {reports.digest(suppressed)} {sorted(codes.items())}"


def sequenced(log: Sequence[Recorded]) -> list[Record]:
    """The log as a journal of its own order, with a tick whenever a minute has passed."""
    return journal(_sequenced(log))


def _sequenced(log: Sequence[Recorded]) -> Iterator[Record]:
    grid = 0
    for at, _, number, line in log:
        if at // MINUTE > grid:
            grid = at // MINUTE
            yield ticked({EVERY: at - 1})
        yield journaled(line, number, at, Order.SEQUENCED)
    yield ticked({EVERY: log[-1].at})


def walled(log: Sequence[Recorded], every: int) -> list[Record]:
    """The log as ingest writes it live: per source topic its own offsets, a true tick every so many lines."""
    records: list[Record] = []
    offsets: Counter[str] = Counter()
    for place, (at, _, _, line) in enumerate(log):
        kind = orjson.loads(line)["type"] if line.endswith(b"}") and line.isascii() else ""
        topic = topic_of(kind) or "in.redrive"
        records.append(journaled(line, offsets[topic], at, Order.WALL, topic))
        offsets[topic] += 1
        if place % every == 0:
            records.append(ticked(dict.fromkeys(("in.txn", "in.account", "in.app", "in.consent", "in.contact"), at - 1)))
    topics = ("in.txn", "in.account", "in.app", "in.consent", "in.contact", "in.feedback", "in.party", "in.redrive")
    return journal([*records, ticked(dict.fromkeys(topics, log[-1].at))])


def outcomes(out: Said) -> dict[str, int]:
    """How many records had which outcome."""
    return reports.labelled(out.counts, "outcome")


@pytest.fixture(scope="module")
def log() -> list[Recorded]:
    return simulated()


@pytest.fixture(scope="module")
def small(log: list[Recorded]) -> list[Recorded]:
    return log[:4000]


@pytest.fixture(scope="module")
def sink(log: list[Recorded]) -> tuple[list[Output], Counts]:
    collected = Collected()
    counts = Replay(ENGINE, collected).run(log)
    return collected.outputs, counts


@pytest.fixture(scope="module")
def whole(sink: tuple[list[Output], Counts]) -> Heard:
    return heard(*sink)


# --- the cut


@pytest.mark.parametrize(("partitions", "chunk"), [(1, 7), (1, 10**9), (2, 4000), (8, 10**9)])
def test_any_cut_says_the_same(log: list[Recorded], whole: Heard, partitions: int, chunk: int) -> None:
    """Chunks of 7 and all, on 1, 2 and 8 partitions."""
    assert replayed(log, partitions, chunk) == whole


@pytest.mark.parametrize("partitions", [1, 2, 8])
@pytest.mark.parametrize("chunk", [1, 7])
def test_smallest_cuts_say_the_same(small: list[Recorded], partitions: int, chunk: int) -> None:
    """Chunks of 1 and 7 on any number of partitions, over a shorter log."""
    assert replayed(small, partitions, chunk) == replayed(small)


def test_log_is_worth_comparing(sink: tuple[list[Output], Counts]) -> None:
    """Every trigger type of the pack comes up, something is suppressed, every kind of bad line is dead."""
    triggers, suppressed, dead = spoken(sink[0])

    assert len({reports.kind_of(each.headers) for each in triggers}) >= 14
    assert suppressed
    assert len({reports.dead_letter(each)[0] for each in dead}) == 8


def test_live_and_replay_differ_in_one_attribute(log: list[Recorded], whole: Heard) -> None:
    """`kairosmode` says which it was; everything else is the same."""
    assert replayed(log, engine=Engine(load(), "live")) == whole


def test_two_runs_of_one_engine_share_nothing(log: list[Recorded], whole: Heard) -> None:
    """What an engine has seen before does not show."""
    engine = Engine(load(), "replay")
    replayed(log[::-1][:500], engine=engine)

    assert replayed(log, engine=engine) == whole


def test_hash_seed_does_not_matter() -> None:
    """Processes with PYTHONHASHSEED 0, 1 and random report the same digest."""
    said = set()
    for seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        said.add(done.stdout.strip())

    assert said == {fingerprint()}


# --- restarts


@pytest.mark.parametrize(("chunk", "every"), [(7, 11), (100, 1), (1000, 3)])
def test_restart_at_any_boundary_says_the_same(small: list[Recorded], chunk: int, every: int) -> None:
    """A new owner reads rows and ledger at boundary after boundary and goes on."""
    records = sequenced(small)

    got, want = run(ENGINE, records, chunk, restart_every=every), run(ENGINE, records)

    assert len(want.types) >= 10
    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)


@pytest.mark.parametrize("every", [1, 60, 900])
def test_restart_under_a_live_clock_says_the_same(small: list[Recorded], every: int) -> None:
    """The same where only ticks fire, few or many."""
    records = walled(small, every)

    got, want = run(ENGINE, records, 150, restart_every=1), run(ENGINE, records)

    assert len(want.triggers) > 100
    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)


@pytest.mark.parametrize("most", [1, 3])
def test_restart_between_slices_says_the_same(small: list[Recorded], most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick worked off one or three customers a decision, with a restart after every one or some of them."""
    seen, live = sequenced(small[:2000]), walled(small, 300)
    want, want_live = run(ENGINE, seen), run(ENGINE, live)
    monkeypatch.setattr(room, "SLICE", most)

    got, got_live = run(ENGINE, seen, 50, restart_every=3), run(ENGINE, live, 150, restart_every=1)

    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)
    assert (got_live.triggers, got_live.dead, got_live.counts) == (want_live.triggers, want_live.dead, want_live.counts)


def test_slices_cut_ticks(small: list[Recorded], monkeypatch: pytest.MonkeyPatch) -> None:
    """The law above is not empty: one tick takes many decisions, and the ledger stands before it until it is done."""
    monkeypatch.setattr(room, "SLICE", 1)
    records = walled(small, 10**9)[2:]  # without the first line and the tick after it
    partition = Partition(ENGINE, 0)
    partition.accept(partition.decide(records[:-1]))

    decisions: list[Decision] = []
    while not decisions or not decisions[-1].consumed:
        decisions.append(partition.decide(records[-1:]))
        partition.accept(decisions[-1])
        assert partition.next_offset == records[-1].offset + decisions[-1].consumed

    assert len(decisions) > 50


def test_decision_made_durable_twice_restores_the_same(small: list[Recorded]) -> None:
    """An aborted transaction sends the same decision again: the state topic holds its rows twice."""
    records = sequenced(small[:1500])
    first, state = Partition(ENGINE, 0), dict[bytes, bytes | None]()
    decision = first.decide(records[:900])
    for key, value in [*decision.rows, *decision.rows]:
        state[key] = value
    first.accept(decision)

    again = restored(ENGINE, state)

    assert again.next_offset == first.next_offset
    assert again.decide(records[900:]).outputs == first.decide(records[900:]).outputs


# --- counts


def test_counts_reconcile(sink: tuple[list[Output], Counts], log: list[Recorded]) -> None:
    """processed + unhandled + dead + filtered = read; nothing waits."""
    outputs, counts = sink
    found = reports.read(counts, reports.events_of(counts))

    assert reports.events_of(counts) == counts["lines",] == len(log)
    assert sum(found["outcomes"].values()) == len(log)
    assert found["reconciled"]
    assert found["outcomes"]["dead"] == len(spoken(outputs)[2]) == sum(reports.labelled(counts, "rejected").values())
    assert found["outcomes"]["unhandled"] == sum(found["unhandled"].values())
    assert found["outcomes"]["filtered"] == sum(found["filtered"].values())


def test_every_candidate_is_a_trigger_or_suppressed(sink: tuple[list[Output], Counts]) -> None:
    """By rule and by type."""
    outputs, counts = sink
    triggers, suppressed, _ = spoken(outputs)
    by_type = Counter[str]()
    for key, number in counts.items():
        if key[0] == "trigger":
            by_type[key[2]] += number

    assert by_type == Counter(reports.kind_of(each.headers) for each in triggers)
    assert sum(reports.labelled(counts, "candidate").values()) == len(triggers) + len(suppressed)


def test_everything_that_goes_out_decodes_strictly(sink: tuple[list[Output], Counts]) -> None:
    """As strict as the published schemas; the key is the customer's, an id comes once."""
    triggers, suppressed, _ = spoken(sink[0])

    for output in triggers:
        assert read(reports.kind_of(output.headers), output.value or b"").subject.ref.encode() == output.key
    for output in suppressed:
        assert read(SUPPRESSED, output.value or b"").reasons
    ids = [dict(output.headers)["ce_id"] for output in triggers]
    assert len(set(ids)) == len(ids)


# --- what comes twice


def test_retries_of_a_producer_change_nothing(log: list[Recorded], whole: Heard) -> None:
    """The same source and id again, recorded a little later at another line: filtered, or unhandled again."""
    chance, again = Random(5), list[tuple[int, Recorded]]()
    for place, line in enumerate(log):
        behind = min(place + chance.randint(1, 9), len(log) - 1)
        is_sound = b'"source":"poison"' not in line.line
        if chance.random() < 0.1 and is_sound and log[behind].at > line.at:
            again.append((behind, line._replace(at=log[behind].at, number=10**6 + place)))
    retried = sorted([*enumerate(log), *again], key=lambda placed: placed[0])

    got = replayed([line for _, line in retried])

    more = {name: got.outcomes.get(name, 0) - whole.outcomes.get(name, 0) for name in got.outcomes}
    assert len(again) > 500
    assert got[:3] == whole[:3]
    assert more == {"processed": 0, "dead": 0, "unhandled": more.get("unhandled", 0), "filtered": more["filtered"]}
    assert more["filtered"] + more["unhandled"] == len(again)
    assert more["filtered"] > 400


@pytest.mark.parametrize("order", [Order.WALL, Order.RECORDED])
@pytest.mark.parametrize("restart", [0, 1])
def test_same_coordinates_again_are_filtered(log: list[Recorded], order: Order, restart: int) -> None:
    """A zombie ingest journals stretches again, ticks and all, bad lines and all: filtered, counted, without effect."""
    if order is Order.WALL:
        records = walled(log[:4000], 40)
    else:
        sound = [line.line for line in log[:4000] if b'"source":"poison"' not in line.line]
        records = journal(skewed(happenings(sound), Random(1), 60, 0.3, log[4000].at))
    chance, doubled, extra = Random(8), list[Record](), 0
    for place, record in enumerate(records):
        doubled.append(record)
        if chance.random() < 0.02:
            stretch = records[max(0, place - chance.randint(0, 80)) : place + 1]
            doubled += stretch
            extra += sum(each.value != b"" for each in stretch)

    got, want = run(ENGINE, journal(doubled), 300, restart), run(ENGINE, records)

    assert extra > 1000
    assert (got.triggers, got.dead) == (want.triggers, want.dead)
    assert got.counts["filtered", "DUPLICATE_DELIVERY"] == extra
    assert sum(outcomes(got).values()) == sum(outcomes(want).values()) + extra
    assert outcomes(got)["processed"] == outcomes(want)["processed"]
