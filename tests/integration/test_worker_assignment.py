"""Law: partitions follow the group; what did not change hands is not read again, what was lost is said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.settings import Settings
from tests.integration import worker_trial as trial

Build = Callable[..., Settings]


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[Callable[[Settings], trial.Fleet]]:
    made: list[trial.Fleet] = []

    def make(settings: Settings) -> trial.Fleet:
        made.append(trial.Fleet(settings, tmp_path / str(len(made))))
        return made[-1]

    yield make
    for fleet in made:
        fleet.destroy()


def eventually(what: Callable[[], Any], patience: float = 30.0) -> Any:
    """The first true answer, or the last one."""
    until = time.monotonic() + patience
    while not (answer := what()) and time.monotonic() < until:
        time.sleep(0.2)
    return answer


def write(settings: Settings, topic: str, count: int, partition: int = 0, **headers: bytes) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 5})
    given: Any = [("ce_specversion", b"1.0"), ("ce_subject", b"C1"), *headers.items()]
    for _ in range(count):
        producer.produce(settings.topic(topic), b"{}", partition=partition, headers=given)
    assert producer.flush(10) == 0


def end(settings: Settings, topic: str, partition: int, at: int) -> None:
    """The marker that ends an old log, as `kairos publish` writes it."""
    producer = Producer({"bootstrap.servers": settings.brokers})
    producer.produce(settings.topic(topic), None, partition=partition, headers=[("kairos_end", b"%d" % at)])
    assert producer.flush(10) == 0


def outputs(settings: Settings) -> int:
    return len(trial.read(settings, "out.trigger.tier"))


def test_a_second_worker_takes_its_share_and_the_first_keeps_its_state(
    configured: Build, fleets: Callable[[Settings], trial.Fleet]
) -> None:
    """Restored: all partitions at the first start, and only those that changed hands at the second."""
    settings = configured(journal_partitions=4)
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    write(settings, "in.txn", 100)
    assert eventually(lambda: outputs(settings) == 10), fleet.logs()
    fleet.start("b")
    assert eventually(lambda: "assignment opened" in fleet.log("b").read_text()), fleet.logs()
    write(settings, "in.txn", 100)

    assert eventually(lambda: outputs(settings) == 20), fleet.logs()
    assert fleet.log("a").read_text().count("'partition restored'") <= 4 + 1, "kept what it kept; C1's has one writer"
    assert eventually(lambda: fleet.log("a").read_text().count("assignment opened") == 2), fleet.logs()
    assert fleet.terminate() == {"a": 0, "b": 0}


def test_records_that_retention_took_are_said_and_passed(configured: Build, fleets: Callable[[Settings], trial.Fleet]) -> None:
    settings = configured()
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    write(settings, "in.txn", 10)
    assert eventually(lambda: outputs(settings) == 1), fleet.logs()
    assert fleet.terminate() == {"a": 0}
    write(settings, "in.txn", 20)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    [deleted] = admin.delete_records([TopicPartition(settings.topic("in.txn"), 0, 20)]).values()
    deleted.result()
    fleet.start("a")

    assert eventually(lambda: outputs(settings) == 2), fleet.logs()
    assert "retention took unread records" in fleet.log("a").read_text()
    assert trial.rows(settings) == {b"C1": 20}, "10 of 30 are gone"


def test_a_journal_that_is_not_ours_any_more_is_refused(configured: Build, fleets: Callable[[Settings], trial.Fleet]) -> None:
    """Its retention took what was not decided: going on would leave a hole in every customer."""
    settings = configured(journal_partitions=1)
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    write(settings, "in.txn", 10)
    assert eventually(lambda: outputs(settings) == 1), fleet.logs()
    fleet.kill("a")
    write(settings, "journal", 500)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    [deleted] = admin.delete_records([TopicPartition(settings.topic("journal"), 0, 400)]).values()
    deleted.result()
    fleet.start("a")

    assert fleet.processes["a"].wait(30) == EXIT_CODE
    assert "the assignment could not be opened" in fleet.log("a").read_text()


def test_a_secured_cluster_is_secured_for_every_client(
    configured: Build, fleets: Callable[[Settings], trial.Fleet], secure: Any
) -> None:
    """SASL_SSL reaches Faust, both aiokafka sides and librdkafka: an event goes all the way."""
    settings = configured()
    trial.prepare(settings)
    locked = {
        "brokers": secure.bootstrap,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_username": "kairos",
        "sasl_password": "only-for-development",
        "ssl_cafile": secure.cafile,
    }
    fleet = fleets(settings)
    fleet.start("a", **locked)
    write(settings, "in.txn", 10)

    assert eventually(lambda: outputs(settings) == 1), fleet.logs()
    assert fleet.terminate() == {"a": 0}


def test_an_old_log_moves_time_by_its_own_stamps(configured: Build, fleets: Callable[[Settings], trial.Fleet]) -> None:
    """Recorded clock: T is the slowest partition's, markers end it and are not journaled, a kill forgets nothing."""
    settings = configured(clock="recorded", journal_partitions=1, source_partitions=1, idle_after=1.0)
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    for partition, second in enumerate((5, 7, 6)):
        write(settings, "in.txn", 3, partition, ce_recordedtime=b"1993-01-01T00:00:0%dZ" % second)
    start = 725846400000

    assert eventually(lambda: clocks(settings)[-1:] == [start + 4999]), (clocks(settings), fleet.logs())
    fleet.kill("a")
    fleet.start("a")
    for partition in (0, 1, 2):
        end(settings, "in.txn", partition, start + 9000)
    assert eventually(lambda: clocks(settings)[-1:] == [start + 9000]), (clocks(settings), fleet.logs())
    assert sorted(set(clocks(settings))) == [start + 4999, start + 9000]
    assert trial.rows(settings) == {b"C1": 9}
    assert eventually(lambda: "in.app" in json.loads(ticks(settings)[-1])["idle"]), "silent sources hold nobody back"


