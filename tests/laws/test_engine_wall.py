"""Absence under the wall clock: only ticks fire, a tick proves per source, and what is read before the proof still counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.events import Order, Record, Tick
from stream.engine.engine import Engine, tick_header
from stream.wire.registry import SOURCES
from tests.builders import (
    START,
    Happening,
    Said,
    action,
    card,
    dormancy,
    instant,
    journal,
    journaled,
    journey,
    numbered,
    opt_out,
    pack,
    posting,
    replayed,
    run,
    session,
    ticked,
    tier,
    unfunded,
)

AUM = {"aum": {"kind": "balances"}}
APP, TXN, ACCOUNT = "in.app", "in.txn", "in.account"


def wall(events: list[Happening], offset: int = 0) -> list[Record]:
    """Events as they arrive, each on the one partition of its source."""
    ends: Counter[str] = Counter()
    records = []
    for each in events:
        records.append(journaled(each.line(), offset + ends[each.topic], each.seen, Order.WALL, each.topic))
        ends[each.topic] += 1
    return records


def all_at(at: int, **other: int) -> Record:
    """All sources proven to one instant, but for those named with underscores."""
    return ticked({**dict.fromkeys(SOURCES, at), **{name.replace("_", "."): late for name, late in other.items()}})


def said(out: Said, kind: str) -> list[dict[str, Any]]:
    """Payloads of a trigger type."""
    bodies = [(each[1].split(b"\x1e"), orjson.loads(each[3])) for each in out.triggers]
    return [body for parts, body in bodies if parts[parts.index(b"ce_type") + 1] == f"{kind}.v1".encode()]


def times(out: Said, kind: str) -> list[str]:
    return [body["context"]["event_time"] for body in said(out, kind)]


@pytest.fixture(scope="module")
def funnel() -> Engine:
    return Engine(pack({"journey": journey()}, lateness="30m"))


@pytest.fixture(scope="module")
def cards() -> Engine:
    return Engine(pack({"unfunded": unfunded(), "tier": tier()}, AUM, lateness="30m"))


def test_events_never_fire_a_deadline(funnel: Engine) -> None:
    """However far later events are stamped and recorded, without a tick nothing is due."""
    out = run(funnel, journal(wall(numbered([action(instant(0), "one"), *(session(instant(day)) for day in range(1, 9))]))))

    assert out.triggers == []


@pytest.mark.parametrize(("after", "fires"), [(-1, False), (0, True), (1, True)])
def test_answer_before_the_deadline_cancels_until_the_proof(funnel: Engine, after: int, fires: bool) -> None:
    """Read late but before the tick: in time by its own stamp it cancels; at the deadline or past it it does not."""
    start = instant(0)
    answer = action(start + 2 * HOUR + after, "complete", recorded=start + 2 * HOUR + 29 * MINUTE)
    events = wall(numbered([action(start, "one"), action(start + 2 * HOUR + MINUTE, "one", funnel="fund"), answer]))

    out = run(funnel, journal([*events, all_at(start + 2 * HOUR + 30 * MINUTE)]))

    assert bool(said(out, "journey.abandoned")) == fires


def test_deadline_passes_lateness_after_it_and_not_before(funnel: Engine) -> None:
    """At the very instant deadline + lateness it has passed; a millisecond before it has not."""
    start = instant(0)
    events, due = wall([action(start, "one")]), start + 2 * HOUR + 30 * MINUTE

    before = run(funnel, journal([*events, all_at(due - 1)]))
    at = run(funnel, journal([*events, all_at(due)]))

    assert (len(before.triggers), len(at.triggers)) == (0, 1)
    assert times(at, "journey.abandoned") == ["2026-01-05T06:00:00.000Z"]


def test_later_event_read_before_the_proof_freezes_the_evidence(cards: Engine) -> None:
    """Money that comes after the deadline neither cancels it nor shows in its evidence; it ends nothing of the past."""
    money = posting(instant(4), 500, balance=500)
    events = wall(numbered([card(instant(0)), money]))

    out = run(cards, journal([*events, all_at(instant(9))]))

    (body,) = said(out, "activation.zero_asset_new")
    assert body["details"]["days_since"] == 3
    assert body["evidence"]["features"][0]["value"] == {"amount": "0.00", "ccy": "CNY"}


def test_stopped_source_holds_its_own_absences_only(cards: Engine) -> None:
    """`in.app` stands still: what waits for it waits, what waits for others does not."""
    rules = {"journey": journey(), "unfunded": unfunded(), "dormancy": dormancy()}
    engine = Engine(pack(rules, AUM))
    events = wall(numbered([card(instant(0)), action(instant(0), "one", subject="C2"), session(instant(0))]))
    stuck = all_at(instant(30), in_app=instant(0))

    held = run(engine, journal([*events, stuck]))
    come = run(engine, journal([*events, stuck, all_at(instant(30))]))

    assert held.types == {"activation.zero_asset_new": 2}
    assert come.types == {
        "activation.zero_asset_new": 2,
        "journey.abandoned": 1,
        "dormancy.entering": 2,
        "dormancy.entered": 2,
    }


def test_outage_of_two_hours_fires_no_false_absence(funnel: Engine) -> None:
    """Work stops while answers pile up: their ticks come after them, so no journey counts as abandoned."""
    start = instant(0)
    begun = [action(start + place * MINUTE, "one", subject=f"C{place}") for place in range(60)]
    answered = [replace(each, at=each.at + HOUR, data={**each.data, "step": "complete"}) for each in begun]
    events = numbered([*begun, *answered])
    before = [each for each in events if each.seen < start + 30 * MINUTE]
    after = sorted((each for each in events if each not in before), key=lambda each: each.seen)
    journal_of = [*wall(before), all_at(start + 30 * MINUTE), *wall(after, 1000), all_at(start + 6 * HOUR)]

    out = run(funnel, journal(journal_of), chunk=10)

    assert out.triggers == []
    assert out.counts["outcome", "processed"] == 120


def test_future_stamp_moves_nobody(funnel: Engine) -> None:
    """An event stamped more than five minutes ahead of its recording is dead; nobody's deadline comes nearer."""
    start = instant(0)
    future = action(start + 3650 * DAY, "one", subject="C2", recorded=start)
    edge = action(start + 5 * MINUTE, "one", subject="C3", recorded=start)
    lines = [each.line() for each in numbered([action(start, "one"), future, edge])]

    live = run(funnel, journal([*wall(numbered([action(start, "one"), future, edge])), all_at(start + 2 * HOUR)]))
    log = replayed(funnel, lines)

    for out in (live, log):
        assert (out.triggers, [code for _, code in out.dead]) == ([], [b"FUTURE_STAMP"])


