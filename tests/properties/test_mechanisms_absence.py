"""Absence against twins that look at the whole list of facts at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, NEVER
from stream.domain.facts import Fact, Role
from stream.domain.triggers import Phase, Signal
from stream.mechanisms.absence import Absence, Given, Stage
from tests.builders import DAY_ONE, SHANGHAI, START, Told, driven, fact

Moment = tuple[str, str, int, int]
"""Name, key, event time, start of the waiting."""
UNTIL = START + 200 * DAY
DAYS = (Stage("first", Phase.OPENED, 3), Stage("second", Phase.ESCALATED, 7))
HOURS = (Stage("first", Phase.OPENED, 2 * HOUR), Stage("second", Phase.ESCALATED, 5 * HOUR))


def policy(in_dates: bool, stages: int = 2, **words: Any) -> Absence:
    return Absence((DAYS if in_dates else HOURS)[:stages], in_dates, SHANGHAI, **words)


def moments(signals: list[Signal]) -> list[Moment]:
    return sorted((each.moment, str(each.facts["key"] or ""), each.at, each.opened) for each in signals)


def deadlines(rule: Absence, start: Fact) -> list[int]:
    """All deadlines of a wait that begins with this fact."""
    if rule.in_dates:
        return [SHANGHAI.close(start.day + stage.after) for stage in rule.stages]
    return [start.at + stage.after for stage in rule.stages]


def silence(rule: Absence, facts: list[Fact]) -> list[Moment]:
    """Twin: between neighbours, and after the last, every deadline that fits into the gap."""
    said: list[Moment] = []
    for key in {each.key for each in facts}:
        own = sorted({each.at: each for each in facts if each.key == key}.values(), key=lambda each: each.at)
        for this, following in pairwise([*own, None]):
            end = following.at if following else UNTIL
            passed = [each for each in deadlines(rule, this) if each <= end]
            said += [(stage.moment, key, at, this.at) for stage, at in zip(rule.stages, passed, strict=False)]
            if passed and following and rule.ended:
                said.append((rule.ended, key, following.at, this.at))
    return sorted(said)


@pytest.mark.parametrize(
    ("in_dates", "later", "shown"),
    [
        (True, 4 * DAY, "silence_days >= 3"),
        (True, 3 * DAY, "deadlines_passed >= 1"),
        (True, DAY, "deadlines_passed >= 1"),
        (False, 2 * HOUR, f"silence_ms >= {2 * HOUR}"),
        (False, HOUR, "deadlines_passed >= 1"),
    ],
)
def test_an_end_that_came_too_late_to_be_in_time_says_so(in_dates: bool, later: int, shown: str) -> None:
    """A deadline had passed; that the silence was as long is said only where it was."""
    rule, state = policy(in_dates, silence=True, ended="ended"), Absence.state()
    rule.tell(state, fact(START), Told())
    rule.fire(state, Told())

    [ended] = rule.tell(state, fact(START + later), Told())

    assert (ended.moment, [each.text for each in ended.conditions]) == ("ended", [shown])


def waiting(rule: Absence, facts: list[Fact]) -> list[Moment]:
    """Twin of A and B: one key after the other, one A after the other."""
    said: list[Moment] = []
    for key in {each.key for each in facts}:
        firsts = list({each.at: each for each in facts if each.key == key and each.role & Role.A}.values())
        ends = sorted(each.at for each in facts if each.key == key and each.role & Role.B)
        firsts.sort(key=lambda each: each.at)
        free = 0
        for place, this in enumerate(firsts):
            if this.at < free:
                continue
            met = min((end for end in ends if end >= this.at), default=UNTIL + 1)
            moved = firsts[place + 1].at if rule.restart and place + 1 < len(firsts) else UNTIL + 1
            passed = [each for each in deadlines(rule, this) if each <= min(met, moved, UNTIL)]
            said += [(stage.moment, key, at, this.at) for stage, at in zip(rule.stages, passed, strict=False)]
            over = len(passed) == len(rule.stages) and rule.ended is None
            if not over and passed and rule.ended and met <= min(moved, UNTIL):
                said.append((rule.ended, key, met, this.at))
            free = min(passed[-1] if over else met, moved)
    return sorted(said)


def facts_of(roles: list[int], keys: list[str], gap: int) -> st.SearchStrategy[list[Fact]]:
    """Facts on a grid; B a minute off it, since of A and B at the same instant the one read first decides."""
    one = st.builds(
        lambda step, role, key: fact(START + 9 * HOUR + step * gap + (role == Role.B) * 60_000, role, key=key),
        st.integers(0, 60),
        st.sampled_from(roles),
        st.sampled_from(keys),
    )
    return st.lists(one, min_size=1, max_size=25)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.booleans(), st.booleans(), st.data())
def test_silence_is_every_gap_that_is_long_enough(in_dates: bool, ended: bool, data: st.DataObject) -> None:
    """Per key, each stage once per gap, and the end of a gap that was told."""
    rule = policy(in_dates, silence=True, ended="ended" if ended else None)
    facts = data.draw(facts_of([Role.A], ["", "x"], 16 * HOUR if in_dates else HOUR // 2))

    got = driven(rule, facts, Told(), UNTIL)

    assert moments(got) == silence(rule, facts)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 2), st.data())
def test_waiting_is_told_where_no_answer_came_in_time(
    in_dates: bool, restart: bool, ended: bool, stages: int, data: st.DataObject
) -> None:
    """A and no B before the deadline; with restart a further A moves it; the end is told once something was."""
    rule = policy(in_dates, stages, restart=restart, ended="ended" if ended else None)
    facts = data.draw(facts_of([Role.A, Role.A, Role.B], ["", "x"], 16 * HOUR if in_dates else HOUR // 2))

    got = driven(rule, facts, Told(), UNTIL)

    assert moments(got) == waiting(rule, facts)


def interleaved(rule: Absence, facts: list[Fact]) -> list[Signal]:
    """As the engine reads them, in any order, before a proof comes: what lies behind a deadline waits for it."""
    state, deferred, signals = rule.state(), list[Fact](), list[Signal]()

    def hear(each: Fact) -> None:
        nonlocal signals
        if each.at >= rule.due(state):
            deferred.append(each)
            deferred.sort(key=lambda one: (one.at, one.origin))
            return
        signals += rule.tell(state, each, Told())
        while deferred and deferred[0].at < rule.due(state):
            signals += rule.tell(state, deferred.pop(0), Told())

    for each in facts:
        hear(each)
    while rule.due(state) <= UNTIL:
        signals += rule.fire(state, Told())
        while deferred and deferred[0].at < rule.due(state):
            signals += rule.tell(state, deferred.pop(0), Told())
    return signals


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.booleans(), st.booleans(), st.booleans(), st.lists(st.integers(0, 119), min_size=25, max_size=25), st.data())
def test_order_of_reading_does_not_matter_within_a_deadline(
    quiet: bool, restart: bool, ended: bool, delays: list[int], data: st.DataObject
) -> None:
    """Facts that change places by less than the first deadline, before its proof, change nothing."""
    words: dict[str, Any] = {"silence": True} if quiet else {"restart": restart}
    rule = policy(False, 2, ended="ended" if ended else None, **words)
    roles = [Role.A] if quiet else [Role.A, Role.A, Role.B]
    facts = data.draw(facts_of(roles, ["", "x"], HOUR // 2))
    late = sorted(zip(facts, delays, strict=False), key=lambda pair: pair[0].at + pair[1] * 60_000)

    got = interleaved(rule, [each for each, _ in late])

    assert moments(got) == (silence if quiet else waiting)(rule, facts)


A, B = Role.A, Role.B


@pytest.mark.parametrize(
    ("read", "opened"),
    [
        pytest.param([(0, A), (60, A), (30, B)], [60], id="a late answer frees the one after it"),
        pytest.param([(60, A), (0, A)], [0], id="a late beginning comes first"),
        pytest.param([(60, A), (0, A), (30, B)], [60], id="both are late"),
        pytest.param([(50, B), (20, B), (30, A)], [], id="the last answer counts, not the last read"),
        pytest.param([(0, A), (20, A), (40, A), (30, B)], [40], id="only what follows the answer waits on"),
        pytest.param([(0, A), (60, A), (90, B), (30, B)], [], id="two answers"),
    ],
)
def test_beginnings_and_answers_may_be_read_in_any_order(read: list[tuple[int, int]], opened: list[int]) -> None:
    """Minutes and roles in the order of reading; who is still waiting when the deadline passes."""
    got = interleaved(policy(False, 1), [fact(START + minute * 60_000, role) for minute, role in read])

    assert [(each.opened - START) // 60_000 for each in got] == opened


def test_given_is_asked_as_of_the_deadline() -> None:
    """What is on the account on the last date counts, not what came later."""
    rule = policy(True, 1, given=Given("aum", 0))
    facts = [fact(START, Role.A)]

    poor = driven(rule, facts, Told({DAY_ONE: 0, DAY_ONE + 4: 100}), UNTIL)
    rich = driven(rule, facts, Told({DAY_ONE: 0, DAY_ONE + 3: 100}), UNTIL)

    assert [each.moment for each in poor] == ["first"]
    assert rich == []


@pytest.mark.parametrize(("late", "said"), [(0, ["first"]), (-1, [])])
def test_answer_at_the_deadline_is_too_late(late: int, said: list[str]) -> None:
    """B at any instant before the deadline prevents it; at the deadline it does not."""
    rule = policy(False, 1)

    got = driven(rule, [fact(START, Role.A), fact(START + 2 * HOUR + late, Role.B)], Told(), UNTIL)

    assert [each.moment for each in got] == said


def test_exactly_so_many_dates_is_not_more() -> None:
    """A silence of 3 dates is told when the third date is over: an event on it prevents it."""
    rule = policy(True, 1, silence=True)
    on_the_last = [fact(START + 12 * HOUR), fact(START + 3 * DAY + 23 * HOUR)]

    got = driven(rule, on_the_last, Told(), START + 5 * DAY)

    assert got == []


def test_open_keys_are_bounded() -> None:
    """A customer who enters endless funnels does not grow a row without end; the oldest gives way."""
    rule = policy(False, 1)
    state = rule.state()
    for place in range(100):
        rule.tell(state, fact(START + place, Role.A, key=f"k{place}"), Told())
        rule.tell(state, fact(START + place, Role.B, key=f"m{place}"), Told())

    assert len(state.open) == len(state.met) == 16
    assert min(each.at for each in state.open.values()) == START + 84
    assert rule.due(state) < NEVER
