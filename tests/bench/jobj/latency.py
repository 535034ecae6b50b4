"""From an event to its trigger: a contender that has caught up gets events at an even pace.

An event counts from the moment it is handed to the producer to the moment a reader has its trigger, committed where the
contender is exactly once. Both clocks are this process's own.
"""

from __future__ import annotations

import time
from itertools import chain, islice
from typing import NamedTuple

from tests.bench.jobj import log, rounds, wires
from tests.bench.jobj.contenders import Contender
from tests.bench.jobj.contenders.contender import start
from tests.bench.jobj.log import Log
from tests.bench.jobj.rounds import FailedError
from tests.bench.jobj.wires import Reader

SLOW = 1000
"""Events a second of the pace at which all are compared."""
WARM = 150_000
"""Events that a contender has behind it when delays are measured, at most."""
LINGER = 1
"""Milliseconds that the producer gathers records for."""
RAMP, LAST = 3, 20
"""Seconds at first that do not count, and seconds of a pace in all."""
PATIENCE = 60


class Delays(NamedTuple):
    """Milliseconds from event to trigger at one pace. `triggers` is how many were measured."""

    contender: str
    rate: int
    triggers: int
    p50: float
    p99: float
    most: float


def delays(brokers: str, contender: Contender, source: Log, warm: int, rates: list[int]) -> list[Delays]:
    """Let it catch up with the first ``warm`` lines, then feed it the next ones at each of these paces."""
    found, first = [], warm
    with rounds.stage(brokers, contender, True) as run:
        records = contender.records(chain(source.run(warm), source.lines(warm)))
        ahead = warm + len(log.closers())
        wires.load(brokers, contender.source(run), islice(records, ahead))
        reader = Reader(brokers, contender.outputs(run), contender.committed, log.closers())
        process = start(contender, run)
        try:
            until = time.monotonic() + rounds.PATIENCE + warm / rounds.LEAST
            rounds.watched(process, 0, run, until, reader.over.is_set)
            out = wires.producer(brokers, LINGER)
            for rate in rates:
                some = list(islice(records, rate * LAST))
                sent = wires.pace(out, contender.source(run), some, rate)
                expected = triggers(source, first, first + len(some))
                seen = awaited(contender, reader, expected)
                found.append(summed(contender, rate, first, sent, expected, seen))
                first += len(some)
        finally:
            rounds.end(process)
            reader.close()
    return found


def triggers(source: Log, first: int, end: int) -> dict[str, int]:
    """The ids that come about for the first time in these lines, and the line of each."""
    before = {ident for _, ident in source.triggers(0, first)}
    found: dict[str, int] = {}
    for number, ident in source.triggers(first, end):
        if ident not in before:
            found.setdefault(ident, number)
    return found


def awaited(contender: Contender, reader: Reader, expected: dict[str, int]) -> dict[str, float]:
    """When each expected trigger was first seen. Raises FailedError when some do not come."""
    until, done, seen = time.monotonic() + PATIENCE, 0, dict[str, float]()
    while True:
        there = len(reader.seen)
        for each in reader.seen[done:there]:
            seen.setdefault(contender.ident(each.message), each.at)
        done = there
        if seen.keys() >= expected.keys():
            return seen
        if time.monotonic() > until:
            raise FailedError(f"{len(expected.keys() - seen.keys())} of {len(expected)} triggers did not come")
        time.sleep(0.2)


def summed(
    contender: Contender, rate: int, first: int, sent: list[float], expected: dict[str, int], seen: dict[str, float]
) -> Delays:
    """Quantiles of the delays after the ramp."""
    ramp = min(RAMP * rate, len(sent) // 3)
    waits = sorted((seen[ident] - sent[line - first]) * 1000 for ident, line in expected.items() if line - first >= ramp)
    if not waits:
        raise FailedError(f"no trigger among {len(sent)} events")
    quantile = [waits[min(int(len(waits) * share), len(waits) - 1)] for share in (0.5, 0.99)]
    return Delays(contender.name, rate, len(waits), *quantile, waits[-1])
