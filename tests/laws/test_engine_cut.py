"""One log, one outcome, however the work is cut: in chunks, over partitions, in slices of a tick, by any process.

The logs are a simulated bank's with one bad line in a hundred, and small histories of hypothesis (late, equal, retried).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY
from stream.domain.events import Order, Record
from stream.engine import partition as room
from stream.engine.engine import Engine
from stream.packs.loader import load
from stream.shell import reports
from stream.shell.replay import Collected, Replay
from stream.wire.registry import SOURCES
from tests.builders import Happening, dormancy, instant, journal, journaled, pack, replayed, rich_pack, run, session, ticked
from tests.histories import histories
from tests.laws.bank import BOOKS, FIRST, RETAIL, RICH, Book, heard, outcomes, simulated, spoken

ROOT = Path(__file__).parents[2]
PROGRAM = "from tests.laws.test_engine_cut import fingerprint; print(fingerprint())"
each_book = pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)


def fingerprint() -> str:
    """The digest that a replay reports, with the dead letters and the suppressed behind it; all bytes of the rich pack."""
    sink = Collected()
    Replay(Engine(load(), "replay"), sink, partitions=2, chunk=100).run(simulated(12, 60))
    triggers, suppressed, dead = spoken(sink.outputs)
    codes = Counter(reports.dead_letter(each)[0].value for each in dead)
    out = replayed(Engine(rich_pack(), "replay"), [line.line for line in simulated(15, 40, 0.02)])
    rich = hashlib.sha256(repr((out.triggers, out.dead)).encode()).hexdigest()
    return f"{reports.digest(triggers)} {reports.digest(suppressed)} {sorted(codes.items())} {rich}"


@each_book
@pytest.mark.parametrize(("partitions", "chunk"), [(1, 10**9), (2, 10**9), (8, 4000)])
def test_any_cut_says_the_same(book: Book, partitions: int, chunk: int) -> None:
    """Large chunks and all, on 1, 2 and 8 partitions: the same bytes, the same outcomes."""
    got = replayed(book.engine, book.lines, partitions, chunk)

    assert (got.triggers, got.dead) == (book.whole.triggers, book.whole.dead)
    assert outcomes(got) == outcomes(book.whole)


@each_book
@pytest.mark.parametrize("partitions", [1, 2, 8])
@pytest.mark.parametrize("chunk", [1, 7])
def test_smallest_cuts_say_the_same(book: Book, partitions: int, chunk: int) -> None:
    """Chunks of 1 and 7 on any number of partitions, over a shorter log."""
    got = replayed(book.engine, book.lines[:FIRST], partitions, chunk)

    assert (got.triggers, got.dead, outcomes(got)) == (book.begun.triggers, book.begun.dead, outcomes(book.begun))


@settings(max_examples=100)
@given(histories(), st.sampled_from([(1, 1), (1, 7), (2, 3), (8, 40)]))
def test_any_history_says_the_same_in_any_cut(events: list[Happening], cut: tuple[int, int]) -> None:
    """The same for late, equal and retried events."""
    lines, end = [event.line() for event in events], events[-1].seen + 40 * DAY

    got = replayed(RICH.engine, lines, *cut, until=end)

    want = replayed(RICH.engine, lines, until=end)
    assert (got.triggers, got.dead) == (want.triggers, want.dead)


@pytest.mark.parametrize("most", [1, 3])
def test_slices_change_nothing(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A herd of deadlines worked off few at a time says the same."""
    want = RICH.whole.triggers
    monkeypatch.setattr(room, "SLICE", most)

    got = replayed(RICH.engine, RICH.lines)

    assert got.triggers == want


def test_logs_are_worth_comparing() -> None:
    """Every trigger type of the pack comes up, something is suppressed, every kind of bad line is dead."""
    triggers, suppressed, dead = spoken(RETAIL.run[0])

    assert len({reports.kind_of(each.headers) for each in triggers}) >= 14
    assert suppressed
    assert len({reports.dead_letter(each)[0] for each in dead}) == 8
    assert len(RICH.whole.types) > 14


def test_live_and_replay_differ_in_one_attribute() -> None:
    """`kairosmode` says which it was; everything else is the same."""
    sink = Collected()
    counts = Replay(Engine(load(), "live"), sink).run(RETAIL.log)

    assert heard(sink.outputs, counts) == heard(*RETAIL.run)


def test_two_runs_of_one_engine_share_nothing() -> None:
    """What an engine has seen before does not show."""
    engine = Engine(load(), "replay")
    replayed(engine, RETAIL.lines[::-1][:500])

    got = replayed(engine, RETAIL.lines)

    assert (got.triggers, got.dead, outcomes(got)) == (RETAIL.whole.triggers, RETAIL.whole.dead, outcomes(RETAIL.whole))


def test_hash_seed_does_not_matter() -> None:
    """Processes with PYTHONHASHSEED 0, 1 and random report the same digests."""
    said = set()
    for seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        said.add(done.stdout.strip())

    assert said == {fingerprint()}


# --- one journal, several orders: a deployment that was told another clock


def several_orders(events: list[Happening], orders: list[Order], seed: int) -> list[Record]:
    """The log in stretches of these orders, with proofs of any age in between."""
    records: list[Record] = []
    clock, offsets, chance = dict.fromkeys(SOURCES, 1), Counter[str](), Random(seed)
    turns = sorted(chance.randint(0, len(events)) for _ in orders[1:])
    for place, event in enumerate(events):
        offsets[event.topic] += 1
        order = orders[sum(turn <= place for turn in turns)]
        records.append(journaled(event.line(), offsets[event.topic], event.seen, order, event.topic))
        if chance.random() < 0.3:
            clock = {topic: max(at, chance.randint(event.seen - 2 * DAY, event.seen + DAY)) for topic, at in clock.items()}
            records.append(ticked(clock))
    return journal([*records, ticked(dict.fromkeys(SOURCES, events[-1].seen + 40 * DAY))])


@settings(max_examples=100)
@given(histories(), st.lists(st.sampled_from(Order), min_size=2, max_size=5), st.sampled_from([1, 5]), st.integers(0, 2**32))
def test_chunks_and_restarts_do_not_matter_where_the_order_changes(
    events: list[Happening], orders: list[Order], chunk: int, seed: int
) -> None:
    """What is held under one clock and due under the next does not depend on where a chunk ends."""
    records = several_orders(events, orders, seed)

    got, kept = run(RICH.engine, records, chunk, restart_every=1), run(RICH.engine, records, chunk)

    want = run(RICH.engine, records)
    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)
    assert (kept.triggers, kept.dead, kept.counts) == (want.triggers, want.dead, want.counts)


@pytest.mark.parametrize("chunk", [1, 10])
def test_event_held_under_one_clock_is_released_no_further_than_its_turn(chunk: int) -> None:
    """Another customer's later line, though of the same chunk, does not make a silence of this one's."""
    engine = Engine(pack({"dormancy": dormancy()}))
    held, back, other = (session(instant(day), subject=who, id=f"E{day}") for day, who in ((0, "C1"), (5, "C1"), (9, "C2")))
    records = [
        journaled(held.line(), 1, held.seen, Order.RECORDED, "in.app"),
        *(journaled(each.line(), place, each.seen, Order.SEQUENCED) for place, each in enumerate((back, other), 1)),
    ]

    assert run(engine, journal(records), chunk).triggers == []
