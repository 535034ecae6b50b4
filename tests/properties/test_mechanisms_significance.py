"""Significance over a real histogram, against the sorted list of all other amounts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.facts import Fact, Standing
from stream.domain.triggers import Money
from stream.features import histograms
from stream.features.histograms import Histogram
from stream.mechanisms.significance import Significance
from tests.builders import START, Told, driven, fact

HALF, TIMES, FLOOR, LEAST = 500_000, 2, 50, 3


class Own(Told):
    """A customer whose history is counted as the engine counts it: the amount itself before it is judged."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = Histogram()

    def fold(self, each: Fact) -> None:
        histograms.count(self.sizes, each.amount, each.at, each.origin)

    def standing(self, feature: str, amount: int) -> Standing:
        return histograms.standing(self.sizes, amount, HALF)


def median(amounts: list[int]) -> int:
    return sorted(amounts)[(len(amounts) + 1) // 2 - 1]


@settings(max_examples=300)
@given(st.lists(st.one_of(st.integers(0, 200), st.integers(0, 10**9)), max_size=25))
def test_extreme_is_what_the_whole_list_says_but_for_an_eighth(amounts: list[int]) -> None:
    """Never below so many times the exact median, always from an eighth above it; in between the bucket decides."""
    own, facts = Own(), [fact(START + place, amount=amount) for place, amount in enumerate(amounts)]

    got = {each.at for each in driven(Significance("sizes", FLOOR, TIMES * 1_000_000, LEAST), facts, own, START, own.fold)}

    for place, each in enumerate(facts):
        others = amounts[:place]
        usual = median(others) if others else 0
        could = len(others) >= LEAST and each.amount >= max(FLOOR, TIMES * usual)
        must = len(others) >= LEAST and each.amount >= max(FLOOR, TIMES * (usual + usual // 8))
        assert must <= (each.at in got) <= could


@given(st.integers(0, 3000), st.integers(0, 1000), st.integers(1, 5_000_000))
def test_threshold_shown_is_the_one_that_decides(amount: int, usual: int, times: int) -> None:
    """The comparison in the signal is the one that was made."""
    rule, told = Significance("sizes", FLOOR, times, 1), Told(standing=Standing(9, 0, usual))
    (sure,) = driven(rule, [fact(START, amount=10**9)], told, START)
    needed = sure.conditions[0].threshold
    assert isinstance(needed, Money)

    got = driven(rule, [fact(START, amount=amount)], told, START)

    assert bool(got) == (amount >= needed.minor)
