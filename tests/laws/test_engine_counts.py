"""The books balance: everything read has one outcome, every candidate one end, and bad lines touch nothing but themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.events import Order, Record
from stream.engine.partition import Partition
from stream.shell import reports
from stream.simulator import poison
from stream.wire.outputs import SUPPRESSED
from stream.wire.reading import read
from tests.builders import Happening, instant, journal, journaled, posting, replayed, run
from tests.histories import histories
from tests.laws.bank import BOOKS, RETAIL, RICH, Book, outcomes, reconcile, sound, spoken

each_book = pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)


@each_book
def test_counts_reconcile(book: Book) -> None:
    """processed + unhandled + dead + filtered = read; nothing waits."""
    outputs, counts = book.run
    found = reports.read(counts, reports.events_of(counts))

    assert reports.events_of(counts) == counts["lines",] == len(book.log)
    assert sum(found["outcomes"].values()) == len(book.log)
    assert found["reconciled"]
    assert found["outcomes"]["dead"] == len(spoken(outputs)[2]) == sum(reports.labelled(counts, "rejected").values())
    assert found["outcomes"]["unhandled"] == sum(found["unhandled"].values())
    assert found["outcomes"]["filtered"] == sum(found["filtered"].values())
    assert sum(outcomes(book.whole).values()) == len(book.log)
    reconcile(book.whole)


@each_book
def test_every_candidate_is_a_trigger_or_suppressed(book: Book) -> None:
    """By rule and by type."""
    outputs, counts = book.run
    triggers, suppressed, _ = spoken(outputs)
    by_type = Counter[str]()
    for key, number in counts.items():
        if key[0] == "trigger":
            by_type[key[2]] += number

    assert by_type == Counter(reports.kind_of(each.headers) for each in triggers)
    assert sum(reports.labelled(counts, "candidate").values()) == len(triggers) + len(suppressed)


def test_everything_that_goes_out_decodes_strictly() -> None:
    """As strict as the published schemas; the key is the customer's, an id comes once."""
    triggers, suppressed, _ = spoken(RETAIL.run[0])

    for output in triggers:
        assert read(reports.kind_of(output.headers), output.value or b"").subject.ref.encode() == output.key
    for output in suppressed:
        assert read(SUPPRESSED, output.value or b"").reasons
    ids = [dict(output.headers)["ce_id"] for output in triggers]
    assert len(set(ids)) == len(ids)


@settings(max_examples=60)
@given(histories(), st.floats(0, 0.3), st.integers(0, 99))
def test_counts_reconcile_whatever_comes(events: list[Happening], share: float, seed: int) -> None:
    """processed + unhandled + dead + filtered = read, and every candidate is a trigger or suppressed."""
    spoiled = list(poison([event.line() for event in events], share, seed))

    got = replayed(RICH.engine, [line for _, line in spoiled])

    reconcile(got)
    assert Counter(code for _, code in got.dead) == Counter(why.value.encode() for why, _ in spoiled if why)


@each_book
def test_bad_lines_do_not_touch_the_rest(book: Book) -> None:
    """The triggers are those of the log without its bad lines, but for the line numbers they show."""
    clean = replayed(book.engine, sound(book.log))

    assert clean.types == book.whole.types
    assert len(book.whole.dead) > 20


def test_record_that_ingest_did_not_journal_is_dead() -> None:
    """A record without source coordinates is a dead letter, counted as read."""
    got = run(RICH.engine, journal([Record(0, b"C1", posting(0).line())]))

    assert [code for _, code in got.dead] == [b"NOT_CLOUDEVENT"]
    reconcile(got)


def test_only_what_a_source_did_wrong_counts_towards_its_end() -> None:
    """The run of dead letters grows with each, but for types that are not supported, and ends with a sound record."""
    partition = Partition(RICH.engine, 0)
    merged = replace(posting(instant(0)), kind="party.merged", data={"into": "C2"}).line()
    runs = []
    for offset, line in enumerate([b"{", merged, b"[]", posting(instant(0)).line(), merged, b"{"]):
        record = journaled(line, offset, instant(0), Order.WALL, topic="in.txn")
        partition.accept(partition.decide([record._replace(offset=offset)]))
        runs.append(dict(partition.dead_runs))

    assert runs == [{"in.txn": 1}, {"in.txn": 1}, {"in.txn": 2}, {}, {}, {"in.txn": 1}]
