"""A contender that is stopped and started again: what is published meanwhile, and when it tells triggers once more.

Rule: everything published is judged in the end, as in `rounds`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from threading import Event, Thread
from typing import Any

import orjson

from tests.bench.jobj import judge, log, rounds, wires
from tests.bench.jobj.contenders import Contender, Run
from tests.bench.jobj.contenders.contender import start
from tests.bench.jobj.latency import LINGER
from tests.bench.jobj.log import Log, Reference
from tests.bench.jobj.rounds import FailedError
from tests.bench.jobj.wires import Reader, Record, Seen

SPARE = 40_000
"""Events at the end of the log that are there for what comes after the fill."""
RATE, EVERY = 200, 9
"""Events a second while it is killed; after so many there is one that surely brings a trigger."""
COLD, END, LIVE = 1_000, 2_000, 1_000_000
"""First numbers of those who make sure of a trigger: before the cold start, at the end, and in between."""
PATIENCE = 600.0
"""Seconds that a restore may take, and that a group may take to forget a member."""


class Live(Thread):
    """The bank goes on, at an even pace."""

    def __init__(self, brokers: str, topic: str, records: Iterator[Record]) -> None:
        super().__init__(name="live", daemon=True)
        self._brokers, self._topic, self._records = brokers, topic, records
        self._sure: set[bytes] = set()

    def run(self) -> None:
        """The thread."""
        out, began = wires.producer(self._brokers, LINGER), time.perf_counter()
        for number, record in enumerate(self._records):
            while (early := began + number / RATE - time.perf_counter()) > 0:
                out.poll(early)
            subject = record.value[log.SUBJECT]
            if subject.startswith(b"Z"):
                self._sure.add(subject)
            wires.send(out, self._topic, record)
        out.flush(60)

    def sure(self) -> set[bytes]:
        """Customers about whom there will be a trigger of an event sent from now on; it grows."""
        self._sure = found = set[bytes]()
        return found


class Trial:
    """One contender and one log.

    Attributes:
        more: Lines published after those of the fill.
        over: Set when the bank shall stop; lines that close every partition are its last.
    """

    def __init__(self, brokers: str, contender: Contender, run: Run, source: Log) -> None:
        self.contender, self.run = contender, run
        self.more: list[bytes] = []
        self.over = Event()
        self._started: list[subprocess.Popen[bytes]] = []
        self._brokers, self._source, self._events = brokers, source, source.events - SPARE
        # one iterator for all of it: a contender may count what it is given
        self._records = contender.records(self._lines())

    def _lines(self) -> Iterator[bytes]:
        yield from self._source.run(self._events)
        for line in coming(self._source, self._events, self.over):
            self.more.append(line)
            yield line

    def load(self, lines: int) -> None:
        """Publish the next so many."""
        wires.load(self._brokers, self.contender.source(self.run), islice(self._records, lines))

    def live(self) -> Live:
        """Publish all others, as the bank would."""
        found = Live(self._brokers, self.contender.source(self.run), self._records)
        found.start()
        return found

    def start(self) -> None:
        """Start the contender."""
        self._started.append(start(self.contender, self.run))

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The contender as it was started last."""
        return self._started[-1]

    def kill(self) -> None:
        """SIGKILL, to all of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> list[bytes]:
        """What it has written since it was started last."""
        return (self.run.where / "contender.log").read_bytes().splitlines()

    @contextmanager
    def listening(self, **options: Any) -> Iterator[Reader]:
        """A reader of what it tells; in the end the contender is ended."""
        reader = Reader(self._brokers, self.contender.outputs(self.run), self.contender.committed, **options)
        try:
            yield reader
        finally:
            for process in self._started[-1:]:
                rounds.end(process)
            time.sleep(rounds.SETTLE)
            reader.close()

    def fill(self) -> None:
        """Let it work off the log; return when nobody is left of its group."""
        self.load(self._events + len(log.closers()))
        with self.listening(wanted=log.closers(), keep=False) as reader:
            self.start()
            self._reached(reader.over.is_set, rounds.PATIENCE + self._events / rounds.LEAST)
        until = time.monotonic() + PATIENCE
        while not wires.left(self._brokers, self.run.name):
            if time.monotonic() > until:
                raise FailedError("its group does not forget it")
            time.sleep(rounds.GLANCE)

    def until(self, reader: Reader, wanted: Container[bytes], first: int = 0) -> dict[int, float]:
        """Wait for a trigger about one of these customers in each partition; when each was read (`time.perf_counter`).

        Args:
            first: From which record of the reader's on to look.
        """
        found: dict[int, float] = {}

        def reached() -> bool:
            found.update(firsts(reader.seen[first:], wanted))
            return len(found) == log.PARTITIONS

        self._reached(reached, PATIENCE)
        return found

    def _reached(self, reached: Callable[[], bool], patience: float) -> None:
        rounds.watched(self.process, 0, self.run, time.monotonic() + patience, reached)

    def wanted(self) -> Reference:
        """What must have come of everything published."""
        return self._source.reference(self._events, self.more)

    def faults(self, wanted: Reference) -> list[str]:
        """What it told or kept that is not so."""
        told = chain.from_iterable(wires.whole(self._brokers, topic) for topic in self.contender.outputs(self.run))
        return judge.faults(self.contender, self.run, told, wanted)


def coming(source: Log, events: int, over: Event) -> Iterator[bytes]:
    """What is published after so many events: closing lines, the log's next ones with sure ones among them, closing lines."""
    [line] = source.lines(events - 1, events)
    yield from log.closing(at(line), COLD)
    for number, line in enumerate(source.lines(events), LIVE):
        if over.is_set():
            break
        if number % EVERY == 0:
            yield log.last(f"Z{number:07d}", at(line), number)
        yield line
    yield from log.closing(at(line), END)


def at(line: bytes) -> str:
    """A line's time."""
    return str(orjson.loads(line)["time"])


def firsts(seen: list[Seen], wanted: Container[bytes]) -> dict[int, float]:
    """By partition, when the first trigger about one of these customers was read."""
    found: dict[int, float] = {}
    for each in seen:
        subject = each.message.key()
        if subject in wanted:
            found.setdefault(log.partition(subject), each.at)
    return found
