"""Straight lines through what was measured."""

from __future__ import annotations


def line_through(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Slope and height at 0 of the straight line of best fit.

    >>> line_through([(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)])
    (2.0, 3.0)
    """
    x, y = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    slope = sum((a - x) * (b - y) for a, b in pairs) / sum((a - x) ** 2 for a, _ in pairs)
    return slope, y - slope * x
