"""Batches of records whose headers are read whatever they are called.

Rule: a header's name that is no UTF-8 is read with backslash escapes and so means nothing to anybody. Kafka calls such a
name text, but its brokers do not look, nor do all clients; the reading client raises, and never gets past that record.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

LEAD = 12
"""Bytes of a batch before those that its length counts."""
MAGIC = 16
"""Place of the format's number; batches before format 2 have no headers."""


class Escaping(bytearray):
    """Bytes that become text whatever they are.

    >>> Escaping(b"caf\\xe9").decode(), Escaping(b"caf\\xe9")[:3].decode()
    ('caf\\\\xe9', 'caf')
    """

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Escaping(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """The text; what is none, escaped."""
        return super().decode(encoding, "backslashreplace")


class Batch:
    """The client's batch; only where it fails at a name the records from there on are read anew."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UnicodeDecodeError:
            yield from islice(self._escaped(), read, None)

    def _escaped(self) -> Any:
        batch: Any = _DefaultRecordBatchPy(self._data)
        batch._maybe_uncompress()
        batch._buffer = Escaping(batch._buffer)
        return batch


class Batches:
    """What one fetch brought of one partition: aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes) -> None:
        self._data, self._batches, self._at = data, MemoryRecords(data), 0

    def size_in_bytes(self) -> int:
        """Of all batches."""
        return int(self._batches.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:
        """The next whole batch; None after the last."""
        batch, start = self._batches.next_batch(), self._at
        if batch is None:
            return None
        self._at += LEAD + int.from_bytes(self._data[start + LEAD - 4 : start + LEAD], "big")
        return batch if self._data[start + MAGIC] < 2 else Batch(batch, memoryview(self._data)[start : self._at])
