"""Sums that fade: what is left at an instant of amounts that lose all but 1/e in each span of time.

Rule: a float, so two orders of arrival agree to rounding only (a part in 10^12); one order gives the same bits.
"""

from __future__ import annotations

from math import exp

import msgspec


class Decayed(msgspec.Struct, array_like=True, gc=False):
    """What is left in base minor units at `at`, UTC ms: the time of the latest event folded, whose coordinates are `origin`."""

    value: float = 0.0
    at: int = 0
    origin: str = ""


def add(state: Decayed, span: int, amount: int, at: int, origin: str) -> None:
    """Fold one amount; a late one has faded already when it comes. ``span`` in ms.

    >>> flow = Decayed()
    >>> add(flow, 1000, 100, 5000, "x@1"); add(flow, 1000, 100, 6000, "x@2"); add(flow, 1000, 100, 5000, "x@0")
    >>> round(flow.value, 6) == round(100 + 200 / 2.718281828459045, 6), flow.at
    (True, 6000)
    """
    ahead = at - state.at
    if ahead >= 0:
        state.value = state.value * exp(-ahead / span) + amount
        if ahead or origin > state.origin:
            state.at, state.origin = at, origin
    else:
        state.value += amount * exp(ahead / span)


def left(state: Decayed, span: int, at: int) -> int:
    """What is left at an instant, rounded; never as of before the latest event, which cannot be taken out again.

    >>> left(Decayed(100.0, 5000), 1000, 6000), left(Decayed(100.0, 5000), 1000, 4000)
    (37, 100)
    """
    return round(state.value * exp(-max(at - state.at, 0) / span))