def test_a_source_partition_may_be_added_to_a_running_fleet(
    configured: Build, fleets: Callable[[Settings], trial.Fleet]
) -> None:
    """An old log's time stands still until the partition has told how far it is, and goes on then, nobody restarted."""
    settings = configured(clock="recorded", journal_partitions=1, idle_after=1.0)
    topics.create(settings, {"in.txn": 1})
    fleet, start = fleets(settings), 725846400000
    fleet.start("a")
    write(settings, "in.txn", 3, ce_recordedtime=b"1993-01-01T00:00:05Z")
    assert eventually(lambda: clocks(settings)[-1:] == [start + 4999]), (clocks(settings), fleet.logs())
    grow(settings, "in.txn", 2)
    write(settings, "in.txn", 3, 0, ce_recordedtime=b"1993-01-01T00:00:09Z")
    write(settings, "in.txn", 3, 1, ce_recordedtime=b"1993-01-01T00:00:07Z")

    assert eventually(lambda: clocks(settings)[-1:] == [start + 6999], 120.0), (clocks(settings), fleet.logs())
    assert sorted(set(clocks(settings))) == [start + 4999, start + 6999], "never by the old partition alone"
    assert trial.rows(settings) == {b"C1": 9}
    assert fleet.terminate() == {"a": 0}


def grow(settings: Settings, topic: str, partitions: int) -> None:
    """Raise the number of partitions, and wait until the broker says so."""
    admin, name = AdminClient({"bootstrap.servers": settings.brokers}), settings.topic(topic)
    admin.create_partitions([NewPartitions(name, partitions)])[name].result(20)
    assert eventually(lambda: len(admin.list_topics(name, 20).topics[name].partitions) == partitions)


def ticks(settings: Settings) -> list[bytes]:
    found = [dict(message.headers() or ()) for message in trial.read(settings, "journal", "read_uncommitted")]
    return [headers["kairos_tick"] for headers in found if "kairos_tick" in headers]


def clocks(settings: Settings) -> list[int]:
    """T of in.txn, tick by tick."""
    return [clock["in.txn"] for tick in ticks(settings) if "in.txn" in (clock := json.loads(tick)["clock"])]
