"""Order.WALL: only ticks move time, and what a deadline sees does not depend on when they come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream.domain.days import DAY, HOUR, MINUTE, stamp
from stream.domain.events import Record
from stream.engine.engine import Engine
from stream.engine.partition import Partition
from tests.builders import (
    UNFUNDED,
    Happening,
    action,
    card,
    emit,
    instant,
    numbered,
    pack,
    posting,
    replayed,
    session,
    ticked,
    unfunded,
)
from tests.laws.walltime import (
    AGAIN,
    AUM,
    CARD,
    DUE,
    ENGINE,
    FUNNEL,
    LATE_CARD,
    LATE_FUNNEL,
    data,
    of_type,
    tick,
    times,
    told,
    written,
)

# --- only ticks fire


def test_events_never_fire_a_deadline() -> None:
    """A month of events, the customer's own and others', fires nothing; the tick fires all, at their deadlines."""
    month = [session(instant(day), subject=who) for day in range(1, 31) for who in ("C1", "C2")]

    silent = told(CARD, card(instant(0)), *month)
    spoken = told(CARD, card(instant(0)), *month, tick(instant(31)))

    assert silent.triggers == []
    assert told(LATE_FUNNEL, action(instant(0), "one"), *month).triggers == []
    assert times(spoken) == [stamp(DUE), stamp(AGAIN)]


@pytest.mark.parametrize(("early", "fired"), [(1, 0), (0, 1)])
def test_deadline_waits_for_lateness_to_the_millisecond(early: int, fired: int) -> None:
    """A deadline counts as passed once its sources are proven past it by the pack's lateness, and is told as of itself."""
    over = instant(0) + 2 * HOUR

    by_date = told(LATE_CARD, card(instant(0)), tick(DUE + 30 * MINUTE - early))
    by_hours = told(LATE_FUNNEL, action(instant(0), "one"), tick(over + 30 * MINUTE - early))

    assert (times(by_date), times(by_hours)) == ([stamp(DUE)] * fired, [stamp(over)] * fired)


@pytest.mark.parametrize("past", [0, 1, HOUR, 30 * HOUR])
def test_event_past_a_deadline_is_heard_after_it(past: int) -> None:
    """Money at or past the deadline, read before the tick: the deadline does not see it, the next one does."""
    money = posting(DUE + past, 500_000, balance=500_000)

    late_tick = told(CARD, card(instant(0)), money, tick(instant(30)))
    in_time = told(CARD, card(instant(0)), tick(DUE), money, tick(instant(30)))
    unpaid = told(CARD, card(instant(0)), tick(instant(30)))

    assert times(late_tick) == [stamp(DUE)]
    assert len(unpaid.triggers) == 2
    assert data(late_tick)[0]["details"]["days_since"] == 3
    assert data(late_tick)[0]["evidence"]["features"][0]["value"] == {"amount": "0.00", "ccy": "CNY"}
    assert data(late_tick)[0]["evidence"]["features"] == data(in_time)[0]["evidence"]["features"]
    assert data(late_tick)[0]["evidence"]["conditions"] == data(in_time)[0]["evidence"]["conditions"]
    assert late_tick.triggers == in_time.triggers


def test_event_before_a_deadline_that_is_read_late_still_cancels() -> None:
    """Recorded and read past the deadline, even past another source's proof of it, but before its own source's."""
    money = posting(DUE - 1, 500_000, recorded=DUE + 9 * HOUR)
    ahead = ticked({"in.account": DUE + DAY, "in.app": DUE + DAY, "in.txn": DUE - 1})

    assert told(CARD, card(instant(0)), money, tick(instant(30))).triggers == []
    assert told(CARD, card(instant(0)), ahead, money, tick(instant(30))).triggers == []
    assert len(told(CARD, card(instant(0)), tick(DUE), money, tick(instant(30))).triggers) == 1


@pytest.mark.parametrize(("after", "fires"), [(-1, False), (0, True), (1, True)])
def test_answer_read_late_cancels_by_its_own_stamp(after: int, fires: bool) -> None:
    """Recorded past the deadline, read before its tick: in time by its own stamp it cancels; at the deadline it does not."""
    start = instant(0)
    answer = action(start + 2 * HOUR + after, "complete", recorded=start + 2 * HOUR + 29 * MINUTE)
    other = action(start + 2 * HOUR + MINUTE, "one", funnel="fund")

    out = told(LATE_FUNNEL, action(start, "one"), other, answer, tick(start + 2 * HOUR + 30 * MINUTE))

    assert bool(of_type(out, "journey.abandoned")) == fires


