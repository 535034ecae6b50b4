"""Law: a restore reads every state partition to its stable end, says how far it is, and gives up rather than stop short."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from stream.domain.errors import StateError
from stream.shell.kafka import restore
from stream.shell.kafka.plan import Plan

PLAN = Plan("a", (), 2, topic_prefix="b.")


class Found(NamedTuple):
    key: bytes
    value: bytes | None


class Log:
    """State partitions of so many records each, of which every look brings some; one look lasts some seconds.

    Behind the last record lie ``marks`` offsets that nobody is shown, as transactions leave them.
    """

    def __init__(self, records: int, each: int, lasts: float, marks: int = 1) -> None:
        self.at = 0.0
        self._records, self._each, self._lasts, self._marks = records, each, lasts, marks
        self._position: dict[Any, int] = {}

    def steady(self) -> float:
        return self.at

    def reader(self, **options: Any) -> Any:
        assert options["isolation_level"] == "read_committed"
        return self

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def assign(self, partitions: list[TopicPartition]) -> None: ...

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self._records + self._marks)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._position[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self._position[partition]

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Found]]:
        self.at += self._lasts
        found = {}
        for each in partitions:
            start = self._position[each]
            end = min(start + self._each, self._records)
            if end > start:
                found[each] = [Found(b"C%d" % number, b"row") for number in range(start, end)]
            self._position[each] = end if end < self._records or not self._each else end + self._marks
        return found


def read(log: Any, told: list[tuple[int, int, int]], goes_on: Any = lambda: True, start: int = 0) -> Any:
    seen: dict[int, list[bytes]] = {0: [], 1: []}

    def reading(number: int) -> restore.Reading:
        return restore.Reading(start, lambda key, value: seen[number].append(key))

    readings = {number: reading(number) for number in seen}
    return asyncio.run(restore.read(log, PLAN, readings, goes_on, lambda *all_of_it: told.append(all_of_it))), seen


def test_every_record_is_read_once_and_what_is_left_is_said() -> None:
    told: list[tuple[int, int, int]] = []
    counts, seen = read(Log(25, 10, 0.1), told)

    assert counts == {0: 25, 1: 25}
    assert seen[0] == seen[1] == [b"C%d" % number for number in range(25)]
    assert told == [(0, 10, 16), (1, 10, 16), (0, 20, 6), (1, 20, 6), (0, 25, 0), (1, 25, 0)]


def test_a_long_restore_says_in_the_log_how_far_it_is() -> None:
    """Every five seconds: here a look lasts two, and the last one is behind it."""
    with capture_logs() as lines:
        read(Log(50, 10, 2.0), [])

    said = [(line["event"], line["count"], line["records"], line["lag"]) for line in lines]
    assert said == [("restoring", 2, 60, 42)]


def test_a_short_restore_says_nothing_in_between() -> None:
    with capture_logs() as lines:
        read(Log(50, 10, 0.5), [])

    assert lines == []


def test_nothing_to_read_is_no_work() -> None:
    told: list[tuple[int, int, int]] = []

    assert read(Log(5, 10, 0.1), told, start=6) == ({0: 0, 1: 0}, {0: [], 1: []})
    assert told == []


def test_a_void_assignment_is_not_read_to_its_end() -> None:
    log = Log(1000, 10, 1.0)
    counts, _ = read(log, [], goes_on=lambda: log.at < 3)

    assert counts == {0: 30, 1: 30}


def test_a_broker_that_shows_nothing_is_given_up() -> None:
    """A restore that ended short of the stable end would decide on old rows."""
    log = Log(10, 0, 1.0)
    with pytest.raises(StateError, match=r"expected b.state to its stable end, got nothing for 60 s"):
        read(log, [])
    assert 60 < log.at < 63
