"""The codec of rows: what is written is read, what cannot be read is refused, a pack may change under its rows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis.strategies import builds, integers, lists, sampled_from

from stream.domain.days import NEVER
from stream.domain.errors import StateError
from stream.domain.facts import Fact
from stream.engine.engine import Engine
from stream.engine.partition import LEDGER, Partition
from stream.engine.row import VERSION, Codec, Row, deferring, due_of, facts_of, facts_raw
from tests.builders import dormancy, journal, pack, posting, rich_pack, session, tier
from tests.histories import histories, sequenced

FACTS = builds(
    Fact, integers(1, 3), integers(0, 5), integers(0, 9), integers(-(10**15), 10**15), *[sampled_from(["", "a", "b"])] * 3
)
AUM = {"aum": {"kind": "balances"}}


def rows_of(engine: Engine, records: list[Any]) -> list[tuple[bytes, bytes]]:
    decision = Partition(engine, 0).decide(journal(records))
    return [(key, value) for key, value in decision.rows if value is not None]


@settings(max_examples=60)
@given(histories())
def test_rows_round_trip(events: list[Any]) -> None:
    """Whatever a customer has lived through, its row is the same bytes after reading and writing."""
    engine = Engine(rich_pack())
    for key, value in rows_of(engine, sequenced(events)):
        if key != LEDGER:
            row = engine.codec.decode(value)
            states = {name: engine.codec.state(row, name) for name in row.slots}
            engine.codec.put(row, states)
            assert engine.codec.encode(row, due_of(value)) == value


@given(lists(FACTS, min_size=1))
def test_facts_that_wait_are_appended_unread_and_read_in_the_order_of_their_times(told: list[Fact]) -> None:
    """Those of one time and origin stay in the order in which they came."""
    waiting = None
    for fact in told:
        waiting = deferring(waiting, fact)

    assert waiting is not None
    assert facts_of(waiting) == sorted(told, key=lambda fact: (fact.at, fact.origin))
    assert bytes(waiting) == bytes(facts_raw(told))


@given(lists(FACTS, min_size=1), FACTS)
def test_facts_written_as_any_array_are_added_to(before: list[Fact], fact: Fact) -> None:
    """A former engine wrote arrays of any head, in order."""
    waiting = deferring(msgspec.Raw(msgspec.msgpack.encode(before)), fact)

    assert facts_of(waiting) == sorted([*before, fact], key=lambda each: (each.at, each.origin))


def test_facts_that_are_none_are_refused() -> None:
    with pytest.raises(StateError, match="row does not fit this engine"):
        facts_of(msgspec.Raw(msgspec.msgpack.encode([["not", "a", "fact"]])))


def test_deadline_is_read_without_decoding() -> None:
    """The header says when the row is due, NEVER included, whatever follows it."""
    codec = Codec(Engine(rich_pack()).plan.slots)
    for due in (0, 1, 1_767_576_600_000, NEVER):
        assert due_of(codec.encode(Row(), due)[:13] + b"anything") == due


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x00\x00"])
def test_short_row_is_refused(raw: bytes) -> None:
    """Bytes that are no row are a StateError, not an accident."""
    codec = Codec(Engine(rich_pack()).plan.slots)

    with pytest.raises(StateError):
        due_of(raw)
    with pytest.raises(StateError):
        codec.decode(raw)


def test_row_of_another_version_is_refused_at_the_restore() -> None:
    """A version this engine does not know must not be guessed at, nor found out only when the customer comes back."""
    engine = Engine(rich_pack())
    raw = bytes([VERSION + 1]) + engine.codec.encode(Row(), NEVER)[1:]

    with pytest.raises(StateError, match=f"version {VERSION + 1}"):
        engine.codec.decode(raw)
    with pytest.raises(StateError, match=f"version {VERSION + 1}"):
        Partition(engine, 0).restore(b"C1", raw)


def test_row_of_another_shape_is_refused() -> None:
    """A feature that changed its kind under the same name cannot read what is there."""
    balances = Engine(pack({"dormancy": dormancy(after=[{"on": "txn.entry.posted"}])}, AUM))
    history = {"aum": {"kind": "histogram", "inputs": [{"on": "txn.entry.posted"}]}}
    histogram = Engine(pack({"dormancy": dormancy(after=[{"on": "txn.entry.posted"}])}, history))
    ((_, raw), _) = rows_of(balances, sequenced([posting(0, balance=5)]))

    with pytest.raises(StateError, match="does not fit this pack in slot f_aum"):
        histogram.codec.state(histogram.codec.decode(raw), "f_aum")


def test_pack_that_grew_reads_old_rows() -> None:
    """A new feature and a new rule begin empty; what was there is kept."""
    small = Engine(pack({"dormancy": dormancy()}))
    large = Engine(pack({"dormancy": dormancy(), "tier": tier()}, AUM))
    ((_, raw), _) = rows_of(small, sequenced([session(0)]))

    row = large.codec.decode(raw)

    assert [large.codec.state(row, name) for name in ("f_aum", "r_tier")] == [None, None]
    assert large.codec.state(row, "r_dormancy").open[""].at == 0


def test_pack_that_shrank_reads_old_rows() -> None:
    """A rule that is gone leaves no trace in the next writing of the row."""
    small = Engine(pack({"dormancy": dormancy()}))
    large = Engine(pack({"dormancy": dormancy(), "tier": tier()}, AUM))
    ((_, raw), _) = rows_of(large, sequenced([session(0), posting(0, balance=7, channel="ONLINE", id="E2")]))

    row = small.codec.decode(raw)

    assert b"r_tier" in raw
    assert b"r_tier" not in small.codec.encode(row, NEVER)


def test_customer_never_seen_takes_no_bytes() -> None:
    """Empty slots are not written."""
    codec = Codec(Engine(rich_pack()).plan.slots)

    assert len(codec.encode(Row(), NEVER)) <= 24


def test_state_of_another_pack_is_refused() -> None:
    """A ledger says whose state it is."""
    ledger = dict(rows_of(Engine(rich_pack()), sequenced([session(0)])))[LEDGER]
    other = Engine(pack({"dormancy": dormancy()}).model_copy(update={"spec": rich_pack(name="other").spec}))

    with pytest.raises(
        StateError, match=r"expected state of pack other, got .*: run pack .*, or start anew under another topic_prefix"
    ):
        Partition(other, 0).restore(LEDGER, ledger)


@pytest.mark.parametrize(("version", "remedy"), [(VERSION + 1, "run the newer Kairos"), (VERSION - 1, "start anew")])
def test_rows_of_another_codec_are_refused_with_what_to_do(version: int, remedy: str) -> None:
    """At the start: the header of every row is looked at while state is restored."""
    engine = Engine(rich_pack())
    key, value = next((key, value) for key, value in rows_of(engine, sequenced([session(0)])) if key != LEDGER)

    with pytest.raises(StateError, match=f"expected a row of codec version {VERSION}, got version {version}: {remedy}"):
        Partition(engine, 0).restore(key, bytes([version]) + value[1:])


def test_ledger_that_cannot_be_read_is_refused() -> None:
    """Not JSON, or not a ledger."""
    for raw in (b"", b"{", b"[]", b"{}"):
        with pytest.raises(StateError):
            Partition(Engine(rich_pack()), 0).restore(LEDGER, raw)