# --- sources


@pytest.mark.parametrize("idle", [False, True])
def test_stopped_source_holds_only_the_rules_that_listen_to_it(idle: bool) -> None:
    """in.app stands still, called idle or not: the card's deadlines pass, the funnel's and the silences' wait."""
    begun = [card(instant(0)), action(instant(0), "one", subject="C2"), session(instant(0))]
    stopped = ticked({"in.txn": instant(30), "in.account": instant(30), "in.app": instant(0)}, ["in.app"] if idle else [])

    out = told(ENGINE, *begun, stopped)
    back = told(ENGINE, *begun, stopped, tick(instant(30)))

    assert out.types == {"activation.zero_asset_new": 2}
    assert back.types == {
        "activation.zero_asset_new": 2,
        "journey.abandoned": 1,
        "dormancy.entering": 2,
        "dormancy.entered": 2,
    }


def test_source_never_proven_holds_its_rules() -> None:
    """No word of in.txn was ever said: nothing that could be cancelled from there fires."""
    out = told(CARD, card(instant(0)), ticked({"in.account": instant(30), "in.app": instant(30)}))

    assert out.triggers == []


def test_held_deadline_fires_when_its_source_returns_whoever_owns_it() -> None:
    """A restart while the deadline waits for its source forgets nothing."""
    stopped = [ticked({"in.txn": instant(0, 14), "in.account": DUE + place, "in.app": DUE}) for place in range(5)]

    out = told(CARD, card(instant(0)), *stopped, tick(DUE), chunk=1, restart_every=1)

    assert times(out) == [stamp(DUE)]


# --- stamps


def test_future_stamp_is_dead_and_moves_nobody() -> None:
    """Ten years ahead of its broker: a dead letter that fires nothing and leaves no customer behind."""
    begun = [card(instant(0)), action(instant(0, 13), "one")]
    future = [posting(instant(3650), subject=who, recorded=instant(0, 14)) for who in ("C1", "C9")]
    early = instant(0, 14)

    out = told(ENGINE, *begun, *future, tick(early))
    after = told(ENGINE, *begun, *future, tick(instant(30)))

    assert [code for _, code in out.dead] == [b"FUTURE_STAMP"] * 2
    assert out.triggers == []
    assert [each[3] for each in after.triggers] == [each[3] for each in told(ENGINE, *begun, tick(instant(30))).triggers]
    partition = Partition(ENGINE, 0)
    partition.accept(partition.decide(written([*begun, *future])))
    assert partition.rows == 1


def test_five_minutes_ahead_are_believed() -> None:
    """The bound itself is no future; a millisecond more is. Live and in a log, neither brings a deadline nearer."""
    seen, bound = instant(0), 5 * MINUTE
    ahead = {"C2": bound, "C3": bound + 1, "C4": 3650 * DAY}
    steps = [action(seen + early, "one", subject=who, recorded=seen) for who, early in ahead.items()]
    events = numbered([action(seen, "one"), *steps])

    live = told(LATE_FUNNEL, *events, tick(seen + 2 * HOUR))
    log = replayed(LATE_FUNNEL, [event.line() for event in events])

    for out in (live, log):
        assert (out.counts["outcome", "processed"], out.counts["outcome", "dead"]) == (2, 2)
        assert (out.triggers, [code for _, code in out.dead]) == ([], [b"FUTURE_STAMP"] * 2)


# --- ticks


def test_older_and_doubled_ticks_do_nothing() -> None:
    """Every tick twice and with older ones behind it, idle flags included: the same bytes, of the same clock."""
    begun = [card(instant(0)), action(instant(0, 13), "one"), posting(instant(5), 100)]
    plain, doubled = list[Happening | Record](begun), list[Happening | Record](begun)
    for at in (instant(0, 14), instant(0, 15), instant(2), DUE, instant(5), AGAIN, instant(30)):
        older = ticked({"in.txn": at - DAY, "in.account": at - 2 * DAY, "in.app": at - DAY}, ["in.account"])
        plain.append(tick(at))
        idle = ticked({"in.txn": instant(0), "in.app": instant(6)}, ["in.app", "in.txn", "in.account"])
        doubled += [tick(at), tick(at), tick(instant(0, 14)), older, ticked({"in.txn": 0}), idle]

    got, want = told(ENGINE, *doubled), told(ENGINE, *plain)

    assert len(want.types) == 4
    assert got.triggers == want.triggers
    assert got.counts == want.counts


