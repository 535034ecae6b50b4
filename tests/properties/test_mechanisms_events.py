"""Sequence, significance and count against twins: what a fact itself brings about."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, HOUR, month
from stream.domain.facts import Fact, Role, Standing
from stream.domain.triggers import Money, Phase, Share
from stream.mechanisms.count import Count, Period, Target
from stream.mechanisms.sequence import MOST_OPEN, Sequence
from stream.mechanisms.significance import Significance
from tests.builders import SHANGHAI, START, Told, driven, fact

NOTHING = Told()
Said = list[tuple[int, int]]


def facts_of(roles: list[int], most: int, gap: int, days: bool = False) -> st.SearchStrategy[list[Fact]]:
    """Facts at instants of their own, in order."""
    one = st.tuples(st.integers(0, 80), st.sampled_from(roles), st.integers(0, 300), st.sampled_from(["", "x"]))
    return st.lists(one, max_size=most, unique_by=lambda each: each[0]).map(
        lambda made: [fact(START + step * gap, role, amount, key) for step, role, amount, key in sorted(made)]
    )


# --- sequence


def followed(facts: list[Fact], within: int, share_ppm: int) -> Said:
    """Twin: for each A, add up what follows in time, and stop at the first B that is enough."""
    said: Said = []
    for first in (each for each in facts if each.role & Role.A):
        total = 0
        for then in facts:
            in_time = first.at < then.at < first.at + within and then.key == first.key
            if then.role & Role.B and in_time:
                total += then.amount
                if total * 1_000_000 >= first.amount * share_ppm:
                    said.append((first.at, then.at))
                    break
    return sorted(said)


@settings(max_examples=300)
@given(facts_of([Role.A, Role.B, Role.B, Role.A | Role.B], 12, 5 * HOUR), st.sampled_from([0, 500_000, 1_000_000]))
def test_sequence_is_the_first_b_that_completes_each_a(facts: list[Fact], share: int) -> None:
    """One B, or enough of B in sum, within the time after A; an event that is both does not follow itself."""
    within = 24 * HOUR
    open_at_once = [sum(other.role & Role.A and each.at - within < other.at <= each.at for other in facts) for each in facts]
    if max(open_at_once, default=0) > MOST_OPEN:
        return

    got = driven(Sequence(within, share), facts, NOTHING, START)

    assert sorted((each.opened, each.at) for each in got) == followed(facts, within, share)


def test_sequence_tells_the_sum_that_completed_it() -> None:
    """Figures of the signal: both amounts, the share, the time between."""
    facts = [fact(START, Role.A, 1000), fact(START + HOUR, Role.B, 300), fact(START + 2 * HOUR, Role.B, 250)]

    (signal,) = driven(Sequence(24 * HOUR, 500_000), facts, NOTHING, START)

    assert (signal.facts["amount"], signal.facts["followed"]) == (Money(1000), Money(550))
    assert (signal.facts["share"], signal.facts["elapsed_s"]) == (Share(550_000), 7200)
    assert signal.origins == (facts[0].origin, facts[2].origin)


# --- significance


@given(st.integers(0, 5000), st.integers(0, 6), st.integers(0, 3000))
def test_significance_needs_floor_history_and_size(amount: int, history: int, usual: int) -> None:
    """All three: at least the floor, at least so many others, at least so many times the usual."""
    rule = Significance("sizes", floor=1000, times_ppm=2_500_000, least_history=3)

    got = driven(rule, [fact(START, amount=amount)], Told(standing=Standing(history, 0, usual)), START)

    extreme = amount >= 1000 and history >= 3 and amount * 10 >= usual * 25 - 9
    assert bool(got) == extreme


def test_significance_is_one_episode_a_date() -> None:
    """The key is the date, so a second extreme amount of it is the same episode."""
    rule, told = Significance("sizes", 1, 1, 1), Told(standing=Standing(9, 0, 1))

    got = driven(rule, [fact(START, amount=5), fact(START + HOUR, amount=6), fact(START + DAY, amount=7)], told, START)

    assert [each.key for each in got] == ["2026-01-05", "2026-01-05", "2026-01-06"]


# --- count


@settings(max_examples=200)
@given(st.lists(st.integers(0, 150), max_size=40), st.sampled_from([Period.MONTH, Period.LIFETIME]))
def test_count_tells_each_number_once_a_period(days: list[int], period: Period) -> None:
    """In order, the n-th of every calendar month, or of a lifetime."""
    rule = Count((Target("almost", 3), Target("done", 5)), period, SHANGHAI)
    facts = [fact(START + day * DAY + place) for place, day in enumerate(sorted(days))]

    got = driven(rule, facts, NOTHING, START)

    want, seen = [], dict[int, int]()
    for each in facts:
        name = month(each.day) if period is Period.MONTH else 0
        seen[name] = seen.get(name, 0) + 1
        want += [(each.at, seen[name])] if seen[name] in (3, 5) else []
    assert [(each.at, each.facts["count"]) for each in got] == want
    assert len({each.key for each in got}) == len(got)
    assert all((each.phase is Phase.CLOSED) == (each.facts["count"] == 5) for each in got)


def test_count_of_a_month_long_over_does_not_begin_again() -> None:
    """A fact of a month no longer remembered is not the first of it."""
    rule = Count((Target("first", 1),), Period.MONTH, SHANGHAI)
    facts = [fact(START), fact(START + 31 * DAY), fact(START + 62 * DAY)]
    state = rule.state()
    told = [rule.tell(state, each, NOTHING) for each in facts]

    again = rule.tell(state, fact(START + DAY), NOTHING)

    assert [len(each) for each in told] == [1, 1, 1]
    assert again == ()


def test_late_fact_of_the_month_before_counts_there() -> None:
    """The month before is still counted, so that late events join it."""
    rule = Count((Target("second", 2),), Period.MONTH, SHANGHAI)
    state = rule.state()
    rule.tell(state, fact(START), NOTHING)
    rule.tell(state, fact(START + 31 * DAY), NOTHING)

    (signal,) = rule.tell(state, fact(START + DAY), NOTHING)

    assert signal.key.startswith("2026-01")


@settings(max_examples=300)
@given(st.lists(st.integers(0, 60), max_size=30))
def test_rolling_count_is_told_when_so_many_dates_fall_into_the_window(days: list[int]) -> None:
    """Twin: the facts since the last time the highest number was reached, within the last dates."""
    rule = Count((Target("almost", 2), Target("done", 4)), Period.ROLLING, SHANGHAI, rolling=10)
    facts = [fact(START + day * DAY + place) for place, day in enumerate(sorted(days))]

    got = driven(rule, facts, NOTHING, START)

    want, start = [], 0
    for place, each in enumerate(facts):
        number = sum(each.day - 10 < other.day for other in facts[start : place + 1])
        want += [(each.at, number)] if number in (2, 4) else []
        start = place + 1 if number == 4 else start
    assert [(each.at, each.facts["count"]) for each in got] == want


def test_fact_older_than_the_rolling_window_is_not_one_more() -> None:
    """A fact too late for the window neither counts nor tells the number again."""
    rule = Count((Target("second", 2), Target("ninth", 9)), Period.ROLLING, SHANGHAI, rolling=10)
    state = rule.state()
    told = [rule.tell(state, fact(START + day * DAY), NOTHING) for day in (20, 21)]

    again = rule.tell(state, fact(START), NOTHING)

    assert [len(each) for each in told] == [0, 1]
    assert again == ()


def test_keys_of_different_targets_differ() -> None:
    """Two numbers of one period are two episodes."""
    rule = Count((Target("a", 1), Target("b", 2), Target("c", 3)), Period.MONTH, SHANGHAI)

    got = driven(rule, [fact(START + place) for place in range(3)], NOTHING, START)

    assert all(one.key != other.key for one, other in combinations(got, 2))
