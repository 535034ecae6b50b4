"""Law: what is not understood ends the worker, with one critical line and exit code 70, and without a commit; the next start
goes on exactly where the last commit was.

Each fault is injected into a real worker on a real broker (`worker_faulty`), or made at the broker. How soon a worker ends
is bounded by the settings (docs/reliability.md); the waits here are guards against a hang.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.settings import Settings
from tests.integration import worker_faulty as faulty
from tests.integration import worker_toy as toy
from tests.integration import worker_trial as trial

BEFORE, AFTER = 100, 50
"""Events while all is well, and with the fault; one customer."""
GUARD = 40.0
Build = Callable[..., Settings]


class Faulty(trial.Fleet):
    """One worker whose faults can be switched on."""

    def start(self, name: str = "a", **different: str) -> None:
        given = {**self.settings.model_dump(exclude_unset=True, mode="json"), "instance_id": name}
        command = [sys.executable, "-m", faulty.__name__, json.dumps(given), str(self.where)]
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])

    def switch(self, fault: str, on: bool = True) -> None:
        (self.where / fault).touch() if on else (self.where / fault).unlink(missing_ok=True)

    def critical(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log("a").read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["level"] == "critical"]


@pytest.fixture
def fleet(configured: Build, tmp_path: Path) -> Iterator[Faulty]:
    """A worker that has counted the first events."""
    settings = configured(
        journal_partitions=1, source_partitions=1, session_timeout=6.0, tick_interval=0.2, commit_interval=0.1
    )
    topics.create(settings)
    fleet = Faulty(settings, tmp_path / "a")
    fleet.start()
    write(settings, BEFORE)
    eventually(fleet, lambda: trial.rows(settings) == {b"C1": BEFORE})
    yield fleet
    fleet.destroy()


def write(settings: Settings, count: int) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 5})
    headers: Any = [("ce_specversion", b"1.0"), ("ce_subject", b"C1")]
    for _ in range(count):
        producer.produce(settings.topic("in.txn"), b"{}", b"C1", 0, headers=headers)
    assert producer.flush(30) == 0


def eventually(fleet: Faulty, what: Callable[[], bool], patience: float = GUARD) -> None:
    until = time.monotonic() + patience
    while not what():
        assert time.monotonic() < until, f"{trial.rows(fleet.settings)}\n{fleet.logs()}"
        time.sleep(0.2)


def ends(fleet: Faulty, event: str, **fields: Any) -> dict[str, Any]:
    """The worker ends itself with one critical line, which is this one; the line."""
    try:
        assert fleet.processes["a"].wait(GUARD) == EXIT_CODE, fleet.logs()
    except subprocess.TimeoutExpired:
        pytest.fail(f"still running\n{fleet.logs()}")
    lines = fleet.critical()
    assert len(lines) == 1, fleet.logs()
    [line] = lines
    assert (line["event"], line["exit_code"]) == (event, EXIT_CODE), fleet.logs()
    assert fields.items() <= line.items()
    return line


def goes_on(fleet: Faulty) -> None:
    """Started again without the fault it goes on exactly, and SIGTERM ends it in order."""
    fleet.start()
    told_once(fleet, BEFORE + AFTER)
    assert fleet.terminate() == {"a": 0}, fleet.logs()


def told_once(fleet: Faulty, total: int) -> None:
    """So many events counted, each once, by all that readers can see."""
    settings = fleet.settings
    eventually(fleet, lambda: trial.rows(settings) == {b"C1": total})

    said = [message.value() for message in trial.read(settings, "out.trigger.tier")]
    assert said == [b"C1|%d" % number for number in range(toy.EVERY, total + 1, toy.EVERY)]


def nothing_committed(fleet: Faulty) -> None:
    assert trial.rows(fleet.settings) == {b"C1": BEFORE}


def source_position(settings: Settings) -> int:
    """Where the next start would read on in in.txn."""
    client = Consumer({"bootstrap.servers": settings.brokers, "group.id": settings.app_id})
    [found] = client.committed([TopicPartition(settings.topic("in.txn"), 0)], 30)
    client.close()
    return int(found.offset)


@contextmanager
def refusing(settings: Settings, topic: str) -> Iterator[None]:
    """The broker takes no batch of this topic, however small.

    It learns of settings in their order, a moment after it has acknowledged them: another topic shows when.
    """
    for size, taken in ((50, False), (2 * 1024 * 1024, True)):
        for each in (topic, "out.suppressed"):
            limit(settings, each, size)
        until = time.monotonic() + GUARD
        while takes(settings, "out.suppressed") != taken:
            assert time.monotonic() < until
        if not taken:
            yield


def takes(settings: Settings, topic: str) -> bool:
    """Whether the broker takes a record of this topic."""
    faults: list[object] = []
    producer = Producer({"bootstrap.servers": settings.brokers, "on_delivery": lambda fault, _: faults.append(fault)})
    producer.produce(settings.topic(topic), b"x", partition=0)
    assert producer.flush(30) == 0
    return faults[0] is None


def limit(settings: Settings, topic: str, size: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.topic(topic), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


# At once


def test_an_exception_in_the_engine_commits_nothing(fleet: Faulty) -> None:
    fleet.switch(faulty.RAISES)
    write(fleet.settings, AFTER)
    line = ends(fleet, "a background task failed", stage="decide-0", error="KeyError")

    assert "C1" not in json.dumps(line), "what the exception says may be a customer"
    nothing_committed(fleet)
    fleet.switch(faulty.RAISES, on=False)
    goes_on(fleet)


def test_a_failed_send_to_the_journal_moves_no_source_position(fleet: Faulty) -> None:
    with refusing(fleet.settings, "journal"):
        write(fleet.settings, AFTER)
        ends(fleet, "a background task failed", stage="ingest")

    nothing_committed(fleet)
    assert source_position(fleet.settings) <= BEFORE
    goes_on(fleet)


@pytest.mark.parametrize("topic", ["state", "out.trigger.tier"])
def test_a_failed_send_of_a_decision_commits_none_of_it(fleet: Faulty, topic: str) -> None:
    with refusing(fleet.settings, topic):
        write(fleet.settings, AFTER)
        ends(fleet, "the broker refused a record as too large", partition=0)

    nothing_committed(fleet)
    goes_on(fleet)


def test_an_owner_that_lost_its_lease_commits_nothing_more(fleet: Faulty) -> None:
    """Somebody else has initialised the partition's transactional id."""
    settings = fleet.settings
    taker = Producer({"bootstrap.servers": settings.brokers, "transactional.id": f"{settings.app_id}-decide-0"})
    taker.init_transactions(30)
    write(settings, AFTER)
    ends(fleet, "partition taken over by another worker", partition=0)

    nothing_committed(fleet)
    goes_on(fleet)


