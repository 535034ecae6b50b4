"""Running mean and variance of a customer's amounts on a logarithmic scale: x = log(1 + minor units).

Rule: floats, so two orders of arrival agree to rounding only; one order gives the same bits. After Welford (1962): no sum
of squares that loses its digits.
"""

from __future__ import annotations

from math import erfc, expm1, floor, log1p, sqrt

import msgspec

from stream.domain.facts import Standing

PPM = 1_000_000
ROUNDING = 1e-9
"""An amount counts as beyond a bound only by more than this share: what is taken out again leaves a rounding behind."""


class Moments(msgspec.Struct, array_like=True, gc=False):
    """How many, their mean, the sum of squared distances from it; the last event counted (UTC ms, coordinates)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    at: int = 0
    origin: str = ""


def count(state: Moments, amount: int, at: int, origin: str) -> None:
    """Fold one amount, not negative.

    >>> own = Moments()
    >>> for minor in (100, 200, 300): count(own, minor, 0, "")
    >>> own.count, round(expm1(own.mean)), round(own.squares / own.count, 3)
    (3, 182, 0.203)
    """
    x = log1p(amount)
    state.count += 1
    distance = x - state.mean
    state.mean += distance / state.count
    state.squares += distance * (x - state.mean)
    if (at, origin) > (state.at, state.origin):
        state.at, state.origin = at, origin


def without(state: Moments, amount: int) -> tuple[int, float, float]:
    """Count, mean and standard deviation of the others, when ``amount`` is one of those counted."""
    others = state.count - 1
    if others <= 0:
        return 0, 0.0, 0.0
    x = log1p(amount)
    mean = state.mean - (x - state.mean) / others
    squares = max(state.squares - (x - state.mean) * (x - mean), 0.0)
    return others, mean, sqrt(squares / others)


def standing(state: Moments, amount: int, deviations_ppm: int) -> Standing:
    """Where ``amount``, itself already counted, stands among the others.

    `Standing.usual` is the least amount more than so many standard deviations above their mean; the rank is that of the
    normal law with their mean and deviation.

    >>> own = Moments()
    >>> for minor in (100, 120, 90, 110, 9_999): count(own, minor, 0, "")
    >>> standing(own, 9_999, 4_000_000)
    Standing(history=4, rank_ppm=1000000, usual=161)
    """
    others, mean, deviation = without(state, amount)
    if others == 0:
        return Standing(0, 0, 0)
    bound = expm1(mean + deviation * deviations_ppm / PPM)
    return Standing(others, _rank(log1p(amount) - mean, deviation), floor(bound * (1 + ROUNDING)) + 1)


def _rank(above: float, deviation: float) -> int:
    if deviation <= ROUNDING:
        return PPM if above > ROUNDING else 0
    return round(erfc(-above / deviation / sqrt(2)) / 2 * PPM)
