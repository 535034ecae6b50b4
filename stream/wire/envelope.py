"""The CloudEvents envelope: which attributes we read, from headers and from JSON.

Rule: reads, judges nothing but form; all other extension attributes are passed over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from stream.domain.events import Reject
from stream.domain.reasons import RejectCode


class Envelope(msgspec.Struct, kw_only=True, gc=False):
    """A structured event, when all is in order; its `type` says what `data` it has (see `stream.wire.ways`)."""

    specversion: str
    id: str
    source: str
    subject: str
    time: str
    sequence: str = ""
    kairosorigin: str | None = None


class Attributes(NamedTuple):
    """The attributes we read; None where absent."""

    specversion: str | None
    id: str | None
    source: str | None
    type: str | None
    subject: str | None
    time: str | None
    sequence: str | None
    origin: bytes | str | None


RAW: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_READ = ("specversion", "id", "source", "type", "subject", "time", "sequence")


def attributes(fields: dict[str, bytes]) -> Attributes | Reject:
    """The attributes in ``ce_`` headers; a header without value is absent."""
    texts: list[Any] = []
    for name in _READ:
        value = fields.get(f"ce_{name}")
        try:
            texts.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            return Reject(RejectCode.NOT_UTF8, f"$.{name}", "expected UTF-8")
    texts.append(fields.get("ce_kairosorigin"))
    return Attributes(*texts)


def loose(line: bytes) -> tuple[Attributes | Reject, bytes | None] | Reject:
    """Attributes and data bytes of a structured event that is at least a JSON object; JSON null is absent."""
    try:
        line.decode()
        parts = PARTS.decode(line)
    except UnicodeDecodeError:
        return Reject(RejectCode.NOT_UTF8, "$", "expected UTF-8")
    except msgspec.ValidationError:
        return _no_object(line)
    except (msgspec.DecodeError, RecursionError):
        return Reject(RejectCode.NOT_JSON, "$", "expected JSON")
    data = bytes(parts["data"]) if "data" in parts else None
    return _texts(parts), data


def _no_object(line: bytes) -> Reject:
    try:
        RAW.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return Reject(RejectCode.NOT_JSON, "$", "expected JSON")
    return Reject(RejectCode.NOT_CLOUDEVENT, "$", "expected an object")


def _texts(parts: dict[str, msgspec.Raw]) -> Attributes | Reject:
    texts: list[str | None] = []
    for name in (*_READ, "kairosorigin"):
        try:
            value = RAW.decode(parts[name]) if name in parts else None
        except (msgspec.DecodeError, RecursionError):
            return Reject(RejectCode.NOT_JSON, f"$.{name}", "expected JSON")
        if value is not None and not isinstance(value, str):
            if name == "specversion":
                return Reject(RejectCode.NOT_CLOUDEVENT, "$.specversion", "expected specversion 1.0")
            if name != "kairosorigin":
                return Reject(RejectCode.WRONG_TYPE, f"$.{name}", "expected string")
            value = None
        texts.append(value)
    return Attributes(*texts)
