"""Law: what the framework and its client are known to get wrong loses nothing here, on a real broker.

Others are in test_fail_stop (records dropped after they were fetched, a group left in silence, an exception in the work), in
test_worker_delivery (kills, rebalances) and in the simulation; docs/reliability.md has the whole list.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from kafka import KafkaProducer

from stream.domain.errors import ConfigError
from stream.shell.kafka.record import record
from stream.shell.settings import Settings
from tests.integration import worker_trial as trial
from tests.rig.broker import Broker
from tests.rig.headers import Name

TRANSACTIONS, EACH = 300, 2
STALL = 1.0
"""Seconds that the broker stands still: ten times what the framework's `flush` waits before it gives up."""
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


def eventually(what: Callable[[], Any], wanted: Any, fleet: trial.Fleet, patience: float = 60.0) -> None:
    until = time.monotonic() + patience
    while (found := what()) != wanted:
        assert time.monotonic() < until, f"{found}, wanted {wanted}\n{fleet.logs()}"
        time.sleep(0.2)


# Control records between transactions are gaps in the offsets


def small_transactions(settings: Settings) -> None:
    producer = Producer({"bootstrap.servers": settings.brokers, "transactional.id": settings.app_id + "-up", "linger.ms": 0})
    producer.init_transactions(30)
    headers: Any = [("ce_specversion", b"1.0"), ("ce_subject", b"C1")]
    for _ in range(TRANSACTIONS):
        producer.begin_transaction()
        for _ in range(EACH):
            producer.produce(settings.topic("in.txn"), b"{}", b"C1", 0, headers=headers)
        producer.commit_transaction(30)


def left_behind(settings: Settings) -> int:
    """Offsets of the source that a next start would read again."""
    place = TopicPartition(settings.topic("in.txn"), 0)
    client = Consumer({"bootstrap.servers": settings.brokers, "group.id": settings.app_id})
    try:
        [committed] = client.committed([place], 30)
        return int(client.get_watermark_offsets(place, timeout=30)[1] - max(0, committed.offset))
    finally:
        client.close()


def journaled(settings: Settings) -> int:
    found = trial.read(settings, "journal", "read_uncommitted")
    return sum("kairos_src" in dict(message.headers() or ()) for message in found)


@pytest.mark.timeout(120)
def test_positions_keep_up_with_a_producer_of_small_transactions(
    configured: Build, fleets: Callable[[Settings], trial.Fleet]
) -> None:
    """The framework passes one gap a commit, so 300 gaps would take minutes; here a restart reads nothing again."""
    settings = configured(journal_partitions=1)
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    small_transactions(settings)
    eventually(lambda: left_behind(settings), 0, fleet)
    eventually(lambda: trial.rows(settings), {b"C1": TRANSACTIONS * EACH}, fleet)
    fleet.kill("a")
    fleet.start("a")
    eventually(lambda: fleet.log("a").read_text().count("assignment opened"), 2, fleet)
    small_transactions(settings)
    eventually(lambda: trial.rows(settings), {b"C1": 2 * TRANSACTIONS * EACH}, fleet)

    assert journaled(settings) == 2 * TRANSACTIONS * EACH
    assert fleet.terminate() == {"a": 0}, fleet.logs()


# A header's name that is no text


def test_a_header_whose_name_is_no_text_stops_nobody(configured: Build, fleets: Callable[[Settings], trial.Fleet]) -> None:
    """The broker takes such a record, and the client that reads it raises there for ever; here it is an event like others."""
    settings = configured(journal_partitions=1)
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    producer = KafkaProducer(bootstrap_servers=settings.brokers)
    # so many before it that Python has specialised the code which reads them
    for name in (*["trace"] * 100, Name(b"caf\xe9"), "trace"):
        headers = [("ce_specversion", b"1.0"), ("ce_subject", b"C1"), (name, b"x")]
        producer.send(settings.topic("in.txn"), b"{}", b"C1", headers, 0)
    producer.close()
    eventually(lambda: trial.rows(settings), {b"C1": 102}, fleet)

    assert names_of(settings) == [*["trace"] * 100, "caf\\xe9", "trace"]
    with pytest.raises(ConfigError, match=r"in.txn/0@100: expected headers whose names are UTF-8"):
        record(settings, "in.txn", BytesIO())
    assert fleet.terminate() == {"a": 0}, fleet.logs()


def names_of(settings: Settings) -> list[str]:
    """Of the third header of each journaled event."""
    found = [message.headers() or [] for message in trial.read(settings, "journal")]
    return [headers[2][0] for headers in found if "ce_subject" in dict(headers)]


# A flush that gives up


@pytest.fixture
def own(tmp_path: Path, broker: str) -> Iterator[Broker]:
    """A broker that may be stopped, since nobody else uses it."""
    made = Broker(tmp_path / "broker")
    made.start()
    yield made
    made.stop()


@pytest.mark.timeout(180)
def test_a_broker_that_stalls_and_a_worker_that_dies_of_it_lose_nothing(
    own: Broker, fleets: Callable[[Settings], trial.Fleet]
) -> None:
    """Killed during the stall, with its end, and just after it: whatever was committed had been acknowledged."""
    settings = Settings(brokers=own.bootstrap, journal_partitions=2, commit_interval=0.1, session_timeout=6.0)
    trial.prepare(settings)
    fleet = fleets(settings)
    fleet.start("a")
    enough = threading.Event()
    load = threading.Thread(target=trial.load, args=(settings, 4000, 8.0, enough))
    load.start()
    try:
        for delay in (-0.4, 0.0, 0.05):
            time.sleep(1.5)
            stall = threading.Thread(target=own.pulse, args=(STALL,))
            stall.start()
            time.sleep(STALL + delay)
            fleet.kill("a")
            stall.join()
            fleet.start("a")
    finally:
        enough.set()
        load.join()
    truth = trial.truth(settings)
    eventually(lambda: trial.rows(settings), dict(truth.counts), fleet)

    produced = Counter(message.value() for message in trial.read(settings, "out.trigger.tier"))
    assert produced == truth.outputs
    assert fleet.terminate() == {"a": 0}, fleet.logs()
