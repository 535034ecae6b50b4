"""A customer's own distribution of amounts in logarithmic buckets: counts, so folds commute and merge exactly.

After DDSketch (Masson, Rim, Lee 2019), with buckets cut by bits instead of logarithms: eight to an octave, so a quantile
is at most one eighth too high, and no float is involved.
"""

from __future__ import annotations

import msgspec

from stream.domain.facts import Standing

BITS = 3


class Histogram(msgspec.Struct, array_like=True, gc=False):
    """Counts per bucket, and the last event that was counted."""

    counts: dict[int, int] = {}
    at: int = 0
    origin: str = ""


def bucket(amount: int) -> int:
    """Bucket of a non-negative amount; monotone.

    >>> [bucket(x) for x in (0, 1, 7, 8, 9, 15, 16, 17, 18)]
    [0, 1, 7, 8, 9, 15, 16, 16, 17]
    """
    shift = max(amount.bit_length() - BITS - 1, 0)
    return (shift << BITS) + (amount >> shift)


def ceiling(index: int) -> int:
    """The largest amount of a bucket."""
    if index < 2 << BITS:
        return index
    shift = (index >> BITS) - 1
    return ((index - (shift << BITS) + 1) << shift) - 1


def count(state: Histogram, amount: int, at: int, origin: str) -> None:
    """Fold one amount."""
    index = bucket(amount)
    state.counts[index] = state.counts.get(index, 0) + 1
    if (at, origin) > (state.at, state.origin):
        state.at, state.origin = at, origin


def standing(state: Histogram, amount: int, quantile_ppm: int) -> Standing:
    """Where ``amount``, itself already counted, stands among the others.

    >>> own = Histogram()
    >>> for value in (5, 6, 7, 100): count(own, value, 0, "")
    >>> standing(own, 100, 500_000)
    Standing(history=3, rank_ppm=1000000, usual=6)
    """
    index = bucket(amount)
    history = sum(state.counts.values()) - 1
    if history <= 0:
        return Standing(0, 0, 0)
    below, usual, seen = 0, 0, 0
    wanted = -(-history * quantile_ppm // 1_000_000)
    for place in sorted(state.counts):
        others = state.counts[place] - (place == index)
        below += others if place < index else 0
        if seen < wanted <= seen + others:
            usual = ceiling(place)
        seen += others
    return Standing(history, below * 1_000_000 // history, usual)
