"""The loop in C that stamps source records (`deploy/native/stamped.pyx`) does as the Python beside it, or leaves one to it.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.events import Order
from stream.domain.native import batches, stamped
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Mark
from stream.shell.kafka.stamping import END, SO_FAR, JournalRecord, Router, Stamper
from tests.properties.test_scan import TIMES

pytestmark = pytest.mark.skipif(stamped() is None, reason="the core is not compiled: make test-compiled")


class Consumed(NamedTuple):
    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int = 1767576600000
    key: bytes | None = None


SUBJECTS = st.sampled_from([b"C1", b"C2", "客户".encode(), b"", b"C0000001", b"x" * 512, b"x" * 513]) | st.binary(max_size=9)
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
PLAIN = ("null", "true", "0", "-12", "1.5", "1e9", '"C7"', '"\\u0043"', '""', '"客户"', "{}", "[]", " { } ", "[1 , 2]")
BAD = ("", "nul", "01", "-", "{", "[1,]", '{"a":1,}', '{"a" 1}', "{a:1}", '"\n"', "tru", "{]", '"x', "1 2")
NESTED = ('{"subject":"C9"}', '[{"a":[[]]}]', "[" * 17 + "]" * 17, "[" * 501 + "]" * 501)
THINGS = st.sampled_from([*PLAIN, *PLAIN, *BAD, *NESTED])
NAMES = st.sampled_from(["subject", "subject", "recordedtime", "data", "id", "sub\\u006aect", "x"])
PAIRS = (
    st.tuples(NAMES, THINGS)
    | st.tuples(st.just("subject"), st.sampled_from(['"C1"', '"C2"', '"客户"', '"\\ud83d\\ude00"']))
    | st.tuples(st.just("recordedtime"), TIMES.map(lambda text: f'"{text.decode()}"'))
)


def table(pairs: list[tuple[str, str]], blank: str, after: str) -> bytes:
    """Names and values as JSON, with these blanks, and what stands behind it."""
    inner = ",".join(f'"{name}"{blank}:{blank}{thing}' for name, thing in pairs)
    return f"{{{blank}{inner}}}{after}".encode()


TEXTS = st.builds(
    table, st.lists(PAIRS, max_size=5), st.sampled_from(["", " ", "\n\t"]), st.sampled_from(["", "", "", " ", "x", ","])
)
"""Structured events as ingest meets them, many of them none."""
RECORDS = st.builds(
    lambda subject, time, version, extra, value: Consumed(
        0,
        value,
        (
            *((("ce_specversion", b"1.0"), ("ce_subject", subject)) if version else ()),
            *((("ce_recordedtime", time),) if time else ()),
            *extra,
        ),
    ),
    SUBJECTS,
    TIMES | st.none(),
    st.booleans(),
    st.lists(EXTRAS, max_size=1),
    TEXTS | st.sampled_from([b'{"subject":"C3","recordedtime":"2026-01-05T09:30:00Z"}', None, b"", b'{"subject":"C\xff"}']),
)


MARKS = st.builds(Mark, st.none() | st.sampled_from([0, 1767576600000, 2**45]), st.booleans())


@given(
    st.lists(RECORDS, max_size=12),
    st.sampled_from([Order.WALL, Order.RECORDED]),
    st.integers(0, 12),
    MARKS,
    st.sampled_from([1, 2, 7, 1000]),
    st.booleans(),
)
def test_records_are_stamped_alike(
    records: list[Consumed], order: Order, cut: int, mark: Mark, partitions: int, fetched: bool
) -> None:
    """Also when they come in two parts, after others, and with headers as a fetch brings them."""
    numbered = [record._replace(offset=offset) for offset, record in enumerate(records)]
    if fetched:
        numbered = [record._replace(headers=batches().packed(list(record.headers))) for record in numbered]
    source, outcomes = SourceTopic("in.txn", "in.txn", order=order), []
    for slowly in (True, False):
        into: dict[int, list[JournalRecord]] = {}
        stamper = Stamper(source, 0, Router(partitions), mark)
        if slowly:
            stamper._quick = None
        for part in (numbered[:cut], numbered[cut:]):
            stamper.stamp(part, into)
        plain = {number: [(key, value, list(headers)) for key, value, headers in some] for number, some in into.items()}
        outcomes.append((plain, stamper.mark))

    assert outcomes[0] == outcomes[1]


def test_an_ordinary_record_is_stamped_in_c() -> None:
    """Its attributes as headers, or all of it in its text."""
    text = b'{"specversion":"1.0","subject":"C1","data":{"amount":{"amount":"5.00","ccy":"CNY"}}}'
    some = [Consumed(7, b"{}", (("ce_specversion", b"1.0"), ("ce_subject", b"C1"))), Consumed(8, text, ())]
    into: dict[int, list[JournalRecord]] = {}

    assert stamped().stamped(some, 0, b"in.txn|0|0|", False, None, 1, into) == (2, None)
    assert [(key, dict(headers)["kairos_src"]) for key, _, headers in into[0]] == [
        (b"C1", b"in.txn|0|0|7|1767576600000|w"),
        (b"C1", b"in.txn|0|0|8|1767576600000|w"),
    ]
