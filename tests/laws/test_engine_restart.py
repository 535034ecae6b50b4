"""A new owner goes on as if nothing had happened: restarts after any decision, between slices of a tick, under any clock."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY
from stream.domain.events import Order, Record
from stream.engine import partition as room
from stream.engine.clock import EVERY
from stream.engine.decision import Decision
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER, Partition
from tests import histories as small
from tests.builders import (
    START,
    Happening,
    dormancy,
    instant,
    journal,
    journaled,
    pack,
    posting,
    restored,
    run,
    ticked,
    tier,
    worked_off,
)
from tests.histories import histories
from tests.laws.bank import RETAIL, RICH, sequenced, walled


@pytest.mark.parametrize(("chunk", "every"), [(7, 11), (100, 1), (1000, 3)])
def test_restart_at_any_boundary_says_the_same(chunk: int, every: int) -> None:
    """A new owner reads rows and ledger at boundary after boundary and goes on."""
    records = sequenced(RETAIL.log[:4000])

    got, want = run(RETAIL.engine, records, chunk, restart_every=every), run(RETAIL.engine, records)

    assert len(want.types) >= 10
    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)


@pytest.mark.parametrize("every", [1, 60, 900])
def test_restart_under_a_live_clock_says_the_same(every: int) -> None:
    """The same where only ticks fire, few or many."""
    records = walled(RETAIL.log[:4000], every)

    got, want = run(RETAIL.engine, records, 150, restart_every=1), run(RETAIL.engine, records)

    assert len(want.triggers) > 100
    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)


@pytest.mark.parametrize("every", [1, 60, 900])
def test_rows_remember_no_restart_and_no_chunk(every: int) -> None:
    """What an owner has in memory besides the rows, such as alarms of deadlines that have moved, leaves no mark in them."""
    records = walled(RETAIL.log[:4000], every)

    got, want = worked_off(RETAIL.engine, records, 150, restart_every=1)[2], worked_off(RETAIL.engine, records)[2]

    assert len(want) > 50
    assert got == want


@pytest.mark.parametrize("restart_every", [0, 1])
def test_alarm_of_a_deadline_that_has_fallen_quiet_changes_no_row(restart_every: int) -> None:
    """Near a band at noon, far from it at three: whether the close is remembered as loud or not, nothing is written at it."""
    near = tier(first="observe", approaching={"within": 0.1, "days": 1})
    engine = Engine(pack({"tier": near}, {"aum": {"kind": "balances"}}))
    events = [posting(instant(0, 12), balance=190_000), posting(instant(0, 15), balance=40_000, id="P2")]
    heard = [journaled(each.line(), place, each.seen, Order.WALL, "in.txn") for place, each in enumerate(events)]
    clocks = [instant(0, 13), instant(0, 16), instant(1, 12)]
    ticks = [ticked(dict.fromkeys(("in.txn", "in.account"), at)) for at in clocks]
    records = journal([heard[0], ticks[0], heard[1], *ticks[1:]])

    rows, later = (worked_off(engine, some, 1, restart_every)[2] for some in (records[:-1], records))

    assert rows.keys() == later.keys() == {b"C1", LEDGER}
    assert rows[b"C1"] == later[b"C1"]


@pytest.mark.parametrize("most", [1, 3])
def test_restart_between_slices_says_the_same(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick worked off one or three customers a decision, with a restart after every one or some of them."""
    seen, live = sequenced(RETAIL.log[:2000]), walled(RETAIL.log[:4000], 300)
    want, want_live = run(RETAIL.engine, seen), run(RETAIL.engine, live)
    monkeypatch.setattr(room, "SLICE", most)

    got, got_live = run(RETAIL.engine, seen, 50, restart_every=3), run(RETAIL.engine, live, 150, restart_every=1)

    assert (got.triggers, got.dead, got.counts) == (want.triggers, want.dead, want.counts)
    assert (got_live.triggers, got_live.dead, got_live.counts) == (want_live.triggers, want_live.dead, want_live.counts)


def test_slices_cut_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law above is not empty: one tick takes many decisions, and the ledger stands before it until it is done."""
    monkeypatch.setattr(room, "SLICE", 1)
    records = walled(RETAIL.log[:4000], 10**9)[2:]  # without the first line and the tick after it
    partition = Partition(RETAIL.engine, 0)
    partition.accept(partition.decide(records[:-1]))

    decisions: list[Decision] = []
    while not decisions or not decisions[-1].consumed:
        decisions.append(partition.decide(records[-1:]))
        partition.accept(decisions[-1])
        assert partition.next_offset == records[-1].offset + decisions[-1].consumed

    assert len(decisions) > 50


def test_decision_made_durable_twice_restores_the_same() -> None:
    """An aborted transaction sends the same decision again: the state topic holds its rows twice."""
    records = sequenced(RETAIL.log[:1500])
    first, state = Partition(RETAIL.engine, 0), dict[bytes, bytes | None]()
    decision = first.decide(records[:900])
    for key, value in [*decision.rows, *decision.rows]:
        state[key] = value
    first.accept(decision)

    again = restored(RETAIL.engine, state)

    assert again.next_offset == first.next_offset
    assert again.decide(records[900:]).outputs == first.decide(records[900:]).outputs


# --- histories


@settings(max_examples=100)
@given(histories(), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32))
def test_restart_at_any_boundary_and_any_grid_of_ticks(events: list[Happening], chunk: int, every: int, seed: int) -> None:
    """A new owner reads rows and ledger and goes on; ticks may come as often or as rarely as they like."""
    end, chance = events[-1].seen + 40 * DAY, Random(seed)
    records: list[Record] = []
    for place, record in enumerate(small.sequenced(events)):
        if place and chance.random() < 0.5:
            at = chance.randint(events[place - 1].seen - DAY, events[place].seen - 1)
            records.append(ticked({EVERY: at}))
        records.append(record)
    final = ticked({EVERY: end})

    got = run(RICH.engine, journal([*records, final]), chunk, restart_every=every)

    want = run(RICH.engine, journal([*small.sequenced(events), final]))
    assert (got.triggers, got.dead) == (want.triggers, want.dead)


@settings(max_examples=60)
@given(histories(most=25), st.integers(1, 3), st.integers(1, 2))
def test_restart_between_slices(events: list[Happening], most: int, every: int) -> None:
    """A worker that dies in the middle of a tick leaves the rest of it to the next."""
    final = ticked({EVERY: events[-1].seen + 40 * DAY})
    records = journal([*small.sequenced(events), final])
    want = run(RICH.engine, records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "SLICE", most)

        got = run(RICH.engine, records, restart_every=every)

    assert got.triggers == want.triggers


# --- rows


@pytest.mark.parametrize("words", [{"evaluate": "close"}, {"evaluate": "event"}])
def test_row_of_an_active_customer_does_not_grow(words: dict[str, str]) -> None:
    """Two years of daily bookings take no more than two weeks of them, judged at the close or per event."""
    rules = {"tier": tier(**words), "dormancy": dormancy()}
    engine = Engine(pack(rules, {"aum": {"kind": "balances"}}))

    def row_bytes(days: int) -> int:
        daily = [posting(START + day * DAY, 1, 250_000 + day, channel="ONLINE", id=f"E{day}") for day in range(days)]
        last = Partition(engine, 0)
        last.accept(last.decide(journal(small.sequenced(daily))))
        return last.row_bytes

    assert row_bytes(730) <= row_bytes(20) + 50
