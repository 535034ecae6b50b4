"""Kafka's batches in C (`deploy/native/batches.pyx`) are those of aiokafka, byte by byte and record by record.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import calc_crc32c
from hypothesis import example, given
from hypothesis import strategies as st

from stream.domain.native import batches
from stream.shell.kafka import lenient

NATIVE = batches()
pytestmark = pytest.mark.skipif(NATIVE is None, reason="the core is not compiled: make test-compiled")

CODECS = st.sampled_from([0, 1, 2, 3, 4])
CONTENTS = st.none() | st.binary(max_size=40) | st.integers(0, 20_000).map(bytes)
HEADERS = st.lists(st.tuples(st.text(max_size=12).filter(lambda text: text.isprintable()), CONTENTS), max_size=4)
RECORDS = st.lists(st.tuples(st.none() | st.binary(max_size=20), CONTENTS, HEADERS), min_size=1, max_size=12)
CHECKED, CRC, FIRST = 21, 17, 27
"""Places in a batch: where that begins of which there is a checksum, the checksum, the first timestamp."""


class Read(NamedTuple):
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Pure(lenient.Batches):
    """Over the library's reader in Python, which looks where the one in C trusts."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._batches = _MemoryRecordsPy(data)


Found = list[tuple[Any, ...]]


def found(batches: Any) -> Found:
    """All that the fetcher asks of what was fetched."""
    read: Found = []
    while batches.has_next():
        batch = batches.next_batch()
        read.append((batch.validate_crc(), batch.base_offset, batch.next_offset, batch.producer_id))
        read.append((batch.is_control_batch, batch.is_transactional))
        for record in batch:
            assert record.checksum is None
            read.append(Read(*(getattr(record, name) for name in Read._fields[:-1]), list(record.headers)))
    return read


def outcome(make: Any, data: bytes) -> Found | str:
    try:
        return found(make(data))
    except CorruptRecordException:
        return "corrupt"


def batch(records: Iterable[tuple[Any, ...]], codec: int, transactional: bool = False, at: int = 1767576600000) -> bytes:
    """As another client sends it, each record a second later than the one before."""
    made = DefaultRecordBatchBuilder(2, codec, transactional, 7, 1, 0, 1 << 30)
    for offset, (key, value, headers) in enumerate(records):
        made.append(offset, at + 1000 * offset, key, value, headers)
    return bytes(made.build())


@given(RECORDS, RECORDS, CODECS, st.booleans(), st.integers(0, 100))
def test_what_was_fetched_is_read_alike(
    some: list[tuple[Any, ...]], more: list[tuple[Any, ...]], codec: int, transactional: bool, cut: int
) -> None:
    """Two batches, the second perhaps cut off by the broker."""
    data = batch(some, codec) + batch(more, codec, transactional)
    data = data[: len(data) - cut]

    assert found(NATIVE.Batches(data)) == found(MemoryRecords(data))
    assert NATIVE.Batches(data).size_in_bytes() == len(data)


@given(RECORDS, st.integers(0, 1), st.sampled_from([b"", b"\x00" * 11, b"\x00" * 12, b"\xff" * 12]))
def test_what_older_clients_wrote_is_left_to_the_library(some: list[tuple[Any, ...]], magic: int, rest: bytes) -> None:
    made = LegacyRecordBatchBuilder(magic, 0, 1 << 30)
    for offset, (key, value, _) in enumerate(some):
        made.append(offset, timestamp=5, key=key, value=value)
    batches = NATIVE.Batches(bytes(made.build()) + rest)

    assert type(batches.next_batch()) is type(MemoryRecords(bytes(made.build())).next_batch())


@given(RECORDS, st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=3), st.booleans())
@example([(None, b"", [("\x7f", None)])], [(61 + 10, 0xFF)], True)
def test_a_damaged_batch_is_refused_by_both_or_by_neither(
    some: list[tuple[Any, ...]], changes: list[tuple[int, int]], repaired: bool
) -> None:
    """With the checksum of the damaged bytes, too: then only their structure can tell."""
    data = bytearray(batch(some, 0))
    for place, byte in changes:
        data[61 + place % (len(data) - 61)] = byte
    if repaired:
        struct.pack_into(">I", data, CRC, calc_crc32c(bytes(data[CHECKED:])))

    assert outcome(NATIVE.Batches, bytes(data)) == outcome(Pure, bytes(data))


@given(RECORDS, st.sampled_from([0, 2, 3, 4]), st.integers(100, 3_000), st.booleans())
def test_what_is_sent_is_the_same_to_the_byte(some: list[tuple[Any, ...]], codec: int, most: int, packed: bool) -> None:
    """Also with headers that were fetched before, and until the batch is full. (Not gzip: it writes down the time.)"""
    ours, theirs = NATIVE.Builder(most, codec), _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, most)
    began = struct.unpack_from(">q", NATIVE.Builder(most, codec)._build(), FIRST)[0]
    for place, (key, value, headers) in enumerate(some):
        kept = NATIVE.packed(headers) if packed else headers
        taken = ours.append(timestamp=None, key=key, value=value, headers=kept)
        assert (taken is None) == (theirs.append(place, began, key, value, headers) is None)
        assert ours.size() == theirs.size()
        assert ours.closed() == (taken is None)
        if taken is None:
            break
        assert ours.record_count() == place + 1
    ours._set_producer_state(9, 3, 12)
    theirs.set_producer_state(9, 3, 12)
    said, wanted = bytes(ours._build()), theirs.build()
    # the two were not begun at the same instant
    wanted[FIRST : FIRST + 16] = said[FIRST : FIRST + 16]
    struct.pack_into(">I", wanted, CRC, calc_crc32c(bytes(wanted[CHECKED:])))

    assert said == wanted
    assert ours._build() is ours._build()
    assert ours.append(timestamp=None, key=b"k", value=b"v", headers=[]) is None


@given(HEADERS)
def test_headers_are_what_they_were(headers: list[tuple[str, bytes | None]]) -> None:
    packed = NATIVE.packed(headers)

    assert list(packed) == headers
    assert packed == headers
    assert len(packed) == len(headers)
    assert repr(packed) == repr(headers)
    assert dict(packed) == dict(headers)


@pytest.mark.parametrize("header", [(b"name", b"content"), ("name", "content"), ("name", 5)])
def test_a_header_that_is_none_is_refused(header: Any) -> None:
    with pytest.raises(TypeError, match="expected a header of text and bytes"):
        NATIVE.packed([header])
