"""Sequence: what its signal shows can be checked by hand, episodes stay apart, the state stays small."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import HOUR
from stream.domain.facts import Fact, Role
from stream.domain.triggers import Money
from stream.mechanisms.sequence import MOST_OPEN, Sequence
from tests.builders import START, Told, driven, fact

WITHIN = 24 * HOUR
NOTHING = Told()


def facts_of(most: int) -> st.SearchStrategy[list[Fact]]:
    """Facts at instants of their own, many of them close together."""
    one = st.tuples(st.integers(0, 60), st.sampled_from([Role.A, Role.B, Role.A | Role.B]), st.integers(0, 300))
    return st.lists(one, max_size=most, unique_by=lambda each: each[0]).map(
        lambda made: [fact(START + step * 2 * HOUR, role, amount) for step, role, amount in sorted(made)]
    )


def bounded(facts: list[Fact], share_ppm: int) -> list[tuple[int, int]]:
    """Twin: the newest A's in time are open; every B adds to all of them, and closes those that have enough."""
    said, sums = [], dict[int, int]()
    amounts = {each.at: each.amount for each in facts}
    for each in facts:
        sums = {at: total for at, total in sums.items() if each.at - at < WITHIN}
        if each.role & Role.B:
            sums = {at: total + each.amount for at, total in sums.items()}
            done = [at for at, total in sums.items() if total * 1_000_000 >= amounts[at] * share_ppm]
            said += [(at, each.at) for at in done]
            sums = {at: total for at, total in sums.items() if at not in done}
        if each.role & Role.A:
            sums = dict(sorted({**sums, each.at: 0}.items())[-MOST_OPEN:])
    return sorted(said)


@settings(max_examples=300)
@given(facts_of(30), st.sampled_from([0, 333_333, 500_000, 1_000_000, 3_000_000]))
def test_of_many_open_the_oldest_gives_way(facts: list[Fact], share: int) -> None:
    """Also with more A's than are kept; each A completes at most once."""
    got = driven(Sequence(WITHIN, share), facts, NOTHING, START)

    assert sorted((each.opened, each.at) for each in got) == bounded(facts, share)
    assert len({each.key for each in got}) == len(got)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 1_000_000))
def test_threshold_shown_is_the_one_that_decides(amount: int, then: int, share: int) -> None:
    """Told exactly when the sum reaches the threshold shown, to the last minor unit."""
    rule, whole = Sequence(WITHIN, share), max(amount, 1)
    (full,) = driven(rule, [fact(START, Role.A, amount), fact(START + HOUR, Role.B, whole)], NOTHING, START)
    needed = full.conditions[0].threshold
    assert isinstance(needed, Money)

    got = driven(rule, [fact(START, Role.A, amount), fact(START + HOUR, Role.B, then)], NOTHING, START)

    assert bool(got) == (then >= needed.minor)


def test_same_instant_of_two_keys_is_two_episodes() -> None:
    """Salaries on two accounts in one batch: one trigger id must not swallow the other."""
    starts = [fact(START, Role.A, 10, key=key) for key in ("A1", "A2")]
    ends = [fact(START + HOUR, Role.B, 10, key=key) for key in ("A1", "A2")]

    got = driven(Sequence(WITHIN, 500_000), starts + ends, NOTHING, START)

    assert len({each.key for each in got}) == len(got) == 2


def test_end_of_the_time_is_too_late() -> None:
    """The last millisecond counts, the next one does not; a B at the instant of A follows it."""
    first = fact(START, Role.A, 10)
    told = [driven(Sequence(WITHIN), [first, fact(START + wait, Role.B)], NOTHING, START) for wait in (0, WITHIN - 1, WITHIN)]

    assert [len(each) for each in told] == [1, 1, 0]
