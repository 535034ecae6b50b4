"""Law: a chain of positions that breaks is an error; what waits is joined and taken in order."""

from __future__ import annotations

import asyncio

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.errors import StateError
from stream.domain.events import Record
from stream.shell.kafka.positions import (
    USUAL,
    Bounds,
    Committed,
    Inbox,
    Mark,
    Span,
    Taken,
    demand_decided,
    journal_start,
    source_start,
    starts,
)

PLACE = TP("bank1.in.txn", 3)


def inbox(start: int = 0, most: int = 100) -> Inbox:
    return Inbox(start, epoch=1, most=most, ready=asyncio.Event())


def records(*offsets: int) -> list[Record]:
    return [Record(offset, b"k", b"v") for offset in offsets]


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=8), st.integers(1, 4))
def test_every_record_is_taken_once_and_in_order(fetches: list[list[bool]], most: int) -> None:
    """Whatever the fetches (True: a record, False: a control record) and the size of a chunk."""
    box, at, expected = inbox(), 0, []
    for fetch in fetches:
        found = [at + index for index, is_record in enumerate(fetch) if is_record]
        expected += found
        box.put(Span(at, at + len(fetch), 1, records(*found)))
        at += len(fetch)
    taken: list[int] = []
    while box.waiting:
        chunk = box.take(most)
        assert len(chunk.records) <= most
        taken += [record.offset for record in chunk.records]
        assert all(offset < chunk.next for offset in taken)
        assert all(offset >= chunk.next for offset in expected[len(taken) :])

    assert taken == expected


def test_control_records_alone_move_the_position() -> None:
    box = inbox(5)
    box.put(Span(5, 9, 1, []))

    assert box.waiting
    assert box.take(10) == Taken([], 9)
    assert not box.waiting


def test_a_span_of_an_earlier_seek_is_void() -> None:
    box = inbox(5)

    assert not box.put(Span(7, 9, 0, records(7, 8)))
    assert not box.waiting


@pytest.mark.parametrize("start", [4, 6])
def test_a_chain_that_breaks_is_an_error(start: int) -> None:
    with pytest.raises(StateError, match=f"expected position 5, got {start}"):
        inbox(5).put(Span(start, 9, 1, records(8)))


def test_a_full_inbox_says_so_until_something_is_taken() -> None:
    box = inbox(most=2)
    box.put(Span(0, 2, 1, records(0, 1)))

    assert box.full
    box.take(1)
    assert not box.full


@pytest.mark.parametrize(
    ("committed", "begin", "end", "expected"),
    [(None, 0, 0, (0, 0)), (-1, 4, 9, (4, 0)), (9, 0, 9, (9, 0)), (None, 10, 10, (10, 0)), (3, 10, 10, (10, 7))],
    ids=["never written", "never committed", "all read", "emptied", "emptied while away"],
)
def test_a_source_starts_at_its_commit_or_where_retention_begins(
    committed: int | None, begin: int, end: int, expected: tuple[int, int]
) -> None:
    assert source_start(committed, begin, end) == expected


@pytest.mark.parametrize(
    ("journal", "bounds", "told"),
    [
        ({}, Bounds(0, 9), "raise its incarnation"),
        ({PLACE: 10}, Bounds(11, 12), "retention took"),
        ({PLACE: 10}, Bounds(0, 9), "it was recreated"),
    ],
    ids=["a recreated source", "a journal that retention took", "a recreated journal"],
)
def test_a_position_that_is_not_there_is_refused_with_its_place(journal: dict[TP, int], bounds: Bounds, told: str) -> None:
    with pytest.raises(StateError, match=f"^bank1.in.txn/3: expected .*{told}"):
        starts({PLACE: bounds}, {PLACE: Committed(10)}, journal)


def test_a_source_that_ends_before_what_was_decided_of_it_is_refused() -> None:
    """Every one of them; one that is not there yet, or any more, is nobody's fault here."""
    demand_decided({PLACE: 10, TP("bank1.in.app", 0): 3}, {PLACE: 10})

    with pytest.raises(StateError) as refused:
        demand_decided({PLACE: 10, TP("bank1.in.app", 0): 3}, {PLACE: 9, TP("bank1.in.app", 0): 0})

    assert [place in str(refused.value) for place in ("bank1.in.app/0: expected", "bank1.in.txn/3: expected")] == [True, True]
    assert "raise its incarnation" in str(refused.value)


def test_the_journal_is_read_from_the_ledger_on() -> None:
    assert journal_start(applied=5, begin=0, end=9) == 5


@given(st.one_of(st.none(), st.integers(0, 10**14)), st.booleans())
def test_a_mark_survives_its_commit(recorded: int | None, ended: bool) -> None:
    mark = Mark(recorded, ended and recorded is not None)

    assert Mark.parse(Committed(3, str(mark)).metadata) == mark


@pytest.mark.parametrize("text", ["", "r=", "r=x", "q=5", ";end", "r=5x;end"])
def test_metadata_of_somebody_else_says_nothing(text: str) -> None:
    assert Mark.parse(text) == Mark(None, False)


def test_large_records_are_held_by_bytes_not_by_number() -> None:
    """A hundred times the usual size: a hundredth of the records fills the inbox, and comes out at a time."""
    box = inbox(0, most=1000)
    for at in range(0, 40, 4):
        box.put(Span(at, at + 4, 1, records(*range(at, at + 4)), size=4 * 100 * USUAL))
        assert box.full == (at >= 8)

    taken = []
    while box.waiting:
        chunk = box.take(500)
        assert len(chunk.records) == 5
        taken += [record.offset for record in chunk.records]
    assert taken == list(range(40))
    assert not box.full


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 50_000)), max_size=20), st.integers(1, 30))
def test_whatever_the_sizes_all_records_come_out_in_order(spans: list[tuple[int, int]], most: int) -> None:
    """And the inbox is empty of bytes, too, when it is empty of records."""
    box, at = inbox(0, most=100), 0
    for count, each in spans:
        box.put(Span(at, at + count, 1, records(*range(at, at + count)), size=count * each))
        at += count
    taken = []
    while box.waiting:
        chunk = box.take(most)
        assert chunk.records
        taken += [record.offset for record in chunk.records]

    assert taken == list(range(at))
    assert not box.full
