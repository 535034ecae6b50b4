"""Law: what is handed out in runs is what the client hands out one by one, and leads to the same positions."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.native import batches
from stream.shell.kafka import lenient
from stream.shell.kafka.fetching import RUN, LeanRecords, LeanResult
from stream.shell.kafka.positions import USUAL
from tests.properties.test_batches import CODECS, CRC, batch

PLACE = TopicPartition("in.txn", 0)
SMALL = (b"k", b"v" * 9, [("name", b"content")])
LARGE = (b"k", b"v" * 3 * USUAL, [])
NATIVE, PRODUCER = batches(), 7
READERS = [lenient.Batches, *([] if NATIVE is None else [NATIVE.Batches])]


class Assignment:
    """Of one partition, read from an offset on."""

    active = True

    def __init__(self, offset: int) -> None:
        self.state = SimpleNamespace(paused=False, position=offset, consumed_to=self._to)

    def state_value(self, _: TopicPartition) -> Any:
        return self.state

    def _to(self, offset: int) -> None:
        self.state.position = offset


def at(offset: int, data: bytes) -> bytes:
    """The batch as the broker keeps it: its first offset is not covered by the checksum."""
    return offset.to_bytes(8, "big") + data[8:]


def fetched(reads: Any, result: Any, records: Any, offset: int, aborted: list[tuple[int, int]]) -> tuple[Any, Assignment]:
    held = Assignment(offset)
    handed = records(PLACE, reads, aborted, offset, None, None, True, READ_COMMITTED)
    return result(PLACE, assignment=held, partition_records=handed, backoff=0), held


def taken(found: Any, held: Assignment, most: int) -> list[tuple[int, bytes | None, int]]:
    """Offset, content and, with the last of each call, the position it led to."""
    read: list[tuple[int, bytes | None, int]] = []
    while found.has_more():
        got = found.getall(most)
        assert len(got) <= most
        read += [(record.offset, record.value, -1) for record in got[:-1]]
        read += [(record.offset, record.value, held.state.position) for record in got[-1:]]
    return read


@pytest.mark.parametrize("reads", READERS)
@given(
    st.lists(st.lists(st.sampled_from([SMALL, SMALL, LARGE]), min_size=1, max_size=3 * RUN), min_size=1, max_size=4),
    st.integers(0, 3 * RUN),
    st.integers(1, 3 * RUN),
    CODECS,
)
def test_runs_are_the_records_one_by_one(reads: Any, some: list[list[Any]], offset: int, most: int, codec: int) -> None:
    """From any offset, in calls of any size; one transaction is not committed, and holes lie between the batches."""
    data, first, aborted = b"", 0, []
    for number, records in enumerate(some):
        open_ = number == 1
        data += at(first, batch(records, codec, open_))
        if open_:
            aborted.append((PRODUCER, first))
        first += len(records) + number
    theirs, where = fetched(MemoryRecords(data), FetchResult, PartitionRecords, offset, aborted)
    ours, here = fetched(reads(data), LeanResult, LeanRecords, offset, aborted)

    want = [each[:2] for each in taken(theirs, where, most)]
    got = taken(ours, here, most)

    assert [each[:2] for each in got] == want
    assert here.state.position == where.state.position
    assert all(position == -1 or position > offset for offset, _, position in got)


@pytest.mark.parametrize("reads", READERS)
def test_a_call_brings_about_as_much_as_asked_for(reads: Any) -> None:
    """By number to the record; by bytes to the run, which has so many bytes, too."""
    small, _ = fetched(reads(batch([SMALL] * 5 * RUN, 3)), LeanResult, LeanRecords, 0, [])
    large, _ = fetched(reads(batch([LARGE] * 5 * RUN, 3)), LeanResult, LeanRecords, 0, [])

    assert [len(small.getall(RUN + 1)), len(small.getall(1))] == [RUN + 1, 1]
    assert len(large.getall(3)) == 1
    assert len(large.getall(5 * RUN)) <= 5 * RUN // 3 + RUN // 3 + 1


@pytest.mark.parametrize("reads", READERS)
def test_a_damaged_batch_is_not_handed_out(reads: Any) -> None:
    data = bytearray(batch([SMALL] * 3, 0))
    data[CRC] ^= 1
    found, held = fetched(reads(bytes(data)), LeanResult, LeanRecords, 0, [])

    with pytest.raises(CorruptRecordException):
        found.getall(10)
    assert held.state.position == 0


@pytest.mark.parametrize("reads", READERS)
def test_what_was_handed_out_is_let_go_at_once(reads: Any) -> None:
    """Not only when garbage is collected, which a worker does rarely: a fetch is a megabyte."""
    gc.disable()
    try:
        found, _ = fetched(reads(batch([SMALL] * 3 * RUN, 3)), LeanResult, LeanRecords, 0, [])
        kept = weakref.ref(found._partition_records)
        while found.has_more():
            found.getall(RUN + 1)
        assert kept() is None
    finally:
        gc.enable()
