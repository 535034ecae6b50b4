"""Order.WALL: what is heard past a deadline that is not proven yet waits, and is heard in its own order."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, MINUTE
from stream.domain.events import Record
from stream.engine.engine import Engine
from tests.builders import START, Happening, action, card, dormancy, instant, journey, opt_out, pack, posting, session, unfunded
from tests.laws.walltime import AUM, CARD, LATE_FUNNEL, of_type, tick, told


def test_fact_that_waited_is_heard_when_a_late_one_moves_the_deadline() -> None:
    """Completed a minute after the deadline; a late step then moves the deadline: the completion is still heard."""
    start = instant(0)
    step = action(start + 2 * HOUR - MINUTE, "two", recorded=start + 2 * HOUR + 5 * MINUTE)
    done = action(start + 2 * HOUR + MINUTE, "complete")

    out = told(LATE_FUNNEL, action(start, "one"), done, step, tick(start + 9 * HOUR))

    assert out.triggers == []


def test_money_of_long_ago_is_still_there_when_a_stopped_source_comes_back() -> None:
    """`in.account` stands still for weeks while balances go on and are pruned: assets at the deadline are not zero."""
    rich = [posting(instant(day, 1), 100, 700 + day, "DBIT") for day in range(-3, 20)]
    items: list[Happening | Record] = [*rich[:3], card(instant(0)), rich[3]]
    for event in rich[4:]:
        items += [event, tick(event.seen, in_account=instant(0))]

    out = told(CARD, *items, tick(instant(30)), chunk=1, restart_every=3)

    assert of_type(out, "activation.zero_asset_new") == []


def test_facts_that_waited_are_heard_in_their_own_order() -> None:
    """Back on the sixth and the seventh day, the seventh read first: the silence ended on the sixth."""
    engine = Engine(pack({"dormancy": dormancy()}))
    heard = [session(instant(day)) for day in (0, 7, 6)]

    out = told(engine, *heard, tick(instant(8)), chunk=1, restart_every=1)

    ended = of_type(out, "dormancy.ended")
    assert [body["context"]["event_time"] for body in ended] == ["2026-01-11T04:00:00.000Z"]


def test_gates_are_asked_as_of_the_tick() -> None:
    """An opt-out that is read before the proof counts, though it came after the deadline."""
    start = instant(0)

    out = told(LATE_FUNNEL, action(start, "one"), opt_out(start + 3 * HOUR, "journey"), tick(start + 4 * HOUR))

    assert [each["reasons"] for each in of_type(out, "trigger.suppressed")] == [["OPT_OUT_TOPIC"]]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), min_size=1, max_size=14), st.integers(0, 2**32))
def test_interleaving_of_sources_before_the_proof_does_not_matter(made: list[tuple[int, int]], seed: int) -> None:
    """Cards, money, funnels and sessions of several sources, each in its own order: the same absences."""
    kinds = (card, posting, lambda at, **about: action(at, "one", **about), session)
    engine = Engine(pack({"unfunded": {**unfunded(), "given": None}, "journey": journey(), "dormancy": dormancy()}, AUM))
    events = [kinds[kind % 4](START + step * 8 * HOUR + kind * MINUTE) for step, kind in made]
    unique = {(each.kind, each.at): each for each in events}.values()
    events = sorted(unique, key=lambda each: each.at)
    skew, chance = dict.fromkeys(sorted({each.topic for each in events}), 0), Random(seed)
    for topic in skew:
        skew[topic] = chance.randrange(2 * HOUR)
    mixed = sorted(events, key=lambda each: each.at + skew[each.topic])
    end = tick(START + 60 * DAY)

    got = told(engine, *mixed, end, chunk=3, restart_every=2)

    want = told(engine, *events, end)
    assert [each[:3] for each in got.triggers] == [each[:3] for each in want.triggers]
