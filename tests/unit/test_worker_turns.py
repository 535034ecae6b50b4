"""Law: what is decided together gets through: fewer records over a slow line, all of a chunk over a quick one."""

from __future__ import annotations

from typing import Any

from stream.shell.kafka.decide import FIRST, LEAST, JournalPartition

CHUNK = 4000


class Empty:
    next_offset = 0


def partition() -> JournalPartition:
    nobody: Any = None
    empty: Any = Empty()
    return JournalPartition(nobody, 0, empty, nobody)


def line(one: JournalPartition, records_a_second: float, times: int) -> list[float]:
    """Commit so many chunks over a line of this speed; how long each took, seconds."""
    took = []
    for _ in range(times):
        records = one.turn(CHUNK)
        took.append(records / records_a_second)
        one.spent(records, records * 1e-5, took[-1], 5.0)
    return took


def test_over_a_slow_line_commits_soon_take_no_longer_than_they_should() -> None:
    took = line(partition(), 50.0, 10)

    assert took[0] == FIRST / 50.0
    assert max(took[3:]) <= 5.0


def test_over_a_quick_line_a_chunk_is_soon_decided_at_once() -> None:
    one = partition()
    line(one, 1e6, 5)

    assert one.turn(CHUNK) == CHUNK


def test_a_line_that_is_quick_again_is_used_again() -> None:
    one = partition()
    line(one, 10.0, 10)
    assert one.turn(CHUNK) == LEAST
    line(one, 1e6, 12)

    assert one.turn(CHUNK) == CHUNK


def test_no_more_than_a_chunk_however_small() -> None:
    one = partition()
    line(one, 1e6, 5)

    assert one.turn(20) == 20
