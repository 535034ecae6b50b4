"""Records are read whatever their headers are called: `lenient.Batches`, and `Batches` in C where it is compiled."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given
from hypothesis import strategies as st

from stream.domain.native import batches
from stream.shell.kafka.lenient import Batches
from tests.rig.headers import Name

NATIVE = batches()
READERS = pytest.mark.parametrize("reader", [Batches] if NATIVE is None else [Batches, NATIVE.Batches])
CODECS = st.sampled_from([0, 1, 2, 3, 4])
NAMES = st.text(max_size=8).map(str.encode) | st.binary(max_size=8)
RECORDS = st.lists(st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=8)), max_size=3), min_size=1, max_size=8)
"""By record: names and contents of its headers."""
LATIN = [[(b"ce_id", b"1")], [("café".encode("latin-1"), b"x"), (b"ce_id", b"2")], [(b"ce_id", b"3")]]
Headers = list[tuple[bytes, bytes | None]]


def batch(records: list[Headers], codec: int, transactional: bool = False) -> bytes:
    made = _DefaultRecordBatchBuilderPy(2, codec, transactional, 7, 1, 0, 1 << 20)
    for offset, headers in enumerate(records):
        made.append(offset, 5 + offset, b"key", b"value %d" % offset, [(Name(name), content) for name, content in headers])
    return bytes(made.build())


def escaped(records: list[Headers]) -> list[Headers]:
    """The same with names that are text."""
    return [[(name.decode(errors="backslashreplace").encode(), content) for name, content in each] for each in records]


def read(batches: Any) -> list[tuple[Any, ...]]:
    """All that the fetcher asks of what was fetched."""
    found: list[tuple[Any, ...]] = []
    while batches.has_next():
        one = batches.next_batch()
        found.append((one.validate_crc(), one.base_offset, one.next_offset, one.producer_id, one.is_transactional))
        found += [(each.offset, each.timestamp, each.key, each.value, list(each.headers)) for each in one]
    return found


@READERS
@given(some=RECORDS, more=RECORDS, codec=CODECS, cut=st.integers(0, 60))
@example(some=LATIN, more=LATIN, codec=3, cut=0)
def test_every_record_is_read_and_only_names_are_escaped(
    reader: Any, some: list[Headers], more: list[Headers], codec: int, cut: int
) -> None:
    """Twin: the client's own reading of the same records, their names escaped beforehand; the second batch may be cut off."""
    data = batch(some, codec) + batch(more, codec, transactional=True)
    data = data[: len(data) - cut]
    wanted = read(MemoryRecords(batch(escaped(some), codec)))
    if not cut:
        wanted += read(MemoryRecords(batch(escaped(more), codec, transactional=True)))

    assert read(reader(data)) == wanted
    assert reader(data).size_in_bytes() == len(data)


@READERS
def test_what_older_clients_wrote_is_left_to_the_client(reader: Any) -> None:
    """There is no header in it."""
    made = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    made.append(0, timestamp=5, key=b"key", value=b"value")
    found = reader(bytes(made.build()))

    assert [record.value for record in found.next_batch()] == [b"value"]
    assert found.next_batch() is None
