"""One run of one contender over what was written before it started: how fast, at what cost, and whether right.

A rate is events over the time from the first trigger that a reader sees to the last one, less the events that lay before the
first; CPU is that of the contender's process tree over the same stretch, and that of the broker beside it. Where
two workers share the work it begins when each has its part.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.bench.jobj import judge, log, watch, wires
from tests.bench.jobj.contenders import Contender, Run
from tests.bench.jobj.contenders.contender import start
from tests.bench.jobj.log import Log, Reference
from tests.bench.jobj.wires import Reader

LEAST, PATIENCE = 100, 120
"""Events a second below which we do not wait any longer, and seconds that a start may take."""
LOOK, GLANCE, SETTLE = 0.02, 0.5, 0.5
"""Seconds between two looks, between two at all processes (which costs milliseconds), and for what comes after the end."""
LONG = 75
"""Seconds that a contender of its `pace` shall take at most."""


class FailedError(Exception):
    """A contender ended, or did not get to the end, or did another job."""


class Figure(NamedTuple):
    """What one run showed.

    Attributes:
        size: How many events there were in all.
        events: How many of them lay between the first and the last trigger.
        seconds, cpu, broker: Wall time, CPU of the process tree and of the broker, s.
        peak: Bytes of memory at most.
        triggers: Different ids told.
    """

    contender: str
    size: int
    events: int
    seconds: float
    cpu: float
    broker: float
    peak: int
    triggers: int
    digest: str

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


class Used(NamedTuple):
    """What has been used so far: CPU seconds of the contender and of the broker, bytes of memory at most."""

    cpu: float
    broker: float
    peak: int


def share(contender: Contender, events: int) -> int:
    """How many events it gets."""
    return min(events, contender.pace * LONG)


@contextmanager
def stage(brokers: str, contender: Contender, follow: bool) -> Iterator[Run]:
    """A run's own directory and topics; both are gone afterwards."""
    where = Path(tempfile.mkdtemp(prefix="kairos-jobj-"))
    run = Run(brokers, f"j{uuid.uuid4().hex[:8]}", where, follow)
    try:
        contender.prepare(run)
        yield run
    finally:
        wires.forget(brokers, run.name)
        shutil.rmtree(where, ignore_errors=True)


def once(brokers: str, broker: int, contender: Contender, source: Log, wanted: Reference, size: int) -> Figure:
    """Run it over the first so many events. Raises FailedError when it did not do the job.

    Args:
        broker: Process id of the broker's session; 0 when it is not ours.
    """
    with stage(brokers, contender, not contender.exits) as run:
        wires.load(brokers, contender.source(run), contender.records(source.run(size)))
        reader = Reader(brokers, contender.outputs(run), contender.committed, log.closers())
        process = start(contender, run)
        try:
            until = time.monotonic() + PATIENCE + size / LEAST
            began = watched(process, broker, run, until, lambda: reader.over.is_set() or going(contender, run, reader))
            early, since = len(reader.seen), time.perf_counter()
            if contender.exits:
                ended = watched(process, broker, run, until, lambda: process.poll() == 0)
                reader.ended = time.perf_counter()
            else:
                ended = watched(process, broker, run, until, reader.over.is_set)
        finally:
            end(process)
        time.sleep(SETTLE)
        reader.close()
        faults = judge.faults(contender, run, (each.message for each in reader.seen), wanted)
        if faults:
            raise FailedError("\n".join((*faults, tail(run))))
    events = size - source.begun(size, early, len(reader.seen))
    if not events:
        raise FailedError("all triggers came at once: it needs more events to have a rate")
    seconds = reader.ended - since
    used = ended.cpu - began.cpu, ended.broker - began.broker, ended.peak
    return Figure(contender.name, size, events, seconds, *used, len(wanted.ids), wanted.digest)


def going(contender: Contender, run: Run, reader: Reader) -> bool:
    """Whether it is at work with all it has."""
    return reader.first.is_set() and contender.settled(run)


def watched(process: subprocess.Popen[bytes], broker: int, run: Run, until: float, reached: Callable[[], bool]) -> Used:
    """What is used when it has got there. Raises FailedError when it ends before, or takes too long."""
    last, looked = Used(0, 0, 0), 0.0
    while not reached():
        if process.poll() not in (None, 0):
            raise FailedError(f"it ended with {process.returncode}\n{tail(run)}")
        if time.monotonic() > until:
            raise FailedError(f"it takes too long\n{tail(run)}")
        if process.poll() is None and time.monotonic() > looked + GLANCE:
            last, looked = used(process, broker), time.monotonic()
        time.sleep(LOOK)
    return used(process, broker) if process.poll() is None else last


def used(process: subprocess.Popen[bytes], broker: int) -> Used:
    """What has been used so far."""
    return Used(watch.cpu(process.pid), watch.cpu(broker) if broker else 0.0, watch.peak(process.pid))


def end(process: subprocess.Popen[bytes]) -> None:
    """Gently, then not: nothing of its session is left."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def tail(run: Run) -> str:
    """The end of its log, for an error message."""
    return (run.where / "contender.log").read_bytes()[-2000:].decode(errors="replace")
