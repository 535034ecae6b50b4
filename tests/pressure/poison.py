"""Bad input at volume: eight kinds at 1 % and at 100 %, on a real broker; the breaker, and all of it sent back.

Rule: letters are held against the source records (`tests.rig.letters`); rates are reported, never promised.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.kafka.publish import publish
from stream.shell.settings import Settings
from stream.simulator import Bank, poison
from stream.wire.registry import SOURCES
from tests.integration import cluster
from tests.pressure.probe import MIB, Probe
from tests.rig.broker import Broker
from tests.rig.letters import faults, letters, sources

NAME = "bad.jsonl"
CUSTOMERS = 2_000
PERSONAL = [f"C{number:07d}" for number in range(CUSTOMERS)] + ["POISON", "P5-", "99999999999999999"]
"""What no word about a letter may hold: subjects, references, ids, amounts."""
WORKER = "a"
PATIENCE = 900.0
PARTITIONS = 2
"""Of journal and sources."""

Line = tuple[str | None, bytes]
"""Why it is to die, None where it is sound; the line."""


class Figures(NamedTuple):
    """One run.

    Attributes:
        mib: Of all lines.
        rate: Lines a second from the worker's first look to its last.
        rss: MiB that the worker took at most.
        wrong: What is not as it must be.
    """

    name: str
    lines: int
    bad: int
    mib: float
    seconds: float
    rate: float
    rss: float
    wrong: list[str]


def mixed(share: float, count: int) -> list[Line]:
    """Lines of which this share is bad; the eight kinds take turns. With a share of 1 nothing is sound."""
    events = Bank(CUSTOMERS, 400, seed=5).events()
    some: Iterator[Line] = ((code, line) for code, line in poison(events, share, seed=5) if share < 1 or code is not None)
    return list(islice(some, count))


class Ground:
    """A broker and one worker at a time."""

    def __init__(self, where: Path, say: Callable[[str], None]) -> None:
        self._where, self.say = where, say
        self.broker = Broker(where / "broker")
        self.broker.start()
        self._workers: list[cluster.Workers] = []

    def close(self) -> None:
        """End everything."""
        for workers in self._workers:
            workers.destroy()
        self.broker.stop()

    def settings(self, name: str, **different: object) -> Settings:
        """A deployment of its own."""
        made = Settings(
            brokers=self.broker.bootstrap, topic_prefix=f"{name}.", app_id=name,
            journal_partitions=PARTITIONS, source_partitions=PARTITIONS, **different,  # type: ignore[arg-type]
        )  # fmt: skip
        topics.create(made)
        return made

    def send(self, settings: Settings, lines: list[Line]) -> None:
        """Publish them, numbered from 1."""
        publish(settings, ((number, line, number) for number, (_, line) in enumerate(lines, 1)), NAME)

    def worker(self, settings: Settings) -> tuple[cluster.Workers, Probe]:
        """One that runs, and who looks at it."""
        workers = cluster.Workers(settings, self._where / f"{len(self._workers)}")
        self._workers.append(workers)
        workers.start(WORKER)
        probe = Probe(workers.log(WORKER))
        probe.start()
        return workers, probe

    def worked_off(self, name: str, settings: Settings, lines: list[Line], before: int = 0) -> Figures:
        """Have a worker do all that waits, end it in order, and say how that went."""
        workers, probe = self.worker(settings)
        until = time.monotonic() + PATIENCE
        while not probe.looks or probe.looks[-1].processed < len(lines) - before:
            workers.alive()
            assert time.monotonic() < until, f"not worked off\n{workers.logs()}"
            time.sleep(0.1)
        looks = [one for one in probe.looks if one.processed < len(lines) - before]
        first = next((one for one in looks if one.processed), looks[-1])
        last = probe.looks[-1]
        probe.over.set()
        wrong = [f"ended with {code}" for code in workers.terminate().values() if code]
        seconds = last.at - first.at
        rate = (last.processed - first.processed) / seconds
        size = sum(len(line) for _, line in lines) / MIB
        rss = max(one.rss for one in probe.looks) / MIB
        bad = sum(code is not None for code, _ in lines)
        made = Figures(name, len(lines), bad, round(size), round(seconds, 1), round(rate), round(rss), wrong)
        self.say(f"{name}: {len(lines):,} lines, {bad:,} of them bad, {made.rate:,.0f} a second, RSS {made.rss:.0f} MiB")
        return made


def codes(lines: list[Line]) -> dict[str, str]:
    """By origin, why each line is to die."""
    return {f"{NAME}:{number}": str(code) for number, (code, _) in enumerate(lines, 1) if code is not None}


def few(ground: Ground, count: int) -> Figures:
    """One in a hundred is bad."""
    settings, lines = ground.settings("few"), mixed(0.01, count)
    ground.send(settings, lines)
    made = ground.worked_off("1 %", settings, lines)
    sent = sources(settings, *SOURCES)
    return made._replace(wrong=[*made.wrong, *faults(list(letters(settings)), sent, codes(lines), PERSONAL)])


def everything(ground: Ground, count: int) -> list[Figures]:
    """Nothing is sound: the breaker stops the worker; let pass, all is buried; sent back, all is judged again."""
    limit = count // PARTITIONS // 4
    settings, lines = ground.settings("all", dead_letter_limit=limit), mixed(1.0, count)
    ground.send(settings, lines)
    wrong = broken(ground, settings, limit)
    before = sum(1 for _ in letters(settings))
    passing = settings.model_copy(update={"dead_letter_limit": 0})
    made = ground.worked_off("100 %", passing, lines, before)
    wrong += faults(list(letters(settings)), sources(settings, *SOURCES), codes(lines), PERSONAL)
    return [made._replace(wrong=[*made.wrong, *wrong]), back(ground, passing, lines)]


def broken(ground: Ground, settings: Settings, limit: int) -> list[str]:
    """The worker ends itself, twice in the same place, before more than the limit is buried in a row."""
    wrong = []
    for _ in range(2):
        workers, probe = ground.worker(settings)
        code = workers.processes[WORKER].wait(PATIENCE)
        probe.over.set()
        buried = sum(1 for _ in letters(settings))
        if code != EXIT_CODE or b"nothing but dead letters" not in workers.log(WORKER).read_bytes():
            wrong.append(f"the breaker did not stop the worker: {code}")
        if buried > limit * PARTITIONS:
            wrong.append(f"{buried} letters with a limit of {limit} in {PARTITIONS} partitions")
    return wrong


def back(ground: Ground, settings: Settings, lines: list[Line]) -> Figures:
    """All letters sent back under a limit that lets the large ones pass: accepted or dead again, never both."""
    began = time.monotonic()
    listed = kairos(settings, "list")
    told = time.monotonic() - began
    sent = kairos(settings, "redrive", "--all")
    took = time.monotonic() - began - told
    ground.say(f"kairos dlq list {told:.1f} s, redrive --all {took:.1f} s: {sent.strip()}")
    larger = settings.model_copy(update={"max_event_bytes": 600_000})
    made = ground.worked_off("100 % sent back", larger, lines)
    again = {origin: code for origin, code in codes(lines).items() if code != "OVERSIZE"}
    second = [one for one in letters(larger) if one.place[0] == "in.redrive"]
    wrong = faults(second, sources(larger, "in.redrive"), again, PERSONAL)
    wrong += [] if sent.startswith(f"{len(lines):,} sent") else [f"redrive said {sent}"]
    wrong += [] if all(code in listed for code in codes(lines).values()) else [f"list said {listed}"]
    return made._replace(wrong=[*made.wrong, *wrong])


def kairos(settings: Settings, *words: str) -> str:
    """What `kairos dlq` says."""
    command = [*cluster.KAIROS[:-1], "dlq", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=cluster.environment(settings), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