def test_records_that_are_lost_on_their_way_are_missed_at_once(fleet: Faulty) -> None:
    """As faust 596 loses them: fetched, and dropped before anybody worked on them."""
    fleet.switch(faulty.DROPS)
    write(fleet.settings, AFTER)
    ends(fleet, "records were dropped before they came here")

    goes_on(fleet)


# Within the watchdog's time


@pytest.mark.parametrize("fault", [faulty.COMMIT, faulty.AGENT])
def test_who_makes_no_progress_while_records_wait_ends(fleet: Faulty, fault: str) -> None:
    """A transaction that never gets through; an agent that never returns. What is decided meanwhile is not committed."""
    fleet.switch(fault)
    write(fleet.settings, AFTER)
    ends(fleet, "no progress")

    nothing_committed(fleet)
    fleet.switch(fault, on=False)
    goes_on(fleet)


def test_an_event_loop_that_hangs_is_ended_by_a_thread(fleet: Faulty) -> None:
    fleet.switch(faulty.LOOP)
    write(fleet.settings, AFTER)
    ends(fleet, "the event loop hangs")

    nothing_committed(fleet)
    fleet.switch(faulty.LOOP, on=False)
    goes_on(fleet)


def test_who_does_not_let_go_in_a_rebalance_ends(fleet: Faulty) -> None:
    """The group waits for it, and nothing of it is live: the watchdog has nothing to look at."""
    fleet.switch(faulty.CLINGS)
    fleet.start("b")
    ends(fleet, "partitions were not let go")

    fleet.switch(faulty.CLINGS, on=False)
    fleet.processes.pop("a")
    write(fleet.settings, AFTER)
    told_once(fleet, BEFORE + AFTER)
    assert fleet.terminate() == {"b": 0}, fleet.logs()


def test_a_member_that_left_the_group_in_silence_is_ended_by_who_takes_over(fleet: Faulty) -> None:
    """Its heartbeats have ended, its fetcher goes on (aiokafka 1154). As long as nobody else is there it does its work, and
    its commits keep its place; the next member waits for it as long as the group allows, then fences it."""
    settings = fleet.settings
    fleet.switch(faulty.LEAVES)
    eventually(fleet, lambda: not (fleet.where / faulty.LEAVES).exists())
    write(settings, AFTER)
    eventually(fleet, lambda: trial.rows(settings) == {b"C1": BEFORE + AFTER})
    fleet.start("b")
    ends(fleet, "partition taken over by another worker", partition=0)

    fleet.processes.pop("a")
    write(settings, AFTER)
    told_once(fleet, BEFORE + 2 * AFTER)
    assert fleet.terminate() == {"b": 0}, fleet.logs()
