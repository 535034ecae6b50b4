"""The loops in C (`deploy/native/quick.pyx`) answer as the Python beside them does, or leave the record to it.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.domain.events import Coordinates, Event, Headers, Order, Record
from stream.domain.native import quick
from stream.engine.engine import SOURCE, Engine
from stream.packs import loader
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Mark
from stream.shell.kafka.stamping import END, SO_FAR, JournalRecord, Router, Stamper
from stream.simulator import Bank
from stream.wire.decode import Decoder
from stream.wire.lines import to_binary
from tests.properties.test_wire_laws import HEADERS, VALUES, bent

pytestmark = pytest.mark.skipif(quick() is None, reason="the core is not compiled: make test-compiled")

ENGINE = Engine(loader.load("retail_bank"))
STAMPS = [
    b"in.txn|0|0|1187|1767576600000|w",
    b"in.txn|3|1|0|0|r",
    b"in.app|0|0|7|1767576600000|s",
    b"in.app|0|0|-1|1767576600000|w",
    b"in.app|0|0|123456789012345678901|1|w",
    b"a|b",
    b"",
]
TIMES = st.sampled_from(
    [
        b"2026-01-05T09:30:00.000+08:00",
        b"2026-01-05t01:30:00z",
        b"2024-02-29T23:59:59.9999999Z",
        b"2026-02-29T00:00:00Z",
        b"1970-01-01T00:00:00+00:01",
        b"2200-12-31T23:59:59.999Z",
        b"2201-01-01T00:00:00Z",
        b"2026-01-05T09:30:00.Z",
        b"2026-01-05T24:00:00Z",
        b"2026-01-05T09:30:00+24:00",
        b"2026-01-05 09:30:00Z",
        b"\xd9\xa22026-01-05T09:30:00Z",
    ]
) | st.datetimes().map(lambda moment: f"{moment.isoformat()}Z".encode())
CHANGES = st.dictionaries(
    st.sampled_from(["ce_subject", "ce_id", "ce_source", "ce_sequence", "ce_kairosorigin", "ce_specversion", "ce_type"]),
    st.sampled_from([b"", b"C1", "客户".encode(), b"\xff", b"a\x00b", b"x" * 300, b"1.0", b"txn.entry.posted.v1"]) | st.none(),
    max_size=2,
)


def read_alike(headers: Headers, value: bytes | None) -> bool:
    """Whether the quick way read it at all; fails when it did and the Python reads it otherwise."""
    record = Record(1, None, value, headers)
    quickly = ENGINE._quick(record)
    if quickly is None:
        return False
    slowly = ENGINE._read(record)
    assert repr(quickly) == repr(slowly)
    assert isinstance(slowly.item, Event)
    assert [type(each) for each in quickly] == [type(each) for each in slowly]
    return True


@given(HEADERS, VALUES, st.sampled_from(STAMPS))
@example([("ce_\udcff", b"1.0")], b"{}", STAMPS[0])
@example([("ce_type", b"txn.entry.posted.v1")], b"\xff", STAMPS[0])
def test_any_record_is_read_alike(headers: list[tuple[str, bytes]], value: bytes | None, stamp: bytes) -> None:
    read_alike([*headers, (SOURCE, stamp)], value)


@given(bent(), st.sampled_from(STAMPS), TIMES | st.none(), CHANGES)
def test_a_bent_event_is_read_alike(line: bytes, stamp: bytes, time: bytes | None, changes: dict[str, bytes | None]) -> None:
    """Its payload, its time or its attributes are out of the ordinary."""
    try:
        binary = to_binary(line)
    except ValueError:
        return
    _, headers, value = binary[:3]
    fields = {**dict(headers), **changes, **({} if time is None else {"ce_time": time}), SOURCE: stamp}
    read_alike(list(fields.items()), value)  # type: ignore[arg-type]
    structured = {name: text for name, text in changes.items() if name == "ce_kairosorigin"}
    read_alike([(SOURCE, stamp), *structured.items()], line)  # type: ignore[list-item]


@given(bent(), st.sampled_from([Order.WALL, Order.RECORDED, Order.SEQUENCED]), TIMES | st.none(), CHANGES)
def test_a_line_is_read_alike(line: bytes, order: Order, time: bytes | None, changes: dict[str, bytes | None]) -> None:
    """A structured event, as it stands in a log."""
    where = Coordinates("in.txn", 1, 0, 17, 1767576600000, order)
    try:
        fields = json.loads(line)
        fields |= {name.removeprefix("ce_"): text.decode() for name, text in changes.items() if text is not None}
        fields |= {} if time is None else {"time": time.decode()}
    except UnicodeDecodeError:
        return
    quickly, slowly = Decoder(), Decoder()
    slowly._quick = lambda *_: None
    for changed in (line, json.dumps(fields).encode(errors="surrogatepass")):
        assert repr(quickly.from_json(changed, where)) == repr(slowly.from_json(changed, where))


def test_the_ordinary_line_is_read_quickly() -> None:
    decoder, where = Decoder(), Coordinates("log.jsonl", 0, 0, 17, 1799999999999, Order.SEQUENCED)
    decoder._event = None  # type: ignore[assignment, method-assign]

    assert all(isinstance(decoder.from_json(line, where), Event) for line in Bank(20, 20, 1).events())


def test_the_ordinary_record_is_read_quickly() -> None:
    """Every line of the simulated bank, in both forms; were it none, the laws above would hold by themselves."""
    lines, source = list(Bank(20, 20, 1).events()), (SOURCE, b"in.txn|0|0|5|1799999999999|r")

    assert lines
    assert all(read_alike([*headers, source], value) for _, headers, value in map(to_binary, lines))
    assert all(read_alike([source], line) for line in lines)


class Consumed(NamedTuple):
    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int = 1767576600000
    key: bytes | None = None


SUBJECTS = st.sampled_from([b"C1", b"C2", "客户".encode(), b""])
EXTRAS = st.sampled_from(
    [
        ("x", b"1"),
        ("a\0", b""),
        (END, b"1767576600000"),
        (SO_FAR, b"5"),
        ("kairos_src", b"forged"),
        ("kairos_tick", b"{}"),
    ]
)
RECORDS = st.builds(
    lambda subject, time, version, extra, value: Consumed(
        0,
        value,
        (
            *((("ce_specversion", b"1.0"),) if version else ()),
            ("ce_subject", subject),
            *((("ce_recordedtime", time),) if time else ()),
            *extra,
        ),
    ),
    SUBJECTS,
    TIMES | st.none(),
    st.integers(0, 9).map(bool),
    st.lists(EXTRAS, max_size=1),
    st.sampled_from([b'{"subject":"C3","recordedtime":"2026-01-05T09:30:00Z"}', None]),
)


@given(st.lists(RECORDS, max_size=12), st.sampled_from([Order.WALL, Order.RECORDED]), st.integers(0, 12))
def test_records_are_stamped_alike(records: list[Consumed], order: Order, cut: int) -> None:
    """Also when they come in two parts, with a router that has met some of the subjects."""
    numbered = [record._replace(offset=offset) for offset, record in enumerate(records)]
    source = SourceTopic("in.txn", "in.txn", order=order)
    router, outcomes = Router(2), []
    for slowly in (True, False):
        into: dict[int, list[JournalRecord]] = {}
        stamper = Stamper(source, 0, router, Mark(None, False))
        if slowly:
            stamper._quick = None
        for part in (numbered[:cut], numbered[cut:]):
            stamper.stamp(part, into)
        outcomes.append((into, stamper.mark))

    assert outcomes[0] == outcomes[1]
