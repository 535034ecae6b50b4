"""Law: a dead letter goes back once, however often redrives are started, killed or run side by side; none blocks the others."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from confluent_kafka import Producer

from stream.shell.kafka import topics
from stream.shell.kafka.deadletters import FROM, Wanted, redrive
from stream.shell.kafka.topics import DEAD, SOURCE_BYTES
from stream.shell.settings import Settings
from stream.wire.encode import ERRORS
from tests.integration import cluster
from tests.integration import worker_trial as trial

MANY = 6000
"""Letters: several transactions."""


def bury(settings: Settings, values: list[bytes]) -> None:
    """Dead letters as decide writes them, with what a journal record carries."""
    producer = Producer({"bootstrap.servers": settings.brokers, "message.max.bytes": 2_000_000})
    for number, value in enumerate(values):
        about: Any = [(f"{ERRORS}{name}", b"x") for name in ("code", "path", "text", "stage", "topic")]
        headers = [("ce_id", b"%d" % number), ("kairos_src", b"in.txn|0|0|%d|1|w" % number), *about]
        producer.produce(settings.topic(DEAD), value, b"C%d" % number, number % settings.journal_partitions, headers=headers)
        producer.poll(0)
    assert producer.flush(30) == 0


def sent_back(settings: Settings) -> Counter[bytes]:
    return Counter(dict(message.headers() or ())[FROM] for message in trial.read(settings, "in.redrive"))


def test_a_letter_goes_back_once_whatever_becomes_of_the_redrives(configured: Callable[..., Settings]) -> None:
    """Killed at any moment, and two at the same time, of which the later one takes over."""
    settings = configured(journal_partitions=2)
    topics.create(settings)
    bury(settings, [b"letter"] * MANY)
    command = [*cluster.KAIROS[:-1], "dlq", "redrive", "--all"]
    dice = random.Random(5)
    for _ in range(5):
        two = [subprocess.Popen(command, env=cluster.environment(settings), stderr=subprocess.DEVNULL) for _ in range(2)]
        time.sleep(1.5 + 1.5 * dice.random())
        two[0].send_signal(signal.SIGKILL)
        time.sleep(0.3 * dice.random())
        two[1].send_signal(signal.SIGKILL)
        for one in two:
            one.wait(10)
    before = len(sent_back(settings))
    last = redrive(settings, Wanted())

    found = sent_back(settings)
    assert set(found.values()) == {1}
    assert len(found) == MANY
    assert (last.sent, last.known) == (MANY - before, before)


def test_a_letter_that_hardly_fits_or_does_not_holds_up_no_other(configured: Callable[..., Settings]) -> None:
    """Around the largest record of in.redrive each is sent or named as refused, and a batch of large ones is no burden."""
    settings = configured(journal_partitions=1)
    topics.create(settings)
    noise = random.Random(1).randbytes(SOURCE_BYTES)
    bury(settings, [noise[: SOURCE_BYTES - 1200 + 20 * number] for number in range(50)] + [b"small"])
    done = redrive(settings, Wanted())

    assert done.sent + len(done.refused) == 51
    assert done.sent > 20
    assert len(sent_back(settings)) == done.sent
    assert b"0/50" in sent_back(settings)
