"""Looks from outside while things die: when triggers arrive for who reads committed records, and how far decisions are."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import pairwise

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from stream.shell.kafka.clients import librdkafka
from stream.shell.kafka.topics import TRIGGERS
from stream.shell.settings import Settings
from tests.integration import cluster


class Arrivals(threading.Thread):
    """A campaign engine's ear: the moments at which triggers could be read."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="arrivals", daemon=True)
        self._settings = settings
        self.over = threading.Event()
        self.at: list[float] = []

    def run(self) -> None:
        """The thread."""
        options = {
            **librdkafka(self._settings),
            "group.id": f"{self._settings.app_id}-ear",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
        with closing(Consumer(options)) as consumer:
            names = [self._settings.topic(topic) for topic in TRIGGERS]
            count = self._settings.journal_partitions
            consumer.assign([TopicPartition(name, n, OFFSET_BEGINNING) for name in names for n in range(count)])
            while not self.over.is_set():
                found = consumer.consume(500, 0.1)
                if any(message.error() is None for message in found):
                    self.at.append(time.monotonic())

    def longest_pause(self, start: float, end: float) -> float:
        """Seconds without a trigger at most, between two moments."""
        moments = [start, *(at for at in self.at if start < at < end), end]
        return max(after - before for before, after in pairwise(moments))


def lag(settings: Settings, partitions: list[int]) -> int:
    """Journal records of these partitions that are not decided. Exact when their owner is stopped."""
    with closing(cluster.ledgers(settings)) as looks:
        ledgers = next(looks)
    ends = cluster.journal_ends(settings)
    return sum(max(0, ends[n] - (ledgers[n].next if n in ledgers else 0)) for n in partitions)
