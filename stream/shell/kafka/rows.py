"""Customer rows by their size, as the state topic holds them: who grows without end, without saying who.

Rule: reads what is committed; only lengths are kept, so a state of any size can be looked through.
"""

from __future__ import annotations

import hashlib
from heapq import nlargest
from typing import NamedTuple

from stream.engine.partition import LEDGER
from stream.shell.kafka import record
from stream.shell.kafka.topics import STATE
from stream.shell.settings import Settings


class Sized(NamedTuple):
    """A customer's row, largest last in order of comparison.

    Attributes:
        size: Bytes.
        key: The customer: personal data.
    """

    size: int
    partition: int
    key: bytes


def largest(settings: Settings, most: int) -> list[Sized]:
    """So many rows, the largest first. Raises ConfigError when there is no state topic."""
    name, found = settings.topic(STATE), list[Sized]()
    with record.consumer(settings) as reader:
        for partition in range(record.partitions(reader, name)):
            first, end = record.bounds(reader, name, partition, record.Range())
            sizes: dict[bytes, int] = {}
            for message in record.messages(reader, name, partition, first, end):
                sizes[message.key() or b""] = len(message.value() or b"")
            sizes.pop(LEDGER, None)
            found = nlargest(most, [*found, *(Sized(size, partition, key) for key, size in sizes.items())])
    return found


def key_hash(key: bytes) -> str:
    """Says which customer without saying who: the first half of the key's SHA-256, in hexadecimal digits.

    >>> key_hash(b"C0000001")
    '08ff16851f5a78c24b06f50d9f87a396'
    """
    return hashlib.sha256(key).hexdigest()[:32]
