"""`make demo-kafka`: a bank's events through a real broker and two workers, and the triggers that come out.

Rule: everything is thrown away in the end; a broker that KAIROS_BROKERS names is used and left as it was.

    broker -> topics of a fresh prefix -> two `kairos run` -> publish -> wait for the end of the log -> triggers

Logs of the workers stay in `.kafka/demo/`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

# the folder of this program: the one beside it would hide the library of the same name, kafka
sys.path.pop(0)

import msgspec
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from stream.domain.errors import StreamError
from stream.engine.partition import LEDGER
from stream.shell.cli import screen, tables
from stream.shell.cli.demo import examples, tell
from stream.shell.kafka import record, topics
from stream.shell.kafka.publish import Numbered, publish
from stream.shell.logfile import Numbered as Line
from stream.shell.logfile import recorded
from stream.shell.reports import Tally
from stream.shell.settings import Clock, Settings, load, variable
from stream.simulator import Bank
from stream.wire.lines import to_line
from stream.wire.registry import SOURCES

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".kafka" / "demo"
KAFKA = (sys.executable, str(Path(__file__).with_name("kafka.py")))
KAIROS = (sys.executable, "-c", "from stream.shell.cli import main; main()", "run")
CUSTOMERS, DAYS, SEED, EVENTS = 200, 90, 7, 15_000
PARTITIONS = 4
WORKERS = ("a", "b")
OPENED = b"assignment opened"
PATIENCE = 120.0
"""Longest wait for one thing, s."""
PAUSE = 0.2


class DemoError(Exception):
    """What went wrong, and where to look."""


def main() -> int:
    """Exit codes: 0 shown, 1 failed, 130 interrupted."""
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as ending:
            show(ending)
    except (DemoError, StreamError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def show(ending: ExitStack) -> None:
    """The whole demo; what was started ends with the stack, last first."""
    settings = deployment(ending.enter_context(broker()))
    ending.enter_context(topics_of(settings))
    log = list(events())
    say(f"simulated {len(log):,} events of {CUSTOMERS} customers")
    workers = ending.enter_context(Workers(settings))
    workers.wait_shared()
    began = time.monotonic()
    published = publish(settings, log, "bank.jsonl")
    say(f"published {published.sent.total():,} events to {len(published.sent)} source topics")
    wait_decided(settings, log[-1][2], workers)
    seconds = time.monotonic() - began
    tally, by_partition = read(settings)
    say()
    screen.out().print(tables.by_type(tally))
    for trigger in examples(tally):
        tell(trigger)
    for name, numbers in workers.owned().items():
        told = sum(by_partition[number] for number in numbers)
        say(f"worker {name} owned journal partitions {', '.join(map(str, numbers))}: {told:,} triggers")
    say(f"{len(log) / seconds:,.0f} events/s from the first publish to the last decision ({seconds:.1f} s)")
    say()


def say(text: str = "") -> None:
    """A line of progress, at once."""
    print(text, flush=True)


# Broker and topics


@contextmanager
def broker() -> Iterator[str]:
    """Address of the broker of KAIROS_BROKERS, or of one of our own that ends with us."""
    given = os.environ.get("KAIROS_BROKERS")
    if given:
        say(f"broker {given} (KAIROS_BROKERS)")
        yield given
        return
    where = ("--dir", str(HOME / "broker"))
    own = (*where, "--parent", str(os.getpid()), "--port", "0", "--remove")
    say("starting a broker (the first time, Maven fetches Kafka) ...")
    holder = subprocess.Popen((*KAFKA, "run", *own), stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert holder.stdout is not None
        address = holder.stdout.readline().strip()
        if not address:
            raise DemoError("the broker did not start; see above")
        say(f"broker {address}")
        yield address
    finally:
        holder.terminate()
        holder.wait()
        say("broker stopped")


def deployment(brokers: str) -> Settings:
    """A deployment of its own on this broker; TLS and login are those of the environment."""
    name = f"demo-{uuid.uuid4().hex[:6]}"
    own = {"brokers": brokers, "topic_prefix": f"{name}.", "app_id": name, "clock": Clock.RECORDED, "metrics_port": 0}
    return load(**own, journal_partitions=PARTITIONS, source_partitions=PARTITIONS)


@contextmanager
def topics_of(settings: Settings) -> Iterator[None]:
    """All topics of the deployment, for a while."""
    made = topics.create(settings).made
    say(f"created {len(made)} topics {settings.topic_prefix}*")
    try:
        yield
    finally:
        with topics.admin(settings) as client:
            client.delete_topics(list(made))


# Events


def events() -> Iterator[Numbered]:
    """Lines of a simulated log with the times they were recorded."""
    lines = islice(Bank(CUSTOMERS, DAYS, SEED).events(), EVENTS)
    for line in recorded(Line("bank.jsonl", number, line) for number, line in enumerate(lines, 1)):
        yield line.number, line.line, line.at


# Workers


class Workers:
    """Two `kairos run`, each with its log; stopped by SIGTERM in the end."""

    def __init__(self, settings: Settings) -> None:
        self._environment = environment(settings)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Workers:
        for name in WORKERS:
            own = {**self._environment, variable("instance_id"): name}
            with self._log(name).open("wb") as log:
                self._processes[name] = subprocess.Popen(KAIROS, stdout=log, stderr=log, env=own)
        say(f"started workers {' and '.join(WORKERS)}")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.terminate()
        codes = {name: ended(process) for name, process in self._processes.items()}
        say("workers stopped, exit codes " + ", ".join(f"{name} {code}" for name, code in codes.items()))

    def wait_shared(self) -> None:
        """Return when each of them has journal partitions, and all partitions an owner."""

        def shared() -> bool:
            owned = self.owned().values()
            return all(owned) and sorted(chain(*owned)) == list(range(PARTITIONS))

        wait(shared, self.demand, "workers")
        say("workers share the journal")

    def owned(self) -> dict[str, list[int]]:
        """The journal partitions of each worker's last assignment."""
        return {name: self._opened(name) for name in WORKERS}

    def _opened(self, name: str) -> list[int]:
        lines = [line for line in self._log(name).read_bytes().splitlines() if OPENED in line]
        return sorted(map(int, msgspec.json.decode(lines[-1])["partitions"])) if lines else []

    def demand(self) -> None:
        """Raises DemoError when one ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                last = self._log(name).read_text().splitlines()[-5:]
                raise DemoError("\n".join([f"worker {name} ended with {process.returncode}", *last]))

    def _log(self, name: str) -> Path:
        return HOME / f"worker-{name}.log"


def environment(settings: Settings) -> dict[str, str]:
    """Ours, with what makes this deployment different."""
    names = ("brokers", "topic_prefix", "app_id", "clock", "metrics_port", "journal_partitions", "source_partitions")
    return {**os.environ, **{variable(name): str(getattr(settings, name)) for name in names}}


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that was asked to stop; killed when it does not."""
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait(done: Callable[[], bool], demand: Callable[[], None], what: str) -> None:
    """Return when it is done. Raises DemoError when it takes too long."""
    until = time.monotonic() + PATIENCE
    while not done():
        demand()
        if time.monotonic() > until:
            raise DemoError(f"{what}: not ready within {PATIENCE:.0f} s; the workers' logs are {HOME / 'worker-*.log'}")
        time.sleep(PAUSE)


