"""One seed from plan to verdict, and the way from a failing one to the least that still fails."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple
from unittest.mock import patch

from stream.engine import partition
from stream.shell.kafka import failstop
from tests.simulation import checks
from tests.simulation.bugs import BUGS
from tests.simulation.cluster import Run
from tests.simulation.loop import leave
from tests.simulation.scenario import LEAST_FAULTS, Scenario, fuller, planned

SLICE = 2
"""Customers that a tick wakes at a time in what runs live, so that herds are sliced; the truth is worked out in one."""
COLLECT = 20
"""Seeds between two garbage collections: what a seed leaves behind is a cycle of some megabytes."""


class Verdict(NamedTuple):
    """What became of one scenario.

    Attributes:
        faults: Invariants that were broken.
        seen: What happened, by name.
        hits: Number of planned faults that did happen.
    """

    scenario: Scenario
    faults: list[str]
    seen: Counter[str]
    hits: int = 0


@contextmanager
def apart(loud: bool = False) -> Iterator[None]:
    """Processes end inside the simulation only; what they log is not shown unless asked for."""
    before = logging.root.manager.disable
    logging.disable(logging.NOTSET if loud else logging.CRITICAL)
    gc.disable()
    try:
        with patch.object(failstop, "leave", leave):
            yield
    finally:
        gc.enable()
        logging.disable(before)


def tried(scenario: Scenario, bug: str | None = None) -> Verdict:
    """Run a scenario and judge it, within `apart`. ``bug``: with this one planted in what runs live."""
    planted: AbstractContextManager[Any] = nullcontext() if bug is None else BUGS[bug]()
    run = Run(scenario)
    # which pack woke a customer of a sliced tick is said by the triggers, not by the ledger that the truth goes by
    swapped = any(fault.kind == "swap" for fault in scenario.faults)
    try:
        with planted, nullcontext() if swapped else patch.object(partition, "SLICE", SLICE):
            run.live()
    except (TimeoutError, RuntimeError) as error:
        return Verdict(scenario, [f"the run did not end: {error}"], run.seen, run.hits)
    return Verdict(scenario, checks.broken(run), run.seen, run.hits)


def sown(seed: int, bug: str | None = None) -> Verdict:
    """The verdict on a seed, within `apart`. One in some ten thousand plans strikes too seldom: it gets more faults."""
    verdict = tried(planned(seed), bug)
    while verdict.hits < LEAST_FAULTS and not verdict.faults:
        verdict = tried(fuller(verdict.scenario), bug)
    return verdict


def verdicts(seeds: range, bug: str | None = None) -> Iterator[Verdict]:
    """The verdicts on these seeds, one after the other."""
    with apart():
        for place, seed in enumerate(seeds):
            yield sown(seed, bug)
            if place % COLLECT == COLLECT - 1:
                gc.collect()


def shrunk(scenario: Scenario, bug: str | None = None) -> Scenario:
    """The scenario with no fault that it does not need, and as few events as the same failure allows."""
    with apart():
        for fault in scenario.faults:
            less = scenario._replace(faults=tuple(each for each in scenario.faults if each is not fault))
            if tried(less, bug).faults:
                scenario = less
        while scenario.events > 1 and tried(fewer := scenario._replace(events=scenario.events // 2), bug).faults:
            scenario = fewer
    return scenario
