"""The slow look at a payload: leave out what its type does not know, or say what is wrong.

Rule: the same answer whatever the stack, the process or the version of a library's wording.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stream.domain.events import Reject
from stream.domain.reasons import RejectCode
from stream.wire.envelope import RAW
from stream.wire.faults import Fault, fault
from stream.wire.nesting import DEEPEST, too_deep
from stream.wire.registry import Entry, Known


def typed(entry: Entry, value: bytes) -> tuple[Any, int] | Reject:
    """The payload and how many unknown fields were left out; or what is wrong with it."""
    try:
        value.decode()
        if too_deep(value):
            return Reject(RejectCode.NOT_JSON, "$.data", f"nested more than {DEEPEST} levels")
        plain = RAW.decode(value)
    except UnicodeDecodeError:
        return Reject(RejectCode.NOT_UTF8, "$.data", "expected UTF-8")
    except (msgspec.DecodeError, RecursionError):
        return Reject(RejectCode.NOT_JSON, "$.data", "expected JSON")
    kept, unknown = _strip(plain, entry.known)
    try:
        return entry.decoder.decode(msgspec.json.encode(kept) if unknown else value), unknown
    except msgspec.ValidationError as error:
        return Reject(*_described(error))


def _described(error: msgspec.ValidationError) -> Fault:
    return fault(str(error))


def _strip(value: Any, known: Known | None) -> tuple[Any, int]:
    """The value without the fields its type does not know, and their number (a nested unknown object counts once)."""
    if known is None or not isinstance(value, dict):
        return value, 0
    kept: dict[str, Any] = {}
    left_out = 0
    for name, inner in value.items():
        if name in known:
            kept[name], more = _strip(inner, known[name])
            left_out += more
        else:
            left_out += 1
    return kept, left_out