# Until all is decided


class Time(msgspec.Struct):
    """Up to when each source is proven complete, UTC ms."""

    vector: dict[str, int]


class Ledger(msgspec.Struct):
    """How far a journal partition is; ``next`` is the first offset not decided."""

    next: int
    clock: Time


class Done(NamedTuple):
    """All ledgers have passed the end of the log, which tells how long the journal is by then."""

    ends: dict[int, int]

    def by(self, ledgers: dict[int, Ledger]) -> bool:
        """Whether everything in the journal is decided, too: the last tick wakes many customers."""
        return all(ledgers[partition].next >= end for partition, end in self.ends.items())


def wait_decided(settings: Settings, last: int, workers: Workers) -> None:
    """Return when every partition's ledger shows the end of the log and nothing is left in the journal before it."""
    ledgers: dict[int, Ledger] = {}
    done: list[Done] = []
    with record.consumer(settings) as reader:
        name, journal = settings.topic(topics.STATE), settings.topic(topics.JOURNAL)
        reader.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])

        def look() -> bool:
            for message in reader.consume(100_000, PAUSE):
                if not record.ended(message) and message.key() == LEDGER:
                    ledgers[message.partition()] = msgspec.json.decode(message.value(), type=Ledger)
            at_end = [each for each in ledgers.values() if all(each.clock.vector.get(source, 0) >= last for source in SOURCES)]
            if not done and len(at_end) == PARTITIONS:
                ends = (record.watermarks(reader, TopicPartition(journal, number))[1] for number in range(PARTITIONS))
                done.append(Done(dict(enumerate(ends))))
            return bool(done) and done[0].by(ledgers)

        wait(look, workers.demand, "the end of the log")
    say("every journal partition is at the end of the log")


# What came out


def read(settings: Settings) -> tuple[Tally, Counter[int]]:
    """What was committed: by type, and the triggers by partition, which is that of the journal."""
    tally, by_partition = Tally(), Counter[int]()
    with record.consumer(settings) as reader:
        for topic, number in ((topic, number) for topic in topics.OUTPUTS for number in range(PARTITIONS)):
            name = settings.topic(topic)
            first, end = record.bounds(reader, name, number, record.Range())
            for message in record.messages(reader, name, number, first, end):
                headers, value = record.headers_of(message), record.value_of(message)
                if topic == topics.SUPPRESSED:
                    tally.refused(value or b"")
                else:
                    tally.fired(headers, to_line(record.key_of(message), headers, value))
                    by_partition[number] += 1
    return tally, by_partition


if __name__ == "__main__":
    sys.exit(main())
