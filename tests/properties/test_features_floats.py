"""Features kept as floats against naive twins: any order agrees to rounding, what is taken out again leaves none of itself."""

from __future__ import annotations

from math import exp, expm1, fsum, isclose, log1p
from random import Random
from statistics import fmean, pstdev

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.domain.days import DAY, Calendar
from stream.domain.triggers import Money
from stream.engine.filters import Condition
from stream.engine.floating import Fading, Spread
from stream.features import decayed, moments
from stream.features.decayed import Decayed
from stream.features.moments import Moments

SPAN = 30 * DAY
CLOSE = 1e-9
flows = st.lists(st.tuples(st.integers(0, 400 * DAY), st.integers(0, 10**13)), min_size=1, max_size=40)
amounts = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 10**13)), min_size=1, max_size=40)


def faded(told: list[tuple[int, int]]) -> Decayed:
    state = Decayed()
    for place, (at, amount) in enumerate(told):
        decayed.add(state, SPAN, amount, at, f"log:{place}")
    return state


def counted(told: list[int]) -> Moments:
    state = Moments()
    for place, amount in enumerate(told):
        moments.count(state, amount, place, f"log:{place}")
    return state


@settings(max_examples=300)
@given(flows, st.integers(0, 2**32), st.integers(0, 100 * DAY))
def test_what_is_left_is_the_sum_of_what_is_left_of_each(told: list[tuple[int, int]], seed: int, later: int) -> None:
    """Twin: every amount fades by itself; in any order of arrival."""
    state = faded(Random(seed).sample(told, len(told)))

    newest = max(at for at, _ in told)
    want = fsum(amount * exp((at - newest) / SPAN) for at, amount in told)
    assert state.at == newest
    assert isclose(state.value, want, rel_tol=CLOSE)
    assert abs(decayed.left(state, SPAN, newest + later) - want * exp(-later / SPAN)) <= 1 + want * CLOSE


@given(flows, flows)
def test_what_flows_both_ways_is_the_difference(there: list[tuple[int, int]], back: list[tuple[int, int]]) -> None:
    """A subtracted input fades alike."""
    mixed = [*there, *((at, -amount) for at, amount in back)]
    state, newest = faded(mixed), max(at for at, _ in mixed)

    want = fsum(amount * exp((at - newest) / SPAN) for at, amount in mixed)
    scale = sum(abs(amount) for _, amount in mixed)

    assert abs(state.value - want) <= CLOSE * max(scale, 1)


@given(flows, st.integers(0, 2**32))
def test_the_last_record_is_the_same_in_any_order(told: list[tuple[int, int]], seed: int) -> None:
    """The latest, of equal instants the greater coordinates: for both kinds."""
    marked = [(at, amount, f"log:{place}") for place, (at, amount) in enumerate(told)]
    found = set()
    for order in (marked, Random(seed).sample(marked, len(marked))):
        flow, own = Decayed(), Moments()
        for at, amount, origin in order:
            decayed.add(flow, SPAN, amount, at, origin)
            moments.count(own, amount, at, origin)
        found |= {(flow.at, flow.origin), (own.at, own.origin)}

    last = max((at, origin) for at, _, origin in marked)
    # nothing has come yet at the epoch, with no coordinates
    assert found == {last}


@settings(max_examples=300)
@given(amounts, st.integers(0, 2**32))
def test_moments_are_those_of_the_whole_list(told: list[int], seed: int) -> None:
    """Twin: mean and variance of all logarithms at once; in any order of arrival."""
    state = counted(Random(seed).sample(told, len(told)))
    logs = [log1p(amount) for amount in told]

    assert state.count == len(told)
    assert isclose(state.mean, fmean(logs), rel_tol=CLOSE, abs_tol=1e-12)
    assert isclose(state.squares / state.count, pstdev(logs) ** 2, rel_tol=CLOSE, abs_tol=1e-9)


@settings(max_examples=300)
@given(amounts, st.sampled_from([1_000_000, 3_000_000, 4_000_000]))
def test_standing_is_that_among_all_the_others(told: list[int], deviations: int) -> None:
    """Twin: the others alone. The usual one is the first beyond their bound; the rank is a share that says which side."""
    mine, others = told[0], [log1p(amount) for amount in told[1:]]

    got = moments.standing(counted(told), mine, deviations)

    if not others:
        assert got == (0, 0, 0)
        return
    assert got.history == len(others)
    mean, deviation = fmean(others), pstdev(others)
    # what was taken out again has left a rounding of its own size in the squares
    slack = 1e-6 * (1 + deviations / 1_000_000)
    bound = mean + deviation * deviations / 1_000_000
    assert expm1(bound - slack) - 1 <= got.usual <= expm1(bound + slack) + 2
    assert 0 <= got.rank_ppm <= 1_000_000
    if abs(log1p(mine) - mean) > 1e-6:
        assert (got.rank_ppm >= 500_000) == (log1p(mine) > mean)


@given(st.integers(0, 10**13), st.integers(1, 30))
def test_one_amount_again_and_again_is_usual(amount: int, times: int) -> None:
    """Others that are all alike leave no room: the same is usual, a cent more is not, unless a cent is a rounding."""
    state = counted([amount] * (times + 1))

    got = moments.standing(state, amount, 4_000_000)

    assert got.usual > amount
    assert got.usual <= amount + 1 + amount * 1e-6
    assert got.rank_ppm == 0


@given(amounts)
def test_states_are_exactly_what_one_order_makes_them(told: list[int]) -> None:
    """The same list again: the same bits, so that a replay is a replay."""
    assert counted(told) == counted(told)
    pairs = list(enumerate(told))
    assert faded(pairs) == faded(pairs)


@given(flows, st.integers(0, 400))
def test_a_date_shows_what_is_left_at_its_close(told: list[tuple[int, int]], day: int) -> None:
    """Bound to a zone, the sum as of a date is that at its last instant, once that lies behind the latest event."""
    calendar = Calendar("Asia/Shanghai")
    feature = Fading("flow", 30, "amount", {"txn.entry.posted": ((Condition(()), 1),)}, calendar)
    state = faded(told)
    date = calendar.day(state.at) + day
    close = calendar.close(date)
    assume(close >= state.at)

    assert feature.amount(state, date) == round(state.value * exp((state.at - close) / SPAN))
    assert feature.reading(state, date, close).value == Money(feature.amount(state, date))
    assert feature.reading(state, date, state.at - 1).offsets == ()


@given(amounts)
def test_what_is_usual_needs_no_amount_of_its_own(told: list[int]) -> None:
    """Evidence says how many amounts there are, coordinates only of what had come by then."""
    feature = Spread("sizes", 3_000_000, "amount", {"txn.entry.posted": ((Condition(()), 1),)})
    state = counted(told)

    assert feature.reading(state, 0, len(told)).value == len(told)
    assert feature.reading(state, 0, len(told)).offsets == (state.origin,)
    assert feature.amount(state, 0) == feature.standing(state, 0).usual