def test_older_and_doubled_ticks_change_nothing(cards: Engine) -> None:
    """A zombie writes what it knew long ago, idle flags included, and everything twice."""
    rules = {"journey": journey(), "unfunded": unfunded()}
    engine = Engine(pack(rules, AUM))
    events = wall(numbered([card(instant(0)), action(instant(1), "one")]))
    ticks = [all_at(instant(day)) for day in (1, 3, 4, 7)]
    old = ticked({TXN: instant(0), APP: instant(6)}, idle=[APP, TXN, ACCOUNT])
    clean = journal([*events, *ticks])
    haunted = journal([*events, *(each for tick in ticks for each in (tick, tick, ticks[0], old))])

    assert run(engine, haunted).triggers == run(engine, clean).triggers


def test_zombie_tick_does_not_release_an_old_log() -> None:
    """Under the recorded clock a stale idle flag must not meet what newer ticks have proven of the others."""
    engine = Engine(pack({"journey": journey()}))
    others = [name for name in SOURCES if name not in (APP, TXN)]
    begun, answer = numbered([action(instant(0), "one"), action(instant(0) + HOUR, "complete")])
    now = ticked({TXN: instant(5), APP: instant(0) + 1}, others)
    zombie = ticked({TXN: instant(0) - DAY, APP: instant(0) - DAY}, [*others, APP])
    held = [journaled(each.line(), place, each.seen, Order.RECORDED, APP) for place, each in enumerate([begun, answer])]
    end = ticked({TXN: instant(9), APP: instant(9)}, others)

    out = run(engine, journal([held[0], now, zombie, held[1], end]))

    assert out.triggers == []


def test_held_answer_comes_before_the_deadline_after_it() -> None:
    """Under the recorded clock a source far ahead of the others fires nothing past the events it has itself brought.

    The failing log line of a false abandonment: `in.app` proven to day 5, `in.txn` still at day 0.
    """
    engine = Engine(pack({"journey": journey()}))
    others = [name for name in SOURCES if name not in (APP, TXN)]
    begun, answer = numbered([action(instant(0), "one"), action(instant(0) + HOUR, "complete")])
    held = [journaled(each.line(), place, each.seen, Order.RECORDED, APP) for place, each in enumerate([begun, answer])]
    skewed = ticked({TXN: instant(0) + 1, APP: instant(5)}, others)
    end = ticked({TXN: instant(9), APP: instant(9)}, others)

    out = run(engine, journal([*held, skewed, end]))

    assert out.triggers == []


