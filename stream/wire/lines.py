"""A Kafka record as one line of a log, and back.

Rule: exact. `from_line(to_line(...))` gives back every byte; a record that reads well as a structured CloudEvent is
written as one, any other in a wrapper of base64. A line that others wrote and that is no usable event is handed on
whole, so that it meets the same judgement in the engine as it would have met in a file.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import orjson

from stream.domain.events import Headers
from stream.wire.envelope import PARTS, RAW

RAW_MARK = b'{"kairosraw"'
EXTRAS = ("kairossource", "kairosjournal", "kairostick")
"""What `record` adds about a journal record: the ``kairos_src`` text, ``partition/offset``, a tick's JSON."""
CONTENT_TYPE = ("content-type", b"application/json")
_KEY = "kairoskey"
"""Written only when the Kafka key is not the subject: its text, or null for no key."""
_NAME = re.compile("[a-z0-9]{1,64}", re.ASCII)
_OURS = frozenset({*EXTRAS, _KEY, "kairosraw", "data", "datacontenttype"})
_CORE = frozenset({"specversion", "id", "source", "type", "subject", "time", "sequence", "recordedtime"})
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
_NO_LINE_OF_OURS = (*_UNREADABLE, binascii.Error, KeyError, TypeError)


class Line(NamedTuple):
    """What a line held: the parts of a record, and the attributes of `EXTRAS` that stood beside them."""

    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None
    extra: dict[str, str]


def to_line(key: bytes | None, headers: Headers, value: bytes | None, extra: Mapping[str, str] | None = None) -> bytes:
    """One line, without its line end. ``extra`` may hold names of `EXTRAS` only.

    >>> head = [("ce_specversion", b"1.0"), ("ce_subject", b"C1")]
    >>> to_line(b"C1", head, b'{"a":1}', {"kairosjournal": "0/7"})
    b'{"specversion":"1.0","subject":"C1","kairosjournal":"0/7","data":{"a":1}}'
    """
    added = dict(extra or {})
    if not added.keys() <= set(EXTRAS):
        raise ValueError(f"expected names of {EXTRAS}")
    parts = _spliced(key, headers, value)
    if parts is None:
        parts = [b'"kairosraw":' + _wrapped(key, headers, value)]
        value = None
    parts += [_pair(name, text) for name, text in added.items()]
    if value is not None:
        parts.append(b'"data":' + value)
    return b"{" + b",".join(parts) + b"}"


def _pair(name: str, text: str | None) -> bytes:
    return b'"%b":%b' % (name.encode(), orjson.dumps(text))


def _spliced(key: bytes | None, headers: Headers, value: bytes | None) -> list[bytes] | None:
    """The attributes of a record that is a binary CloudEvent on one line; None when splicing would lose anything."""
    if value is None or not _one_line(value):
        return None
    seen: dict[str, str] = {}
    for header, content in headers:
        name = "datacontenttype" if header == CONTENT_TYPE[0] else _attribute(header)
        text = _text(content)
        if name is None or text is None or name in seen:
            return None
        seen[name] = text
    if "specversion" not in seen:
        return None
    parts = [_pair(name, text) for name, text in seen.items()]
    subject = seen.get("subject")
    if key != (None if subject is None else subject.encode()):
        text = _text(key)
        if text is None and key is not None:
            return None
        parts.append(_pair(_KEY, text))
    return parts


def _attribute(header: str) -> str | None:
    name = header.removeprefix("ce_")
    return name if header != name and _NAME.fullmatch(name) and name not in _OURS else None


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def _one_line(value: bytes) -> bool:
    if not value or b"\n" in value or b"\r" in value or value != value.strip(b" \t"):
        return False
    try:
        value.decode()
        RAW.decode(value)
    except _UNREADABLE:
        return False
    return True


def _wrapped(key: bytes | None, headers: Headers, value: bytes | None) -> bytes:
    return orjson.dumps(
        {"key": _b64(key), "headers": [[name, _b64(content)] for name, content in headers], "value": _b64(value)}
    )


