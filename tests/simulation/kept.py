"""Runs that once failed, as data: whatever later plans make of a seed, these stay what they were.

Rule: `make simulate` prints a failing seed as such an entry; it comes here with the reason, together with the mending.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.simulation.scenario import Fault, Scenario


class Kept(NamedTuple):
    """A scenario and what was wrong."""

    reason: str
    scenario: Scenario


KEPT = (
    Kept(
        "T stood still: the broker's clock went back and came right again, and a quiet owner of the ticks never heard of it",
        Scenario(
            988, 1, static=True, workers=2,
            faults=(
                Fault("blind", 4.334220125473346, 0, 0.6404592421212395),
                Fault("zombie", 5.170764024381793, 12, 0.18300294753077972),
                Fault("retries", 7.457228845544938, 6, 0.06930989537431609),
                Fault("join", 8.312663577580077, 38, 0.8331622858387808),
                Fault("jump_back", 16.355920259230018, 18, 0.890628372387627),
            ),
        ),
    ),
    Kept(
        "an old log's commits were asked after its partitions: one made in between began before what was proven",
        Scenario(
            7, 220, static=False, workers=1, recorded=True,
            faults=(Fault("blind", 3.7, 0, 0.6), Fault("grow", 5.0, 0, 0.9)),
        ),
    ),
    Kept(
        "two salaries of one instant, completed by one outflow while contact was refused, were suppressed under one id",
        Scenario(2264, 212, static=True, workers=1, faults=(Fault("late", 8.865463914377678, 7, 0.29534307442126007),)),
    ),
)  # fmt: skip
