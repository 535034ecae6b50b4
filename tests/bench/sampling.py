"""Where CPU time goes, by stage: a timer of CPU time interrupts the replay and the frame it finds is counted.

Rule: a sample belongs to the innermost frame of the package, so what C does for a line of it counts for that line. The
interpreter looks up from its work at calls and jumps only, which moves a sample by some bytecodes, never by a call into C.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import stream
from tests.bench.stages import REST, stage

PACKAGE = str(Path(stream.__file__).parent) + os.sep
EVERY = 0.001
"""Seconds of CPU time between samples, as asked for; a kernel gives no more than its own tick, often 0.004."""
WAY = ("decode", "fold", "mechanisms", "gates", "encode", "state", "drive")
"""The stages as an event meets them; the last two are there all the time."""
Samples = Counter[CodeType | None]
"""How often each function was found; None where none of the package was at work."""


@contextmanager
def sampling(found: Samples) -> Iterator[None]:
    """Count functions of the package while this is open. In the main thread only, for signals come there."""

    def look(_: int, frame: FrameType | None) -> None:
        found[innermost(frame)] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # one that comes late would end the process by default
        signal.signal(signal.SIGPROF, signal.SIG_IGN)


def innermost(frame: FrameType | None) -> CodeType | None:
    """The function of the package that is at work in a stack."""
    while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return None if frame is None else frame.f_code


def shares(found: Samples) -> dict[str, float]:
    """Share of all samples by stage."""
    stages: Counter[str] = Counter()
    for code, times in found.items():
        stages[REST if code is None else stage(code.co_filename)] += times
    whole = max(found.total(), 1)
    return {name: stages[name] / whole for name in (*WAY, REST)}


class Hot(NamedTuple):
    """A function and its share of all samples."""

    where: str
    stage: str
    share: float


def hottest(found: Samples, most: int) -> list[Hot]:
    """The functions that were found most."""
    hot = [
        Hot(_name(code), stage(code.co_filename), times / found.total()) for code, times in found.items() if code is not None
    ]
    return sorted(hot, key=lambda each: (-each.share, each.where))[:most]


def _name(code: CodeType) -> str:
    return f"{code.co_filename.removeprefix(PACKAGE).removesuffix('.py')} {code.co_qualname}"
