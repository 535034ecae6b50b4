"""How long a worker needs until it works again: cold starts, a worker killed and replaced by another or by itself, memory.

One broker, a state topic of ordinary rows (`filled`), real workers; what is measured is what somebody outside sees: `/readyz`,
committed records, and the lines of the log. In the end everything that was said is compared with an engine restored here
from the same rows and given the same journal.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import OFFSET_END, Consumer, Message, TopicPartition
from rich.console import Console
from rich.table import Table

from stream.domain.events import Record
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER, Partition
from stream.packs import loader
from stream.shell import reports
from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.publish import Pace, Sender
from stream.shell.kafka.topics import DEAD, JOURNAL, STATE, TRIGGERS
from stream.shell.settings import Settings
from tests.bench.filled import Filled, History, fill, history
from tests.bench.kafka import broker
from tests.integration import cluster
from tests.integration import worker_trial as trial

RATE = 200.0
"""Events a second while a worker dies; some 5 % of them are triggers."""
STEADY = 6.0
"""Seconds of load before a worker is killed, and after it is back."""
AFTER = 0.3
"""Seconds after a kill within which what was on its way arrives."""
PATIENCE = 180.0
KIB = 1024

Line = dict[str, Any]


class Seen(NamedTuple):
    """A committed record, when somebody could read it (UTC s), and in which partition."""

    at: float
    partition: int
    ledger: bool


class Ear(threading.Thread):
    """Reads what is committed, as it comes: ledgers and triggers."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="ear", daemon=True)
        self._settings = settings
        self.over = threading.Event()
        self.seen: list[Seen] = []

    def run(self) -> None:
        """The thread."""
        settings = self._settings
        options = {"group.id": f"{settings.app_id}-ear", "isolation.level": "read_committed", "fetch.wait.max.ms": 20}
        consumer = Consumer({**librdkafka(settings), **options, "enable.auto.commit": False})
        names, count = [settings.topic(topic) for topic in (STATE, *TRIGGERS)], settings.journal_partitions
        consumer.assign([TopicPartition(name, number, OFFSET_END) for name in names for number in range(count)])
        while not self.over.is_set():
            self.seen += [seen for message in consumer.consume(1000, 0.02) if (seen := self._of(message))]
        consumer.close()

    def _of(self, message: Message) -> Seen | None:
        ledger = message.topic() == self._settings.topic(STATE)
        if message.error() is not None or (ledger and message.key() != LEDGER):
            return None
        return Seen(time.time(), message.partition() or 0, ledger)

    def first(self, since: float, partitions: list[int], ledger: bool) -> dict[int, float]:
        """By partition, when the first ledger or trigger came after an instant."""
        found: dict[int, float] = {}
        for seen in self.seen:
            if seen.at > since and seen.ledger == ledger and seen.partition in partitions:
                found.setdefault(seen.partition, seen.at)
        return found


class Load(threading.Thread):
    """The bank goes on."""

    def __init__(self, settings: Settings, lines: Iterator[bytes]) -> None:
        super().__init__(name="load", daemon=True)
        self._settings, self._lines = settings, lines
        self.over = threading.Event()

    def run(self) -> None:
        """The thread."""
        sender, pace = Sender(self._settings), Pace(RATE)
        for number, line in enumerate(self._lines, 1):
            if self.over.is_set():
                break
            sender.take(number, line, f"live:{number}", 0)
            pace.wait(number, sender.serve)
        sender.finish()
        sender.close()


