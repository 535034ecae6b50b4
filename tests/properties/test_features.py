"""Features against naive twins: they fold in any order, answer as of any date still askable, and forget nothing askable."""

from __future__ import annotations

from collections import defaultdict
from math import ceil
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.features import balances, histograms, windows
from stream.features.balances import Balances, Entry
from stream.features.histograms import Histogram
from stream.features.windows import SLACK, Window

DAYS = st.integers(1, 30)


# --- balances

News = tuple[str, str, str, Entry]
"""What (posted, closed), account, product, and the balance it left."""

entries = st.builds(
    lambda day, hour, sequence, minor, place: Entry(day, day * 24 + hour, sequence, minor, f"log:{place}"),
    DAYS,
    st.integers(0, 30),
    st.sampled_from(["", "1", "2"]),
    st.integers(-500, 5000),
    st.integers(1, 9),
)
news = st.lists(
    st.tuples(
        st.sampled_from(["posted", "posted", "closed"]),
        st.sampled_from(["A1", "A2"]),
        st.sampled_from(["", "", "DEMAND", "TIME"]),
        entries,
    ),
    max_size=25,
)
ends = st.dictionaries(st.sampled_from(["A1", "A2", "A3"]), DAYS, max_size=2)


def folded(told: list[News], ended: dict[str, int]) -> Balances:
    state = Balances()
    for what, account, product, entry in told:
        (balances.post if what == "posted" else balances.close)(state, account, product, entry)
    for account, day in ended.items():
        balances.end(state, account, day)
    return state


def naive_aum(told: list[News], ended: dict[str, int], day: int) -> int:
    """Twin: sort everything known by then; per account and product the latest date wins, a close over its postings."""
    total = 0
    for account in {each[1] for each in told}:
        if account in ended and day >= ended[account]:
            continue
        own = [each for each in told if each[1] == account]
        named = sorted({product for _, _, product, _ in own if product})
        home = "DEMAND" if "DEMAND" in named else (named or [""])[0]
        by_product = defaultdict(list)
        for what, _, product, entry in own:
            if entry.day <= day:
                by_product[product or home].append((entry.day, what == "closed", entry))
        total += sum(max(held)[2].minor for held in by_product.values())
    return total


@settings(max_examples=300)
@given(news, ends, st.integers(0, 2**32), DAYS)
def test_aum_is_what_the_whole_list_says_in_any_order(told: list[News], ended: dict[str, int], seed: int, day: int) -> None:
    """As of any date, whatever the order of arrival, with and without product classes and closed accounts."""
    shuffled = Random(seed).sample(told, len(told))

    assert balances.as_of(folded(shuffled, ended), day) == naive_aum(told, ended, day)


@settings(max_examples=200)
@given(news, news, DAYS)
def test_pruning_changes_nothing_askable(before: list[News], after: list[News], floor: int) -> None:
    """A pruned state, also when more is folded into it later, answers as the unpruned one from that date on."""
    pruned, whole = folded(before, {}), folded(before, {})
    balances.prune(pruned, floor)
    for what, account, product, entry in after:
        for state in (pruned, whole):
            (balances.post if what == "posted" else balances.close)(state, account, product, entry)

    got = [balances.as_of(pruned, day) for day in range(floor, 40)]

    assert got == [balances.as_of(whole, day) for day in range(floor, 40)]


@settings(max_examples=200)
@given(news, st.lists(st.tuples(st.sampled_from(["A1", "A2"]), DAYS), max_size=4), st.integers(0, 2**32), DAYS)
def test_closed_accounts_count_nothing_in_any_order(
    told: list[News], ended: list[tuple[str, int]], seed: int, floor: int
) -> None:
    """Of several ends the latest holds, before or after its postings; pruning does not bring an account back."""
    state, mixed = Balances(), Random(seed).sample([*told, *ended], len(told) + len(ended))
    for each in mixed:
        if len(each) == 2:
            balances.end(state, *each)
        else:
            (balances.post if each[0] == "posted" else balances.close)(state, *each[1:])

    last = dict(sorted(ended, key=lambda each: each[1]))
    want = [naive_aum(told, last, day) for day in range(floor, 40)]
    assert [balances.as_of(state, day) for day in range(floor, 40)] == want
    balances.prune(state, floor)
    assert [balances.as_of(state, day) for day in range(floor, 40)] == want


