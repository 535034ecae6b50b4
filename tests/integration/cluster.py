"""Real workers on one broker: started and ended by process, waited for until a point of the journal is decided, read back.

Rule: only what a reader outside sees is looked at: committed records, ledgers of the state topic, logs, exit codes.

    workers = Workers(settings, tmp_path)
    workers.start("a"); workers.start("b"); workers.shared()
    publish(settings, lines, "x.jsonl")
    decided(settings, end_of_log(last), workers)
    said(settings)

As a program it is a worker like `kairos run` whose transactions can be held open: `python cluster.py HOLD_DIR`.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER, Partition
from stream.packs import loader
from stream.shell import logs
from stream.shell.cli import collect_rarely
from stream.shell.kafka import record
from stream.shell.kafka.app import run
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.topics import DEAD, JOURNAL, OUTPUTS, STATE
from stream.shell.settings import PREFIX, Settings, load, variable
from stream.wire.registry import SOURCES
from tests.builders import sound
from tests.integration.worker_toy import Holding
from tests.integration.worker_trial import Fleet

ROOT = Path(__file__).parents[2]
KAIROS = (sys.executable, "-c", "from stream.shell.cli import main; main()", "run")
OPENED = b"assignment opened"
PAUSE = 0.2
"""Seconds between two looks."""
MANY = 10_000
"""Records of one look at most: workers must not write faster than they are read."""


# Workers


class Workers(Fleet):
    """Workers of the real engine by name. With ``holding`` they are this module, so that `hold` works; else `kairos run`."""

    def __init__(self, settings: Settings, where: Path, holding: bool = False) -> None:
        super().__init__(settings, where)
        self._begun: dict[str, int] = {}
        self.command = [sys.executable, __file__, str(where / "hold")] if holding else list(KAIROS)

    def start(self, name: str) -> None:
        """A worker under this name; the same name again is the same instance."""
        own = self.settings.model_copy(update={"instance_id": name, "metrics_port": 0})
        with self.log(name).open("ab") as log:
            self._begun[name] = log.tell()
            self.processes[name] = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment(own), cwd=self.where)

    def opened(self, *names: str, times: int = 1, patience: float = 60.0) -> None:
        """Return when each has opened so many assignments since it was first started; it may hold no journal partition."""
        until = time.monotonic() + patience
        while any(self.log(name).read_bytes().count(OPENED) < times for name in names):
            self.alive()
            assert time.monotonic() < until, f"no assignment was opened within {patience:.0f} s\n{self.logs()}"
            time.sleep(PAUSE)

    def up(self, patience: float = 60.0) -> None:
        """Return when each that runs has opened an assignment since it was started last: before, it cannot end in order."""
        until = time.monotonic() + patience
        while coming := [name for name, process in self.processes.items() if process.poll() is None and not self._up(name)]:
            assert time.monotonic() < until, f"{coming} did not come up within {patience:.0f} s\n{self.logs()}"
            time.sleep(PAUSE)

    def _up(self, name: str) -> bool:
        return OPENED in self._since(name)

    def _since(self, name: str) -> bytes:
        """The log of the process that was started last under this name."""
        return self.log(name).read_bytes()[self._begun[name] :]

    def shared(self, patience: float = 60.0) -> None:
        """Return when the journal is divided among all workers started, as their logs say, each with some of it."""
        until = time.monotonic() + patience
        while True:
            self.alive()
            owned = [self.owned(name) for name in self.processes]
            if all(owned) and sorted(chain(*owned)) == list(range(self.settings.journal_partitions)):
                return
            assert time.monotonic() < until, f"the journal was not divided within {patience:.0f} s: {owned}\n{self.logs()}"
            time.sleep(PAUSE)

    def owned(self, name: str) -> list[int]:
        """The journal partitions of the last assignment that this worker opened since it was started last."""
        lines = [line for line in self._since(name).splitlines() if OPENED in line]
        return [int(number) for number in msgspec.json.decode(lines[-1])["partitions"]] if lines else []

    def counted(self, name: str, metric: str) -> float:
        """What the worker that runs under this name tells Prometheus, over all labels."""
        begun = self._since(name).splitlines()
        port = next(
            line["port"] for line in map(msgspec.json.decode, (line for line in begun if line[:1] == b"{")) if "port" in line
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return sum(sample.value for family in families for sample in family.samples if sample.name == metric)

    def alive(self) -> None:
        """Fail when one ended by itself."""
        gone = {name: process.returncode for name, process in self.processes.items() if process.poll() is not None}
        assert not gone, f"workers ended: {gone}\n{self.logs()}"


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, and nothing else of ours."""
    others = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    given = settings.model_dump(exclude_unset=True, exclude_none=True, mode="json")
    own = {
        variable(name): text if isinstance(text, str) else msgspec.json.encode(text).decode() for name, text in given.items()
    }
    # whoever runs the tests or a benchmark over a compiled core means its workers, too
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    return {**others, "PYTHONPATH": path, **own}


