"""Count: the same numbers in any order of arrival, a state that stays small, and a window's edge."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, month
from stream.domain.facts import Fact
from stream.mechanisms.count import PERIODS, Count, Period, Target
from tests.builders import SHANGHAI, START, Told, driven, fact

NOTHING = Told()
TARGETS = (Target("almost", 3), Target("done", 5))


def reached(facts: list[Fact], period: Period) -> list[str]:
    """Twin: how many there are of each period, at the end; every target up to that was told once."""
    sizes = Counter(month(each.day) if period is Period.MONTH else None for each in facts)
    name = {each: "lifetime" if each is None else f"{each // 12}-{each % 12 + 1:02d}" for each in sizes}
    return sorted(f"{name[each]}|{target.number}" for each in sizes for target in TARGETS if target.number <= sizes[each])


@settings(max_examples=300)
@given(st.lists(st.integers(0, 50), max_size=25), st.sampled_from([Period.MONTH, Period.LIFETIME]), st.integers(0, 2**32))
def test_every_target_is_told_once_in_any_order(days: list[int], period: Period, seed: int) -> None:
    """Of two months that are neighbours, whichever event comes first."""
    facts = [fact(START + day * DAY + place) for place, day in enumerate(days)]
    rule = Count(TARGETS, period, SHANGHAI)
    state = rule.state()

    got = [one.key for each in Random(seed).sample(facts, len(facts)) for one in rule.tell(state, each, NOTHING)]

    assert sorted(got) == reached(facts, period)


@settings(max_examples=200)
@given(st.lists(st.integers(0, 400), max_size=60), st.sampled_from(list(Period)))
def test_state_is_bounded_in_any_order(days: list[int], period: Period) -> None:
    """At most two months, and fewer dates than the highest number."""
    rule = Count(TARGETS, period, SHANGHAI, rolling=90)
    state = rule.state()

    for day in days:
        rule.tell(state, fact(START + day * DAY), NOTHING)

        assert len(state.counts) <= PERIODS
        assert len(state.days) < 5


@pytest.mark.parametrize(("apart", "said"), [(9, ["second"]), (10, [])])
def test_rolling_window_ends_with_its_last_date(apart: int, said: list[str]) -> None:
    """Ten dates are this one and nine before it."""
    rule = Count((Target("second", 2),), Period.ROLLING, SHANGHAI, rolling=10)

    got = driven(rule, [fact(START), fact(START + apart * DAY)], NOTHING, START)

    assert [each.moment for each in got] == said