def _b64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def from_line(line: bytes) -> Line:
    """The inverse of `to_line`; for a line that it did not write, see `to_binary`. Never raises."""
    try:
        parts = PARTS.decode(line)
        line.decode()
        if "kairosraw" in parts:
            return _unwrapped(parts)
        spliced = _attributes(parts)
    except _NO_LINE_OF_OURS:
        spliced = None
    return spliced or Line(None, [], line, {})


def _unwrapped(parts: dict[str, msgspec.Raw]) -> Line:
    raw = RAW.decode(parts["kairosraw"])
    headers = [(_string(name), _bytes(content)) for name, content in raw["headers"]]
    extra = {name: _string(RAW.decode(parts[name])) for name in EXTRAS if name in parts}
    return Line(_bytes(raw["key"]), headers, _bytes(raw["value"]), extra)  # type: ignore[arg-type]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("expected string")
    return value


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)


def _attributes(parts: dict[str, msgspec.Raw]) -> Line | None:
    """Headers of a structured event; None when it is no usable envelope."""
    headers: list[tuple[str, bytes]] = []
    extra: dict[str, str] = {}
    for name, raw in parts.items():
        if name in ("data", _KEY):
            continue
        text = _plain(RAW.decode(raw), name in _CORE)
        if text is None or not _NAME.fullmatch(name):
            return None
        if name in EXTRAS:
            extra[name] = text
        elif name == "datacontenttype":
            headers.append((CONTENT_TYPE[0], text.encode()))
        else:
            headers.append((f"ce_{name}", text.encode()))
    named = dict(headers)
    if "ce_specversion" not in named:
        return None
    key = named.get("ce_subject")
    if _KEY in parts:
        given = RAW.decode(parts[_KEY])
        key = None if given is None else _string(given).encode()
    return Line(key, headers, bytes(parts["data"]) if "data" in parts else None, extra)


def _plain(value: Any, core: bool) -> str | None:
    """A CloudEvents value as text: integers and booleans have a canonical form, but never for a core attribute."""
    if isinstance(value, str):
        return value
    if core or not isinstance(value, int):
        return None
    return str(value).lower()


def to_binary(line: bytes) -> tuple[bytes | None, list[tuple[str, bytes]], bytes | None]:
    """A log line as `publish` sends it: Kafka binary mode, keyed by subject. An unusable line is sent whole, unkeyed."""
    key, headers, value, _ = from_line(line)
    named = {name for name, _ in headers}
    if "ce_specversion" in named and CONTENT_TYPE[0] not in named:
        headers.append(CONTENT_TYPE)
    return key, headers, value


def texts(line: bytes) -> dict[str, str]:
    """The headers of a line as a person reads them; one without content is empty."""
    return {name: (content or b"").decode(errors="replace") for name, content in from_line(line).headers}


class Stamps(msgspec.Struct, gc=False, frozen=True):
    """What a replay asks of a line before it can decode it; None where absent."""

    kairossource: str | None = None
    kairosjournal: str | None = None
    kairostick: str | None = None
    recordedtime: str | None = None
    time: str | None = None


_STAMPS = msgspec.json.Decoder(Stamps)


def stamps(line: bytes) -> Stamps:
    """The stamps of a line; all None for a line that cannot be read. Never raises."""
    try:
        seen = _STAMPS.decode(line)
    except _UNREADABLE:
        return Stamps()
    if not line.startswith(RAW_MARK):
        return seen
    unwrapped = from_line(line)
    named = dict(unwrapped.headers)
    time, recorded = (_text(named.get(name)) for name in ("ce_time", "ce_recordedtime"))
    if named.get("ce_specversion") is None and (inner := _inside(unwrapped.value)) is not None:
        time, recorded = inner.time, inner.recordedtime or recorded
    return msgspec.structs.replace(seen, recordedtime=recorded, time=time)


def _inside(value: bytes | None) -> Stamps | None:
    """The stamps of a structured event that a raw line holds."""
    try:
        return _STAMPS.decode(value or b"")
    except _UNREADABLE:
        return None