def kairos(settings: Settings, *words: str) -> str:
    """What a command says under these settings, which must be content: a process of its own."""
    command = [*KAIROS[:-1], *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(settings), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Until something is decided


class Clock(msgspec.Struct):
    """What a journal partition knows of time, UTC ms; under `EVERY` of all sources that are not idle."""

    vector: dict[str, int]


class Ledger(msgspec.Struct):
    """How far a journal partition is; ``next`` is the first offset not decided, ``high`` the last of each source."""

    next: int
    clock: Clock
    high: dict[str, int] = {}


Reached = Callable[[Ledger], bool]


def end_of_log(last: int) -> Reached:
    """Under `clock: recorded`: every source has ended, at or after this instant (UTC ms)."""
    return proven(last, *SOURCES)


def proven(at: int, *sources: str) -> Reached:
    """These sources are proven complete to an instant (UTC ms)."""
    return lambda ledger: all(ledger.clock.vector.get(source, at - 1) >= at for source in sources)


def decided(settings: Settings, reached: Reached, workers: Workers | None = None, patience: float = 120.0) -> None:
    """Return when every journal partition has reached it and decided whatever its journal held just then.

    The second half matters: a tick that wakes many customers moves the ledger's clock before all of them were heard.
    """
    until = time.monotonic() + patience
    with closing(ledgers(settings)) as looks:
        ends: dict[int, int] | None = None
        for found in looks:
            if workers is not None:
                workers.alive()
            if ends is None and len(found) == settings.journal_partitions and all(map(reached, found.values())):
                ends = journal_ends(settings)
            if ends is not None and all(found[partition].next >= end for partition, end in ends.items()):
                return
            story = "" if workers is None else workers.logs()
            assert time.monotonic() < until, f"not decided within {patience:.0f} s: {found}, journal {ends}\n{story}"
            time.sleep(PAUSE)


def ledgers(settings: Settings) -> Iterator[dict[int, Ledger]]:
    """The newest committed ledger of every journal partition that has one, again and again."""
    found: dict[int, Ledger] = {}
    with record.consumer(settings) as reader:
        name = settings.topic(STATE)
        behind = set(range(settings.journal_partitions))
        reader.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in behind])
        while True:
            for message in reader.consume(MANY, record.STEP):
                if record.ended(message):
                    behind.discard(message.partition())
                elif message.key() == LEDGER:
                    found[message.partition()] = msgspec.json.decode(message.value(), type=Ledger)
            if not behind:
                yield found


def journal_ends(settings: Settings) -> dict[int, int]:
    """High watermarks of the journal."""
    name = settings.topic(JOURNAL)
    with closing(Consumer({**librdkafka(settings), "group.id": f"{settings.app_id}-ends"})) as reader:
        partitions = range(settings.journal_partitions)
        return {n: reader.get_watermark_offsets(TopicPartition(name, n), timeout=30)[1] for n in partitions}


def journaled(settings: Settings, records: int, workers: Workers, patience: float = 60.0) -> None:
    """Return when the journal has so many records, decided or not."""
    until = time.monotonic() + patience
    while (there := sum(journal_ends(settings).values())) < records:
        workers.alive()
        assert time.monotonic() < until, f"{there} records journaled within {patience:.0f} s\n{workers.logs()}"
        time.sleep(PAUSE)


# What was said


def said(settings: Settings) -> list[Output]:
    """Everything committed: triggers, suppressed ones and dead letters; topics are logical."""
    names = {settings.topic(topic): topic for topic in (*OUTPUTS, DEAD)}
    found: list[Output] = []
    with record.consumer(settings) as reader:
        left = {(name, number) for name in names for number in range(settings.journal_partitions)}
        reader.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in sorted(left)])
        while left:
            for message in reader.consume(MANY, record.STEP):
                if record.ended(message):
                    left.discard((message.topic(), message.partition()))
                else:
                    found.append(Output(names[message.topic()], message.key(), message.value(), message.headers() or []))
    sound(found)
    return found


def main() -> int:
    """A worker of the real engine that says when a transaction is open, and holds it open when asked to."""
    collect_rarely()
    logs.configure()
    settings = load()
    engine = Engine(loader.load(settings.pack), "live", settings.max_event_bytes)
    return run(settings, functools.partial(Partition, engine), Holding(Path(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
