"""What the harness asks of a contender."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Message

from tests.bench.jobj import log, wires
from tests.bench.jobj.wires import Record

ROOT = Path(__file__).parents[4]
PEERS = Path(__file__).parents[1] / "peers"


class Run(NamedTuple):
    """One run of one contender.

    Attributes:
        name: Of group, topics and directories; no other run has it.
        where: A directory for what the contender keeps on disk, and for its log.
        follow: Whether it shall wait for more at the end of its input.
    """

    brokers: str
    name: str
    where: Path
    follow: bool = True


class Contender(ABC):
    """A way to run job J; `prepare`, `load` and `command` are called in this order.

    Attributes:
        name: Short, for the command line.
        title: For the table.
        committed: Whether it is exactly once: what counts is what a reader of committed records sees.
        keyed: Whether its input is keyed by customer; else by account, as a bank's systems have it.
        pace: Events a second it can roughly do: it gets a part of the log where all of it would take too long.
        once: Whether it tells each id once only, not each time it comes about.
        exits: Whether it ends by itself at the end of its input; then the time until its end counts.
    """

    pace = 1_000_000
    once = False
    exits = False

    def __init__(self, name: str, title: str, committed: bool = False, keyed: bool = True) -> None:
        self.name, self.title, self.committed, self.keyed = name, title, committed, keyed

    def missing(self) -> str | None:
        """Why it cannot run here; None when it can. Sets up what it needs."""
        return None

    def prepare(self, run: Run) -> None:
        """Topics."""
        wires.create(run.brokers, [self.source(run), f"{run.name}-out"])

    def source(self, run: Run) -> str:
        """The topic it reads."""
        return f"{run.name}-in"

    def records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        """The lines as they stand in its input. Not keyed by customer still means: one customer's lines stay in order."""
        places: dict[bytes, int] = {}
        for line in lines:
            key = line[log.SUBJECT] if self.keyed else log.account(line[log.SUBJECT])
            place = places.get(key)
            if place is None:
                place = places[key] = log.partition(key)
            yield Record(place, key, line)

    @abstractmethod
    def command(self, run: Run) -> list[str]:
        """What to start."""

    def environment(self, run: Run) -> dict[str, str]:
        """Variables on top of our own."""
        return {
            "BROKERS": run.brokers,
            "GROUP": run.name,
            "IN": self.source(run),
            "OUT": f"{run.name}-out",
            "WHERE": str(run.where),
        }

    def settled(self, run: Run) -> bool:
        """Whether all of its workers have their part: from then on it counts."""
        return True

    def outputs(self, run: Run) -> list[str]:
        """Topics of its triggers."""
        return [f"{run.name}-out"]

    def ident(self, message: Message) -> str:
        """The id of a trigger, as job J has it."""
        return str(orjson.loads(message.value())["id"])

    @abstractmethod
    def states(self, run: Run, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
        """What it keeps of these customers, from where it would restore it after a crash: `logic.FIGURES` and `at`."""


def start(contender: Contender, run: Run) -> subprocess.Popen[bytes]:
    """Start it, in a session of its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KAIROS_")}
    with (run.where / "contender.log").open("wb") as out:
        return subprocess.Popen(
            contender.command(run),
            env={**kept, "PYTHONPATH": str(ROOT), **contender.environment(run)},
            cwd=run.where,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def venv(name: str, requirements: Path) -> Path:
    """The Python of an environment of its own, made from hashed requirements. Raises RuntimeError with the reason."""
    where = log.HOME / name
    ready = where / "ready"
    if not ready.exists() or ready.read_bytes() != requirements.read_bytes():
        python = str(where / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        for step in ([sys.executable, "-m", "venv", "--clear", str(where)], [*pip, "-r", str(requirements)]):
            done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"no environment from {requirements.name}: {done.stdout.strip()[-300:]}")
        ready.write_bytes(requirements.read_bytes())
    return where / "bin" / "python"


def path(run: Run) -> Path:
    """A directory of the run's own for a contender's state."""
    found = run.where / "state"
    found.mkdir(exist_ok=True)
    return found


def lose(run: Run) -> None:
    """Remove what it keeps on this machine: it starts as if on another one."""
    shutil.rmtree(run.where / "state", ignore_errors=True)
