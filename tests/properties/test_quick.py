"""The loop in C that stamps source records (`deploy/native/quick.pyx`) does as the Python beside it, or leaves one to it.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.events import Order
from stream.domain.native import quick
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Mark
from stream.shell.kafka.stamping import END, SO_FAR, JournalRecord, Router, Stamper
from tests.properties.test_scan import TIMES

pytestmark = pytest.mark.skipif(quick() is None, reason="the core is not compiled: make test-compiled")


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
