"""The pressure runs: a soak at the highest sustainable rate, bursts of ten times the usual, a slow broker; and the verdict.

Rule: what is promised is checked here and named when it does not hold; rates and seconds are reported, never promised.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stream.shell.kafka import decide, ingest
from stream.shell.kafka.app import POLL_RECORDS
from stream.shell.settings import Clock, Settings
from tests.pressure.probe import Seen
from tests.pressure.stand import Stand
from tests.rig import load
from tests.rig.oracle import Verdict

FIRST, FACTOR, STEP = 3_000.0, 1.2, 15.0
"""The ramp: the first rate, how much more each step asks for, how many seconds it lasts."""
LEAST = 100.0
BEHIND = 2.5
"""Seconds of input that may wait at a sustained rate: one is usual, with positions committed twice a second."""
KEPT = 0.97
"""Share of what is sent that must be applied meanwhile: a backlog of a step that still looks small grows for minutes."""
MARGIN = 0.95
"""Of the highest rate that the ramp sustained, for the soak: minutes are longer than a step."""
TEN = 10.0
GROWTH = 8.0
"""MiB a minute that the worker may grow in the second half of a soak."""


class Slow(NamedTuple):
    """A slow broker, and how long.

    Attributes:
        rate: Bytes a second each way.
        latency: Seconds that every byte is late.
        pulses: Seconds of each stop of its process.
        between: Seconds between two of them.
    """

    rate: float
    latency: float
    pulses: tuple[float, ...]
    between: float


class Form(NamedTuple):
    """How much of everything.

    Attributes:
        bank: Customers and days: more than the run sends.
        soak: Seconds at the highest sustainable rate, which a ramp finds first; 0 for neither.
        usual: Lines a second around bursts and while the broker is slow; None for a fifth of the highest sustainable rate.
        bursts, burst: How many, ten times the usual, and how many seconds each.
        stands: Seconds for which the broker stands still at the end, longer than the session; 0 for never.
        most: MiB that the worker may take.
        clock: What moves time.
    """

    bank: tuple[int, int]
    soak: float
    usual: float | None
    bursts: int
    burst: float
    slow: Slow
    stands: float
    most: float
    clock: Clock


def full(minutes: float, clock: Clock) -> Form:
    """What `make soak` does."""
    slow = Slow(rate=2e6, latency=0.05, pulses=(3.0, 4.0, 5.0), between=6.0)
    return Form((10_000, 1_500), minutes * 60, None, 4, 6.0, slow, stands=25.0, most=768.0, clock=clock)


SHORT = Form((2_000, 300), 0.0, 300.0, 1, 12.0, Slow(5e5, 0.02, (3.0,), 4.0), stands=0.0, most=400.0, clock=Clock.RECORDED)
"""What CI does: a burst over a slow broker that stands still in the middle of it."""


class Outcome(NamedTuple):
    """What a run was, and what is wrong with it; nothing when it is good.

    Attributes:
        highest: Lines a second that the ramp found sustainable; 0 without a ramp.
        pace: Lines a second that were sent, by stretch.
        ended: Exit codes of the worker where it ended by itself.
    """

    highest: float
    stretches: dict[str, Seen]
    pace: dict[str, float]
    ended: list[int]
    events: int
    verdict: Verdict
    wrong: list[str]


def press(form: Form, where: Path, say: Callable[[str], None]) -> Outcome:
    """Run it in this directory."""
    with Stand(where, say, form.bank, form.clock) as stand:
        stand.worker(slow=not form.soak)
        highest = soak(form, stand) if form.soak else 0.0
        usual = form.usual or round(highest / 5)
        if form.soak:
            bursts(form, stand, usual)
            stand.worker(slow=True)
        slowly(form, stand, usual)
        ended = list(stand.ended)
        if form.stands:
            long_stop(form, stand, usual)
        verdict = stand.verdict()
        wrong = [*faulty(form, stand, highest), *([f"wrong: {verdict}"] if not verdict.good else [])]
        if ended:
            wrong.append(f"the worker ended by itself with {ended}")
        return Outcome(highest, stand.stretches, stand.pace, stand.ended, stand.bank.count, verdict, wrong)


def soak(form: Form, stand: Stand) -> float:
    """The highest rate that lasts, as a ramp finds it; and it lasts."""
    stand.stretch("warming up", FIRST / 2, STEP)
    highest = FIRST
    while not lasts(stand, highest):
        highest /= 2
        assert highest > LEAST, "no rate lasts"
    while lasts(stand, highest * FACTOR):
        highest *= FACTOR
    stand.stretch("soak", MARGIN * highest, form.soak)
    stand.drained(most=500)
    return highest


def lasts(stand: Stand, rate: float) -> bool:
    """Whether a worker keeps up with so many lines a second for a step."""
    name = f"ramp {rate:.0f}"
    found = stand.stretch(name, rate, STEP)
    del stand.stretches[name]
    stand.drained(most=500)
    sent = stand.pace.pop(name)
    return found.lag_end <= BEHIND * rate and sent >= 0.9 * rate and found.rate >= KEPT * sent


def bursts(form: Form, stand: Stand, usual: float) -> None:
    """Ten times the usual, again and again."""
    for number in range(1, form.bursts + 1):
        stand.stretch(f"burst {number}", TEN * usual, form.burst)
        stand.stretch(f"after burst {number}", usual, 2 * form.burst)
    stand.drained(most=500)


def slowly(form: Form, stand: Stand, usual: float) -> None:
    """A burst through a thin line to a broker that stands still now and then; then until all is worked off."""
    slow = form.slow
    stand.proxy.speed.rate, stand.proxy.speed.latency = slow.rate, slow.latency

    def pulses() -> None:
        for seconds in slow.pulses:
            stand.watch(slow.between)
            stand.broker.pulse(seconds)

    stand.stretch("slow broker", TEN * usual, form.burst, meanwhile=pulses)
    began = time.monotonic()
    stand.drained(most=500, patience=600.0)
    stand.say(f"worked off the backlog in {time.monotonic() - began:.0f} s")


def long_stop(form: Form, stand: Stand, usual: float) -> None:
    """The broker stands still for longer than sessions last."""
    before = len(stand.ended)
    stand.stretch("broker stands", usual, form.burst, meanwhile=lambda: stand.broker.pulse(form.stands))
    stand.drained(most=500, patience=600.0)
    stand.say(f"the worker ended {len(stand.ended) - before} times by itself")


def faulty(form: Form, stand: Stand, highest: float) -> list[str]:
    """Everything that is not as it must be."""
    most, wrong = held(stand.settings), []
    for name, seen in stand.stretches.items():
        if seen.rebalances and name != "broker stands":
            wrong.append(f"{name}: {seen.rebalances} rebalances caused by load")
        if seen.rss_most > form.most:
            wrong.append(f"{name}: RSS of {seen.rss_most} MiB, more than {form.most:.0f}")
        if seen.buffered_most > most:
            wrong.append(f"{name}: {seen.buffered_most} records buffered, more than {most}")
    if form.soak:
        lasted = stand.stretches["soak"]
        if lasted.growth > GROWTH:
            wrong.append(f"soak: RSS grew by {lasted.growth} MiB a minute in the second half")
        if lasted.lag_usual > BEHIND * highest:
            wrong.append(f"soak: {highest:.0f} a second were not sustainable, {lasted.lag_usual} records wait")
    return wrong


def held(settings: Settings) -> int:
    """Records that all inboxes may hold: the journal by chunks, the sources together, and a fetch more each."""
    sources = ingest.ROUND * ingest.AHEAD + sum(load.PARTITIONS.values()) * (POLL_RECORDS // 2)
    return sources + settings.journal_partitions * (settings.chunk * decide.AHEAD + POLL_RECORDS // 2)