@given(news)
def test_pruned_at_the_end_there_is_nothing_left_to_prune(told: list[News]) -> None:
    """One entry a series is enough for every date to come."""
    state = folded(told, {})

    balances.prune(state, 40)

    assert not balances.prunable(state)


@given(news, DAYS)
def test_entries_shown_are_those_that_make_the_sum(told: list[News], day: int) -> None:
    """Evidence adds up to the value it explains."""
    state = folded(told, {})

    assert sum(entry.minor for entry in balances.used(state, day)) == balances.as_of(state, day)


# --- windows

moves = st.lists(st.tuples(DAYS, st.integers(-500, 500)), max_size=40)


@settings(max_examples=300)
@given(moves, st.integers(1, 12), st.integers(0, 2**32))
def test_window_is_the_sum_over_its_dates_in_any_order(told: list[tuple[int, int]], length: int, seed: int) -> None:
    """From the newest date back to the slack, every date's window is exact."""
    window = Window()
    for place, (day, amount) in enumerate(Random(seed).sample(told, len(told))):
        windows.add(window, length, day, amount, day, f"log:{place}")

    newest = max((day for day, _ in told), default=1)
    for day in range(newest - SLACK, newest + length + 2):
        want = sum(amount for date, amount in told if day - length < date <= day)
        assert windows.total(window, length, day) == want


@given(moves, st.integers(0, 2**32))
def test_window_is_bounded_and_folds_alike(told: list[tuple[int, int]], seed: int) -> None:
    """The same state, whatever the order; never more dates than the window and its slack."""
    marked = [(day, amount, f"log:{place}") for place, (day, amount) in enumerate(told)]
    states = []
    for order in (marked, Random(seed).sample(marked, len(marked))):
        window = Window()
        for day, amount, origin in order:
            windows.add(window, 5, day, amount, day, origin)
        states.append(window)

    assert states[0] == states[1]
    assert len(states[0].days) <= 5 + SLACK


# --- histograms

amounts = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 10**13)), min_size=1, max_size=40)


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_buckets_are_monotone_and_at_most_an_eighth_wide(one: int, other: int) -> None:
    """A bucket's ceiling is its largest amount, and no more than an eighth above any amount in it."""
    low, high = sorted((one, other))
    top = histograms.ceiling(histograms.bucket(low))

    assert histograms.bucket(low) <= histograms.bucket(high)
    assert low <= top <= low + low // 8
    assert histograms.bucket(top) == histograms.bucket(low)
    assert histograms.bucket(top + 1) == histograms.bucket(low) + 1


@given(st.integers(0, 400))
def test_ceilings_rise_and_lie_in_their_buckets(index: int) -> None:
    """Buckets leave no gap: the amount after a ceiling opens the next one."""
    assert histograms.bucket(histograms.ceiling(index)) == index
    assert histograms.bucket(histograms.ceiling(index) + 1) == index + 1


@settings(max_examples=300)
@given(amounts, st.sampled_from([1, 500_000, 900_000, 1_000_000]), st.integers(0, 2**32))
def test_standing_is_that_among_all_the_others(told: list[int], quantile: int, seed: int) -> None:
    """Twin: put the others in order; the usual one is at most an eighth too high, the rank counts lower buckets."""
    state = Histogram()
    for place, amount in enumerate(Random(seed).sample(told, len(told))):
        histograms.count(state, amount, place, "")
    mine, others = told[0], sorted(told[1:])

    got = histograms.standing(state, mine, quantile)

    if not others:
        assert got == (0, 0, 0)
        return
    exact = others[ceil(len(others) * quantile / 1_000_000) - 1]
    below = sum(histograms.bucket(other) < histograms.bucket(mine) for other in others)
    assert got.history == len(others)
    assert got.usual == histograms.ceiling(histograms.bucket(exact))
    assert exact <= got.usual <= exact + exact // 8
    assert got.rank_ppm == below * 1_000_000 // len(others)


@given(amounts, st.integers(0, 2**32))
def test_histogram_folds_alike_in_any_order(told: list[int], seed: int) -> None:
    """Equal counts and the same last event."""
    marked = list(enumerate(told))
    states = []
    for order in (marked, Random(seed).sample(marked, len(marked))):
        state = Histogram()
        for place, amount in order:
            histograms.count(state, amount, place // 2, f"log:{place}")
        states.append(state)

    assert states[0] == states[1]
