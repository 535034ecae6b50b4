"""Seeded chance that is the same on every platform.

Rule: every draw is a function of (seed, customer, day); only integers and `random.Random.random` (exact by
definition in every Python) reach a result, never `hash`, a set's order, or a distribution that leans on libm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Roll = Callable[[], float]
"""The next number in [0, 1)."""

_MASK = (1 << 64) - 1


def mix(*parts: int) -> int:
    """64 well-stirred bits of some integers (the finaliser of SplitMix64 over each in turn).

    >>> mix(7, 1) == mix(7, 1), mix(7, 1) == mix(1, 7)
    (True, False)
    """
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = (state + part * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def between(roll: Roll, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(roll() * (high - low + 1))


def pick(roll: Roll, options: Sequence[T]) -> T:
    """One of the options, all equally likely; write one twice to make it likelier."""
    return options[int(roll() * len(options))]


_BELOW = (12, 18, 23, 27, 31, 35, 39, 43, 47, 51, 55, 59, 64)
_ABOVE = (69, 74, 80, 86, 92, 99, 107, 115, 125, 136, 149, 164, 182)
_SPREAD = _BELOW + _ABOVE
"""Percent of the usual at 26 equally likely places: most amounts are below the mean, few are twice it."""


def spread(roll: Roll, usual: int) -> int:
    """An amount of money around the usual one, skewed as spending is; one in fifty is two to five times it.

    >>> spread(lambda: 0.5, 10_000)
    7082
    """
    at = roll() * 26.52
    if at >= 26:
        return usual * (200 + int((at - 26) * 576)) // 100
    place = int(at)
    return usual * (_SPREAD[place] * 100 + int((at - place) * 700)) // 10_000 + 1
