"""What the worker tests share: workers as processes, a paced load, readers, and the oracle that needs no engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count, takewhile
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from stream.shell.kafka import record, topics
from stream.shell.settings import Settings
from tests.integration import worker_toy

PARTITIONS = {"in.txn": 3, "in.account": 5, "in.app": 4}
WRITTEN = {"in.txn": 2, "in.account": 5, "in.app": 3}
"""in.txn/2 is never written; in.app/3 is emptied before the start."""
KEYS = 3000


class Fleet:
    """Workers by name, each with its log; every start of one has the same instance id."""

    def __init__(self, settings: Settings, where: Path) -> None:
        self.settings = settings
        self.where = where
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (where / "hold").mkdir(parents=True)

    def start(self, name: str, **different: str) -> None:
        given = {**self.settings.model_dump(exclude_unset=True, mode="json"), "instance_id": name, **different}
        command = [sys.executable, worker_toy.__file__, json.dumps(given), str(self.where / "hold")]
        root = str(Path(worker_toy.__file__).parents[2])
        environment = {**os.environ, "PYTHONPATH": root}
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def log(self, name: str) -> Path:
        return self.where / f"{name}.log"

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(10)

    def hold(self, name: str, patience: float = 10.0) -> bool:
        """Whether this worker now sits in an open transaction, as its log says."""
        flag = self.where / "hold" / str(self.processes[name].pid)
        seen = self.log(name).stat().st_size
        flag.touch()
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if b"transaction open" in self.log(name).read_bytes()[seen:]:
                return True
            time.sleep(0.02)
        return False

    def freeze(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        (self.where / "hold" / str(self.processes[name].pid)).unlink(missing_ok=True)
        self.processes[name].send_signal(signal.SIGCONT)

    def terminate(self) -> dict[str, int]:
        """Exit codes after SIGTERM."""
        for process in self.processes.values():
            process.terminate()
        return {name: process.wait(30) for name, process in self.processes.items()}

    def destroy(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.log(name).read_text()[-6000:]}" for name in self.processes)


def prepare(settings: Settings) -> None:
    """Topics of different partition counts; one partition had records that are gone."""
    topics.create(settings, PARTITIONS)
    producer = Producer({"bootstrap.servers": settings.brokers})
    for _ in range(10):
        producer.produce(settings.topic("in.app"), b"{}", partition=3)
    producer.flush(10)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    for future in admin.delete_records([TopicPartition(settings.topic("in.app"), 3, 10)]).values():
        future.result()


def load(settings: Settings, events: int, seconds: float, enough: Event, seed: int = 7) -> None:
    """Write so many events at an even pace, and on until it is enough; in.account by transactions, every tenth aborted."""
    options: dict[str, Any] = {"bootstrap.servers": settings.brokers, "linger.ms": 5, "enable.idempotence": True}
    plain = Producer(options)
    transactional = Producer({**options, "transactional.id": settings.app_id + "-load"})
    transactional.init_transactions(30)
    transactional.begin_transaction()
    random, began, written, transactions = Random(seed), time.monotonic(), time.monotonic(), 0
    for number in takewhile(lambda number: number < events or not enough.is_set(), count()):
        topic = random.choice(tuple(WRITTEN))
        key = b"C%06d" % random.randrange(KEYS)
        producer = transactional if topic == "in.account" else plain
        headers: Any = [("ce_specversion", b"1.0"), ("ce_subject", key), ("ce_id", b"%d" % number)]
        where = zlib.crc32(key) % WRITTEN[topic]
        producer.produce(settings.topic(topic), b'{"n":%d}' % number, key, where, headers=headers)
        if number % 50 == 0:
            plain.poll(0)
            transactional.poll(0)
            time.sleep(max(0.0, began + number * seconds / events - time.monotonic()))
            if time.monotonic() - written > 0.15:
                written = time.monotonic()
                transactions += 1
                transactional.flush(30)
                (transactional.abort_transaction if transactions % 10 == 0 else transactional.commit_transaction)(30)
                transactional.begin_transaction()
    plain.flush(30)
    transactional.commit_transaction(30)


def read(settings: Settings, topic: str, level: str = "read_committed") -> list[Message]:
    """All records of a topic, partition by partition in order."""
    client = Consumer(
        {
            "bootstrap.servers": settings.brokers,
            "group.id": "trial",
            "isolation.level": level,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    name = settings.topic(topic)
    partitions = len(client.list_topics(name, 10).topics[name].partitions)
    client.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in range(partitions)])
    found: list[Message] = []
    ended = 0
    while ended < partitions:
        for message in client.consume(record.BATCH, record.STEP):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended += 1
    client.close()
    return sorted(found, key=lambda message: message.partition() or 0)


class Truth(NamedTuple):
    """What the committed source records imply."""

    counts: Counter[bytes]
    stamps: dict[tuple[str, int, int], int]
    """Broker timestamp by source coordinates."""

    @property
    def outputs(self) -> Counter[bytes]:
        step = worker_toy.EVERY
        return Counter(b"%b|%d" % (key, n) for key, count in self.counts.items() for n in range(step, count + 1, step))


def truth(settings: Settings) -> Truth:
    counts: Counter[bytes] = Counter()
    stamps = {}
    for topic in PARTITIONS:
        for message in read(settings, topic):
            counts[message.key() or b"nobody"] += 1
            stamps[topic, message.partition() or 0, message.offset() or 0] = message.timestamp()[1]
    return Truth(counts, stamps)


def rows(settings: Settings) -> dict[bytes, int]:
    """The newest row of each key."""
    found: dict[bytes, int] = {}
    for message in read(settings, "state"):
        key = message.key() or b""
        if key != worker_toy.LEDGER:
            found[key] = int(message.value() or 0)
    return found


class Stamped(NamedTuple):
    """One journal record: a tick's clock, or source coordinates and whether they come for the first time."""

    clock: dict[str, int] | None
    source: tuple[str, int, int] | None


def journal(settings: Settings) -> dict[int, list[Stamped]]:
    """The journal by partition, doubled deliveries left out."""
    out: dict[int, list[Stamped]] = defaultdict(list)
    high: dict[tuple[int, str, int], int] = {}
    for message in read(settings, "journal", "read_uncommitted"):
        partition = message.partition() or 0
        headers = dict(message.headers() or ())
        if "kairos_tick" in headers:
            out[partition].append(Stamped(json.loads(headers["kairos_tick"])["clock"], None))
            continue
        topic, source, _, offset, _, _ = headers["kairos_src"].decode().split("|")
        if int(offset) > high.get((partition, topic, int(source)), -1):
            high[partition, topic, int(source)] = int(offset)
            out[partition].append(Stamped(None, (topic, int(source), int(offset))))
    return out


def broken_proofs(records: list[Stamped], stamps: dict[tuple[str, int, int], int]) -> Iterator[tuple[str, int]]:
    """Ticks of one partition after which a record came that was stamped at or before T: source and how late, ms."""
    least: dict[str, int] = {}
    for each in reversed(records):
        if each.clock is not None:
            for topic, at in each.clock.items():
                if least.get(topic, at + 1) <= at:
                    yield topic, at - least[topic]
        elif each.source is not None:
            topic = each.source[0]
            stamp = stamps[each.source]
            least[topic] = min(stamp, least.get(topic, stamp))
