"""Kairos through Kafka against Faust as its documentation teaches it: one broker, one log, one run, alternating.

A rate is events over the wall time from the first decided event to the last; CPU is that of the worker process alone over
the same stretch. Each contender has one worker and reads what was published before it started.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from stream.engine.engine import Engine
from stream.packs import loader
from stream.shell.kafka import topics
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Collected, Replay
from stream.shell.settings import Clock, Settings
from stream.simulator import Bank
from stream.wire.decode import subject_of
from tests.integration import cluster

ROOT = Path(__file__).parents[2]
BROKER = ROOT / "deploy" / "kafka" / "kafka.py"
PARTITIONS = 2
TICK = os.sysconf("SC_CLK_TCK")
PACK = loader.load("retail_bank")
ROCKS = "Faust as documented (group_by, JSON table, RocksDB)"
KEYED = "the same, its input keyed by customer already"
MEMORY = "the same, keyed, our row codec, memory store"
WALL, RECORDED = "Kairos", "Kairos, recorded clock"
STANDSTILL = 60.0
"""Seconds without a record after which nothing more is expected; it takes half of that to start."""
HANDLED = Engine(PACK).plan.handled


class Figure(NamedTuple):
    """One run of one contender."""

    events: int
    seconds: float
    cpu: float
    ids: frozenset[str]

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


@contextmanager
def broker() -> Iterator[str]:
    """The broker of KAIROS_TEST_BROKER, or one of our own for this run."""
    given = os.environ.get("KAIROS_TEST_BROKER")
    if given:
        yield given
        return
    where = tempfile.mkdtemp(prefix="kairos-bench-")
    command = [sys.executable, str(BROKER)]
    started = subprocess.run([*command, "start", "--dir", where, "--port", "0"], check=True, capture_output=True, text=True)
    try:
        yield started.stdout.split()[-1]
    finally:
        subprocess.run([*command, "stop", "--dir", where], check=True, capture_output=True)
        shutil.rmtree(where, ignore_errors=True)


def cpu(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def kairos(brokers: str, log: list[Recorded], clock: Clock) -> Figure:
    """One `kairos run`: ingest and decide, exactly once."""
    name = f"b{uuid.uuid4().hex[:8]}"
    settings = Settings(
        brokers=brokers,
        topic_prefix=f"{name}.",
        app_id=name,
        clock=clock,
        journal_partitions=PARTITIONS,
        source_partitions=PARTITIONS,
    )
    topics.create(settings)
    publish(settings, [(line.number, line.line, line.at) for line in log], "log.jsonl")
    with tempfile.TemporaryDirectory() as where:
        workers = cluster.Workers(settings, Path(where))
        try:
            workers.start("a")
            workers.opened("a")
            pid = workers.processes["a"].pid
            began, used = time.perf_counter(), cpu(pid)
            after = int(time.time() * 1000)
            reached = cluster.end_of_log(log[-1].at) if clock is Clock.RECORDED else cluster.proven(after, *topics.SOURCES)
            cluster.decided(settings, reached, workers, patience=600)
            seconds, used = time.perf_counter() - began, cpu(pid) - used
            workers.terminate()
        finally:
            workers.destroy()
    said = [output for output in cluster.said(settings) if output.topic in topics.TRIGGERS]
    return Figure(len(log), seconds, used, frozenset(dict(output.headers)["ce_id"].decode() for output in said))


def documented(brokers: str, log: list[Recorded], store: str, source: str) -> Figure:
    """Faust as its documentation teaches it, over a slice of the log; its ``source`` is keyed, or has any key."""
    name = f"f{uuid.uuid4().hex[:8]}"
    changelog = f"{name}-customers-changelog"
    admin = AdminClient({"bootstrap.servers": brokers})
    compacted = {"cleanup.policy": "compact"}
    made = [NewTopic(f"{name}-{end}", PARTITIONS, 1) for end in ("in", "out")]
    for future in admin.create_topics([*made, NewTopic(changelog, PARTITIONS, 1, config=compacted)]).values():
        future.result()
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 20})
    for line in log:
        # any key: an account's or none at all; here the line's number, so that it is spread evenly
        key = subject_of((), line.line) if source == "keyed" else str(line.number).encode()
        producer.produce(f"{name}-in", key=key, value=line.line)
        producer.poll(0)
    producer.flush()
    # every handled event writes the table once: the changelog's length is the progress
    handled = sum(kind(line.line) in HANDLED for line in log)
    module = [
        sys.executable,
        "-P",
        "-m",
        "tests.bench.faust_documented",
        brokers,
        f"{name}-in",
        f"{name}-out",
        str(PARTITIONS),
        name,
        store,
        source,
    ]
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    process = subprocess.Popen(
        [*module, "worker", "-l", "info", "--without-web"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with closing(Consumer({"bootstrap.servers": brokers, "group.id": f"{name}-look"})) as reader:
            first = wait(reader, changelog, 1, process)
            began, used = time.perf_counter(), cpu(process.pid)
            last = wait(reader, changelog, handled, process)
            seconds, used = time.perf_counter() - began, cpu(process.pid) - used
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(ROOT / ".kafka" / name, ignore_errors=True)
    share = (last - first) / handled
    return Figure(int(len(log) * share), seconds, used, ids_of(brokers, f"{name}-out"))


def kind(line: bytes) -> str:
    """The event type of a line of the simulator."""
    return line.partition(b'"type":"')[2].partition(b'.v1"')[0].decode()


def wait(reader: Consumer, topic: str, least: int, process: subprocess.Popen[bytes]) -> int:
    """Return when a topic has so many records. Raises SystemExit when the worker has ended or stands still."""
    before, moved = 0, time.monotonic()
    while True:
        ends = [reader.get_watermark_offsets(TopicPartition(topic, n), timeout=30)[1] for n in range(PARTITIONS)]
        if sum(ends) >= least:
            return sum(ends)
        if sum(ends) > before:
            before, moved = sum(ends), time.monotonic()
        if time.monotonic() - moved > STANDSTILL:
            raise SystemExit(f"the Faust worker stands still at {before} of {least} records")
        if process.poll() is not None:
            raise SystemExit(f"the Faust worker ended with {process.returncode}")
        time.sleep(0.05)


def ids_of(brokers: str, topic: str) -> frozenset[str]:
    """The trigger ids in a topic; suppressed ones are left out."""
    found = set()
    with closing(Consumer({"bootstrap.servers": brokers, "group.id": topic, "enable.partition.eof": True})) as reader:
        reader.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
        ended = 0
        while ended < PARTITIONS:
            message = reader.poll(10)
            if message is None or message.error() is not None:
                ended += 1
                continue
            headers = dict(message.headers() or [])
            if b"trigger.suppressed" not in headers.get("ce_type", b"trigger.suppressed"):
                found.add(headers["ce_id"].decode())
    return frozenset(found)


def expected(log: list[Recorded]) -> frozenset[str]:
    """Trigger ids of a replay of the log."""
    sink = Collected()
    Replay(Engine(PACK, "replay"), sink).run(log)
    said = [output for output in sink.outputs if output.topic in topics.TRIGGERS]
    return frozenset(dict(output.headers)["ce_id"].decode() for output in said)


def main() -> None:
    """Alternate, take medians, check the ids, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--slice", type=int, default=60_000, help="lines for Faust, enough for a minute")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true", help="the core of `make compiled`, for all contenders")
    options = parser.parse_args()
    if options.compiled:
        os.environ["PYTHONPATH"] = str(ROOT / "build" / "compiled")
    lines = Bank(options.customers, options.days, 1).events()
    log = list(recorded(Numbered("log.jsonl", number, line) for number, line in enumerate(lines, 1)))
    part = log[: options.slice]
    whole = expected(log)
    of_part = expected(part)
    figures: dict[str, list[Figure]] = {name: [] for name in (ROCKS, KEYED, MEMORY, WALL, RECORDED)}
    with broker() as brokers:
        for _ in range(options.rounds):
            figures[ROCKS].append(documented(brokers, part, "rocksdb://", "any"))
            figures[WALL].append(kairos(brokers, log, Clock.WALL))
            figures[KEYED].append(documented(brokers, part, "rocksdb://", "keyed"))
            figures[MEMORY].append(documented(brokers, part, "memory://", "keyed"))
            figures[RECORDED].append(kairos(brokers, log, Clock.RECORDED))
    base = statistics.median(figure.rate for figure in figures[ROCKS])
    core = "compiled" if options.compiled else "pure Python"
    title = f"{len(log):,} events, {options.customers:,} customers, core {core}; Faust over a slice of {len(part):,}"
    table = Table(title=title)
    for heading in ("contender", "events/s", "CPU us an event", "times Faust"):
        table.add_column(heading, justify="left" if heading == "contender" else "right")
    for name, runs in figures.items():
        rate = statistics.median(figure.rate for figure in runs)
        used = statistics.median(figure.cpu / figure.events * 1e6 for figure in runs)
        table.add_row(name, f"{rate:,.0f}", f"{used:.0f}", f"{rate / base:.1f}")
    Console().print(table)
    for name, runs in figures.items():
        want = whole if name in (WALL, RECORDED) else of_part
        for figure in runs:
            print(f"{name}: {len(figure.ids & want)} of {len(want)} trigger ids of a replay, {len(figure.ids - want)} others")
    print("By the wall clock an old log's deadlines are long past; Faust has no ticks; without a key the order is another.")
    if any(figure.ids != whole for figure in figures[RECORDED]):
        sys.exit("Kairos by the recorded clock: expected exactly the ids of the replay")
    if any(not figure.ids <= of_part for figure in (*figures[KEYED], *figures[MEMORY])):
        sys.exit("Faust with keyed input: expected no ids but those of the replay")


if __name__ == "__main__":
    main()