def test_tick_that_falls_back_fires_nothing_early() -> None:
    """What one source proves is not lost and not lent to another when the next tick is older."""
    first = ticked({"in.account": DUE, "in.txn": DUE - 2, "in.app": DUE})
    older = ticked({"in.account": DUE - 2, "in.txn": DUE - 1, "in.app": DUE - 2})
    last = ticked({"in.txn": DUE, "in.account": 0, "in.app": 0})

    assert told(CARD, card(instant(0)), first, older).triggers == []
    assert times(told(CARD, card(instant(0)), first, older, last)) == [stamp(DUE)]
    assert times(told(CARD, card(instant(0)), first, older, last, chunk=1, restart_every=1)) == [stamp(DUE)]


# --- outages


@pytest.mark.parametrize("chunk", [1, 10**9])
def test_two_hours_of_outage_fire_no_false_absence(chunk: int) -> None:
    """No ticks while events pile up, then one: who finished in time stays silent, who did not is told of as of the deadline."""
    ten = instant(0, 10)
    before: list[Happening | Record] = [action(ten, "one", subject="C1"), action(ten, "one", subject="C2"), tick(ten + MINUTE)]
    piled = [
        action(ten + HOUR, "complete", subject="C1"),
        action(ten + 2 * HOUR - 1, "one", "fund", subject="C3"),
        action(ten + 2 * HOUR + MINUTE, "complete", subject="C2"),
        action(ten + 3 * HOUR, "complete", "fund", subject="C3"),
    ]

    out = told(FUNNEL, *before, *piled, tick(ten + 4 * HOUR), tick(instant(2)), chunk=chunk, restart_every=1)

    assert [each["subject"]["ref"] for each in data(out)] == ["C2"]
    assert times(out) == [stamp(ten + 2 * HOUR)]


def test_herd_of_an_outage_is_answered_in_time() -> None:
    """Sixty customers, half of whose steps and all of whose answers piled up before one tick: none counts as abandoned."""
    start = instant(0)
    begun = [action(start + place * MINUTE, "one", subject=f"C{place}") for place in range(60)]
    answered = [replace(each, at=each.at + HOUR, data={**each.data, "step": "complete"}) for each in begun]
    before, after = begun[:30], sorted([*begun[30:], *answered], key=lambda each: each.seen)

    out = told(LATE_FUNNEL, *before, tick(start + 30 * MINUTE), *after, tick(start + 6 * HOUR), chunk=10)

    assert out.triggers == []
    assert out.counts["outcome", "processed"] == 120


def test_outage_before_the_broker_fires_no_false_absence() -> None:
    """The source itself was cut off: its proof stands still, and what it brings later is still in time."""
    ten = instant(0, 10)
    cut = [ticked({"in.txn": ten + hours * HOUR, "in.account": ten + hours * HOUR, "in.app": ten}) for hours in range(1, 5)]
    finished = action(ten + HOUR, "complete", recorded=ten + 5 * HOUR)

    out = told(FUNNEL, action(ten, "one"), *cut, finished, tick(ten + 5 * HOUR))

    assert out.triggers == []


@pytest.mark.parametrize(("late", "reasons"), [(2 * DAY - 1, None), (2 * DAY, ["EXPIRED"]), (9 * DAY, ["EXPIRED"])])
def test_tick_after_the_expiry_suppresses(late: int, reasons: list[str] | None) -> None:
    """After a long outage a trigger that is no longer worth sending is suppressed, with its reason and event time."""
    told_once = emit("activation.zero_asset_new", UNFUNDED, expires="2d")
    rule = unfunded(stages=[{"moment": "unfunded", "days": 3}], emits={"unfunded": told_once})
    engine = Engine(pack({"unfunded": rule}, AUM))

    out = told(engine, card(instant(0)), tick(DUE + late))

    assert [each.get("reasons") for each in data(out)] == [reasons]
    assert times(out) == [stamp(DUE)]