class Watched(cluster.Workers):
    """Workers whose logs, pages and memory are looked at."""

    def lines(self, name: str) -> list[Line]:
        """The log of a worker so far, over all its starts."""
        lines = self.log(name).read_bytes().splitlines()
        return [msgspec.json.decode(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]

    def when(self, name: str, since: float, **fields: Any) -> float:
        """When a line with these fields was first written after an instant, UTC s; waits for it."""
        until = time.monotonic() + PATIENCE
        while True:
            for line in self.lines(name):
                at = datetime.fromisoformat(line["time"]).timestamp()
                if at > since and fields.items() <= line.items():
                    return at
            assert time.monotonic() < until, f"no line {fields}\n{self.logs()}"
            time.sleep(0.1)

    def ready(self, name: str) -> float:
        """When `/readyz` first answered 200, UTC s."""
        until = time.monotonic() + PATIENCE
        while True:
            self.alive()
            port = next((line["port"] for line in reversed(self.lines(name)) if "port" in line), None)
            if port is not None and answers(port):
                return time.time()
            assert time.monotonic() < until, f"not ready\n{self.logs()}"
            time.sleep(0.02)

    def memory(self, name: str) -> tuple[int, int]:
        """Resident bytes now, and at their most."""
        fields = dict(
            line.split(":") for line in Path(f"/proc/{self.processes[name].pid}/status").read_text().splitlines() if ":" in line
        )
        now, most = (int(fields[field].split()[0]) * KIB for field in ("VmRSS", "VmHWM"))
        return now, most


def answers(port: int) -> bool:
    """Whether the worker says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as page:
            return bool(page.status == 200)
    except (urllib.error.URLError, OSError):
        return False


Figures = dict[str, float]


def cold(workers: Watched, customers: int, name: str) -> Figures:
    """A worker alone, from its process's start until it is ready."""
    began = time.time()
    workers.start(name)
    ready = workers.ready(name)
    restored = [line for line in workers.lines(name) if line["event"] == "partition restored"]
    seconds = max(line["seconds"] for line in restored)
    records = sum(line["records"] for line in restored)
    resident, most = workers.memory(name)
    assert set(workers.terminate().values()) == {0}, workers.logs()
    return {
        "start to ready, s": ready - began,
        "restore, s": seconds,
        "rows a second": records / seconds,
        "resident bytes a customer": resident / customers,
        "resident bytes a customer, at most": most / customers,
    }


def replaced(workers: Watched, ear: Ear) -> Figures:
    """SIGKILL of one of two, who stays away: the other takes over."""
    workers.shared(PATIENCE)
    time.sleep(STEADY)
    killed, lost = time.time(), workers.owned("b")
    workers.kill("b")
    workers.processes.pop("b")
    noticed = workers.when("a", killed, state="rebalancing")
    return {"kill to noticed, s": noticed - killed, **again(workers, ear, killed, noticed, lost)}


def returned(workers: Watched, ear: Ear) -> Figures:
    """SIGKILL of one of two, started again at once under its name: nobody else is disturbed."""
    workers.start("b")
    workers.shared(PATIENCE)
    time.sleep(STEADY)
    killed, lost = time.time(), workers.owned("b")
    workers.kill("b")
    workers.start("b")
    noticed = workers.when("b", killed, state="restoring")
    figures = {"kill to assigned, s": noticed - killed, **again(workers, ear, killed, noticed, lost)}
    disturbed = [line for line in workers.lines("a") if line.get("state") == "rebalancing"]
    late = [line for line in disturbed if datetime.fromisoformat(line["time"]).timestamp() > killed]
    return {**figures, "rebalances of the other": float(len(late))}


def again(workers: Watched, ear: Ear, killed: float, noticed: float, lost: list[int]) -> Figures:
    """When the partitions of the killed one are at work again, counted from when the group knew."""
    since, until = killed + AFTER, time.monotonic() + PATIENCE
    while len(ear.first(since, lost, True)) < len(lost) or not ear.first(since, lost, False):
        workers.alive()
        assert time.monotonic() < until, workers.logs()
        time.sleep(0.1)
    commits, triggers = ear.first(since, lost, True).values(), ear.first(since, lost, False).values()
    return {
        "noticed to all committing, s": max(commits) - noticed,
        "noticed to first trigger, s": min(triggers) - noticed,
        "kill to first trigger, s": min(triggers) - killed,
    }


def wrong(settings: Settings, filled: Filled) -> tuple[int, int]:
    """Outputs that an engine restored here from the same rows does not make of the same journal, or makes besides; and all."""
    engine = Engine(loader.load(settings.pack))
    journal: dict[int, list[Record]] = {number: [] for number in range(settings.journal_partitions)}
    for message in trial.read(settings, JOURNAL):
        one = Record(message.offset() or 0, message.key(), message.value(), message.headers() or [])
        journal[message.partition() or 0].append(one)
    want: Counter[bytes] = Counter()
    for number, part in enumerate(filled.parts):
        partition = Partition(engine, number)
        for key, value in part:
            partition.restore(key, value)
        records = [record for record in journal[number] if record.offset >= partition.next_offset]
        while records:
            decision = partition.decide(records)
            partition.accept(decision)
            want.update(map(reports.canonical, decision.outputs))
            records = records[decision.consumed :]
    got = Counter(reports.canonical(output) for output in cluster.said(settings) if output.topic != DEAD)
    return sum((want - got).values()) + sum((got - want).values()), sum(got.values())


@contextmanager
def going_on(settings: Settings, past: History, customers: int) -> Iterator[Ear]:
    """While the bank goes on and somebody listens; in the end all of it is decided."""
    load, ear = Load(settings, past.coming(customers)), Ear(settings)
    ear.start()
    load.start()
    yield ear
    load.over.set()
    load.join()
    cluster.decided(settings, lambda _: True)
    ear.over.set()
    ear.join()


def measure(brokers: str, past: History, customers: int, say: Callable[[str], None]) -> dict[str, Figures]:
    """All figures for so many customers."""
    name = f"r{uuid.uuid4().hex[:8]}"
    settings = Settings(brokers=brokers, topic_prefix=f"{name}.", app_id=name)
    say(f"{customers:,} customers: filling")
    filled = fill(settings, past, customers)
    with tempfile.TemporaryDirectory() as where:
        workers = Watched(settings, Path(where))
        try:
            say("cold start")
            found = {"cold start, one worker": cold(workers, customers, "cold")}
            workers.processes.clear()
            for each in ("a", "b"):
                workers.start(each)
            workers.shared(PATIENCE)
            with going_on(settings, past, customers) as ear:
                say("one of two killed, it stays away")
                found["killed, another takes over"] = replaced(workers, ear)
                say("one of two killed, it comes back")
                found["killed, comes back by its name"] = returned(workers, ear)
                time.sleep(STEADY)
            assert set(workers.terminate().values()) == {0}, workers.logs()
        finally:
            workers.destroy()
    say("comparing with an engine restored from the same rows")
    differ, outputs = wrong(settings, filled)
    found["decided right"] = {"outputs": float(outputs), "wrong": float(differ)}
    found["rows"] = {"bytes a row": filled.row_bytes / customers}
    return found


def main() -> int:
    """Measure, print; exit code 1 when anything was decided wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--bank", type=int, default=2_000, help="customers whose rows are multiplied")
    options = parser.parse_args()
    console = Console()
    console.print(f"replaying a bank of {options.bank:,} customers")
    past, found = history(options.bank), {}
    for customers in options.customers:
        with broker() as brokers:
            found[customers] = measure(brokers, past, customers, console.print)
    table = Table("what", *(f"{customers:,}" for customers in found))
    first = next(iter(found.values()))
    for group, figures in first.items():
        table.add_section()
        table.add_row(group)
        for what in figures:
            table.add_row(f"  {what}", *(f"{each[group][what]:,.1f}" for each in found.values()))
    console.print(table)
    return int(any(each["decided right"]["wrong"] for each in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
