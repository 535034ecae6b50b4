"""Exact sums over the last N dates, from sparse daily buckets (DESIGN section 7).

Rule: a bucket belongs to a date, never to an arrival; late amounts join the date they belong to.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import msgspec

from stream.domain.money import bounded

SLACK = 7
"""Dates kept beyond the window, so that a close may be judged that many dates after it."""


class Window(msgspec.Struct, array_like=True, gc=False):
    """Dates with movement, ascending, and their sums in base minor units; the last event that moved it."""

    days: list[int] = []
    sums: list[int] = []
    at: int = 0
    origin: str = ""


def add(state: Window, length: int, day: int, amount: int, at: int, origin: str) -> None:
    """Fold one amount into its date; forget dates that no window of ``length`` dates can reach."""
    days, sums = state.days, state.sums
    if days and days[-1] == day:
        sums[-1] = bounded(sums[-1] + amount)
    elif not days or days[-1] < day:
        days.append(day)
        sums.append(amount)
        gone = bisect_right(days, day - length - SLACK)
        if gone:
            del days[:gone], sums[:gone]
    elif day > days[-1] - length - SLACK:
        place = bisect_left(days, day)
        if days[place] == day:
            sums[place] = bounded(sums[place] + amount)
        else:
            days.insert(place, day)
            sums.insert(place, amount)
    if (at, origin) > (state.at, state.origin):
        state.at, state.origin = at, origin


def total(state: Window, length: int, day: int) -> int:
    """Sum over the ``length`` dates that end with ``day``.

    >>> window = Window()
    >>> for date, amount in ((1, 10), (3, 5), (9, 1)): add(window, 7, date, amount, 0, "")
    >>> total(window, 7, 9), total(window, 7, 3)
    (6, 15)
    """
    low = bisect_right(state.days, day - length)
    high = bisect_right(state.days, day)
    return sum(state.sums[low:high])
