"""Events read where they stand (`deploy/native/scan.pyx`) say what the Python reads, or are left to it.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.domain.events import Coordinates, Event, Headers, Order, Record
from stream.domain.native import scan
from stream.engine.engine import SOURCE, Engine, Entry
from stream.packs import loader
from stream.simulator import Bank
from stream.wire.lines import to_binary
from stream.wire.registry import REGISTRY
from tests.properties.test_wire_laws import HEADERS, VALUES, bent

pytestmark = pytest.mark.skipif(scan() is None, reason="the core is not compiled: make test-compiled")

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


def values(data: msgspec.Struct, path: str = "") -> Iterator[tuple[str, str]]:
    """What a payload says, as it stands in JSON, by path; of an object that it is there."""
    for name in data.__struct_fields__:
        value: Any = getattr(data, name)
        if isinstance(value, msgspec.Struct):
            yield path + name, ""
            yield from values(value, f"{path}{name}.")
        elif value is not None:
            yield path + name, str(value).lower() if isinstance(value, bool) else str(value)


def alike(quickly: Any, read: Callable[..., Entry], *about: Any) -> bool:
    """Whether it was scanned at all; fails when it was and the Python reads it otherwise."""
    if quickly is None:
        return False
    slowly = read(*about)
    event = slowly.item
    assert isinstance(event, Event)
    booked = REGISTRY[event.type].booked
    day: date | None = getattr(event.data, booked) if booked else None
    said = (slowly.canonical, event.subject, event.recorded, 0 if day is None else day.toordinal(), dict(values(event.data)))
    assert quickly.seen == said
    assert repr((quickly.record, quickly.where, quickly.source)) == repr((slowly.record, slowly.where, slowly.source))
    assert (quickly.canonical, quickly.subject) == (slowly.canonical, slowly.subject)
    assert repr(quickly.item) == repr(event)
    return True


def read_alike(headers: Headers, value: bytes | None) -> bool:
    """The same of a journal record."""
    record = Record(1, None, value, headers)
    return alike(ENGINE._quick(record), ENGINE._read, record)


def line_alike(line: bytes, where: Coordinates) -> bool:
    """The same of a line of a log."""
    about = Record(1, None, line), where, where.topic
    return alike(ENGINE._quick_line(*about), ENGINE._line, *about)


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
    for changed in (line, json.dumps(fields).encode(errors="surrogatepass")):
        line_alike(changed, where)


POSTED = (
    b'{"specversion":"1.0","id":"E1","source":"core","type":"txn.entry.posted.v1","subject":"C1",'
    b'"time":"2026-01-05T09:30:00Z","data":{"account_ref":"A1","amount":{"amount":"120.00","ccy":"CNY"},'
    b'"credit_debit_indicator":"CRDT","booking_date":"2026-01-05","counterparty":{"own_name":true}}}'
)
SCRAPS = st.sampled_from([b"", *(bytes([each]) for each in b' ,:{}["\\\n0-\xc3'), b"null", b"true", b"9" * 20, "户".encode()])


@given(st.integers(0, len(POSTED)), st.integers(0, 3), SCRAPS)
def test_a_damaged_line_is_read_alike(place: int, length: int, scrap: bytes) -> None:
    """A few bytes anywhere are gone, or are others: what is no JSON is never taken for an event."""
    where = Coordinates("log.jsonl", 0, 0, 17, 1799999999999, Order.SEQUENCED)
    line_alike(POSTED[:place] + scrap + POSTED[place + length :], where)


@pytest.mark.parametrize(
    ("change", "scanned"),
    [
        ((b'"A1"', '"账户一"'.encode()), True),
        ((b'"A1"', b'"' + b"a" * 128 + b'"'), True),
        ((b'"A1"', ('"' + "户" * 128 + '"').encode()), True),
        ((b'"A1"', ('"' + "户" * 129 + '"').encode()), False),
        ((b'"A1"', b'"\\u0041"'), False),
        ((b'"booking_date":"2026-01-05"', b'"booking_date":"2024-02-29"'), True),
        ((b'"booking_date":"2026-01-05"', b'"booking_date":"2026-02-29"'), False),
        ((b'"booking_date":"2026-01-05"', b'"booking_date":null'), True),
        ((b'"booking_date":"2026-01-05"', b'"booking_date":"1899-12-31"'), False),
        ((b'{"own_name":true}', b"{}"), True),
        ((b'{"own_name":true}', b'{"own_name":true,}'), False),
        ((b'"ccy":"CNY"', b'"ccy":"XTS"'), False),
        ((b'"120.00"', b'"120.001"'), False),
        ((b'"120.00"', b'"-120.00"'), False),
        ((b'"account_ref":"A1"', b'"account_ref":"A1","account_ref":"A2"'), False),
        ((b'"data":', b'"recordedtime":"2026-01-05T09:30:00Z", "x" : -12 ,\n"y":null,"data" : '), True),
        ((b'"id":"E1"', b'"id":"E1","sequence":"","kairosorigin":null'), True),
        ((b'"id":"E1"', b'"data":{},"id":"E1"'), False),
        ((b'"subject":"C1"', b'"subject":""'), False),
    ],
)
def test_what_is_scanned(change: tuple[bytes, bytes], scanned: bool) -> None:
    """At the edges of the ordinary; whatever is scanned says what the Python reads."""
    where = Coordinates("log.jsonl", 0, 0, 17, 1799999999999, Order.SEQUENCED)
    assert change[0] in POSTED
    assert line_alike(POSTED.replace(*change), where) == scanned


LEFT = (b"preference.changed", b"suppression.changed", b"ebank.channel.", b"chat.turn.scored")
"""Types with values that only the Python reads: lists, fractions, instants, what checks itself."""


def test_the_ordinary_event_is_scanned() -> None:
    """Every line of the simulated bank, in all forms, but those of a few types; were it none, the laws above would be empty."""
    every, source = list(Bank(20, 20, 1).events()), (SOURCE, b"in.txn|0|0|5|1799999999999|r")
    lines = [line for line in every if not any(kind in line for kind in LEFT)]
    where = Coordinates("log.jsonl", 0, 0, 17, 1799999999999, Order.SEQUENCED)

    assert len(lines) * 50 > len(every) * 49
    assert all(read_alike([*headers, source], value) for _, headers, value in map(to_binary, lines))
    assert all(read_alike([source], line) for line in lines)
    assert all(line_alike(line, where) for line in lines)


def test_data_may_come_before_its_type() -> None:
    """Some producers sort their attributes."""
    where = Coordinates("log.jsonl", 0, 0, 17, 1799999999999, Order.SEQUENCED)
    event = json.loads(POSTED)
    line = json.dumps(event, sort_keys=True).encode()

    assert line.index(b'"data"') < line.index(b'"type"')
    assert line_alike(line, where)
    assert not line_alike(line.replace(b'"CRDT"', b'"CRDT",'), where)
    assert not line_alike(line.replace(b'"CRDT"', b'"X"'), where)