def test_idle_sources_hold_nobody_back_and_unknown_ones_do() -> None:
    """Under the recorded clock: a source nobody has spoken of has proven nothing; one called idle passes."""
    engine = Engine(pack({"journey": journey()}))
    held = journaled(action(instant(0), "one").line(), 0, instant(0), Order.RECORDED, APP)
    others = [name for name in SOURCES if name != APP]

    alone = Record(0, None, b"", [tick_header(Tick({APP: instant(9)}, frozenset(others[1:])))])
    unknown = run(engine, journal([held, alone]))
    idle = run(engine, journal([held, ticked({APP: instant(9)}, others)]))

    assert (len(unknown.triggers), len(idle.triggers)) == (0, 1)


def test_fact_that_waited_is_heard_when_a_late_one_moves_the_deadline(funnel: Engine) -> None:
    """Completed a minute after the deadline; a late step then moves the deadline: the completion is still heard."""
    start = instant(0)
    step = action(start + 2 * HOUR - MINUTE, "two", recorded=start + 2 * HOUR + 5 * MINUTE)
    done = action(start + 2 * HOUR + MINUTE, "complete")
    events = wall(numbered([action(start, "one"), done, step]))

    out = run(funnel, journal([*events, all_at(start + 9 * HOUR)]))

    assert out.triggers == []


def test_money_of_long_ago_is_still_there_when_a_stopped_source_comes_back() -> None:
    """`in.account` stands still for weeks while balances go on and are pruned: assets at the deadline are not zero."""
    engine = Engine(pack({"unfunded": unfunded()}, AUM))
    rich = [posting(instant(day, 1), 100, 700 + day, "DBIT") for day in range(-3, 20)]
    events = numbered([*rich[:3], card(instant(0)), *rich[3:]])
    live = wall(events[:5])
    records = list(live)
    for place, event in enumerate(events[5:]):
        records += wall([event], 100 + place)
        records.append(all_at(event.seen, in_account=instant(0)))

    out = run(engine, journal([*records, all_at(instant(30))]), chunk=1, restart_every=3)

    assert said(out, "activation.zero_asset_new") == []


def test_facts_that_waited_are_heard_in_their_own_order() -> None:
    """Back on the sixth and the seventh day, the seventh read first: the silence ended on the sixth."""
    engine = Engine(pack({"dormancy": dormancy()}))
    events = wall(numbered([session(instant(0)), session(instant(7)), session(instant(6))]))

    out = run(engine, journal([*events, all_at(instant(8))]), chunk=1, restart_every=1)

    assert times(out, "dormancy.ended") == ["2026-01-11T04:00:00.000Z"]


def test_event_recorded_as_the_deadline_passes_comes_before_it(funnel: Engine) -> None:
    """In an old log, live and replayed: recorded at the very instant deadline + lateness, it still cancels."""
    start = instant(0)
    answer = action(start + 2 * HOUR - 1, "complete", recorded=start + 2 * HOUR + 30 * MINUTE)
    events = numbered([action(start, "one"), answer])
    held = [journaled(each.line(), place, each.seen, Order.RECORDED, APP) for place, each in enumerate(events)]

    live = run(funnel, journal([*held, ticked({APP: start + DAY})]))
    log = replayed(funnel, [each.line() for each in events], until=start + DAY)

    assert (live.triggers, log.triggers) == ([], [])


def test_gates_are_asked_as_of_the_tick(funnel: Engine) -> None:
    """An opt-out that is read before the proof counts, though it came after the deadline."""
    start = instant(0)
    events = wall(numbered([action(start, "one"), opt_out(start + 3 * HOUR, "journey")]))

    out = run(funnel, journal([*events, all_at(start + 4 * HOUR)]))

    assert [each["reasons"] for each in said(out, "trigger.suppressed")] == [["OPT_OUT_TOPIC"]]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), min_size=1, max_size=14), st.integers(0, 2**32))
def test_interleaving_of_sources_before_the_proof_does_not_matter(made: list[tuple[int, int]], seed: int) -> None:
    """Cards, money, funnels and sessions of several sources, each in its own order: the same absences."""
    kinds = (card, posting, lambda at, **about: action(at, "one", **about), session)
    engine = Engine(pack({"unfunded": {**unfunded(), "given": None}, "journey": journey(), "dormancy": dormancy()}, AUM))
    events = [kinds[kind % 4](START + step * 8 * HOUR + kind * MINUTE) for step, kind in made]
    unique = {(each.kind, each.at): each for each in events}.values()
    events = numbered(sorted(unique, key=lambda each: each.at))
    skew, chance = dict.fromkeys(sorted({each.topic for each in events}), 0), Random(seed)
    for topic in skew:
        skew[topic] = chance.randrange(2 * HOUR)
    mixed = sorted(events, key=lambda each: each.at + skew[each.topic])
    end = all_at(START + 60 * DAY)

    got = run(engine, journal([*wall(mixed), end]), chunk=3, restart_every=2)

    want = run(engine, journal([*wall(events), end]))
    assert [each[:3] for each in got.triggers] == [each[:3] for each in want.triggers]
