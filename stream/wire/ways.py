"""The types as they are called on the wire, ready for the fast way in.

Rule: says nothing about a record that is not sound; that is for the slow way of `stream.wire.decode`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, reduce
from operator import or_
from typing import Any, NamedTuple

import msgspec

from stream.wire.envelope import Envelope
from stream.wire.inputs.common import Payload
from stream.wire.registry import REGISTRY, Entry, spoken


class Way(NamedTuple):
    """What the fast way in needs of a type that is supported.

    Attributes:
        checked: Its entry, if it has fields that must be looked at once more after decoding.
    """

    name: str
    decode: Callable[[bytes], Any]
    booked: str
    checked: Entry | None


class Words(NamedTuple):
    """The types by the words, with and without prefix, by which they may be called; those of the fast way also as bytes."""

    entries: dict[str, Entry]
    ways: dict[bytes, Way]
    structured: msgspec.json.Decoder[Any]
    by_struct: dict[type[Any], Way]


@cache
def words(prefix: str) -> Words:
    """The types under a prefix; remembered, for it holds nothing of any stream."""
    entries = {word: entry for name, entry in REGISTRY.items() for word in spoken(name, prefix)}
    ways = {word: _way(entry) for word, entry in entries.items() if entry.supported}
    structs = {_structured(word, entries[word].struct): way for word, way in ways.items()}
    return Words(
        entries=entries,
        ways={word.encode(): way for word, way in ways.items()},
        structured=msgspec.json.Decoder(reduce(or_, structs)),
        by_struct=structs,
    )


def _way(entry: Entry) -> Way:
    checked = entry.money or entry.dates or entry.instants
    return Way(entry.name, entry.decoder.decode, entry.booked, entry if checked else None)


def _structured(word: str, payload: type[Payload]) -> type[Any]:
    """The structured event of one type: by its `type` all of them are told apart while envelope and data are read at one go."""
    data = [("data", payload)]
    return msgspec.defstruct("Structured", data, bases=(Envelope,), tag_field="type", tag=word, kw_only=True, gc=False)
