"""Words to bytes: figures, envelopes and dead letters, always the same bytes for the same decision.

Rule: fixed field order, no clock, no randomness. An id is derived from what the trigger says, never from when we said it.
"""

from __future__ import annotations

import hashlib
import uuid
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec
import orjson

from stream.domain import days, money
from stream.domain import triggers as said
from stream.domain.events import Coordinates, Headers, Reject
from stream.wire.inputs.common import Money
from stream.wire.outputs import SUPPRESSED, TRIGGERS, DeadLetter, Fault, Figure, Part
from stream.wire.registry import MAJOR

NAMESPACE = uuid.UUID("6b9c1d0e-3a44-5d6f-9b7a-6b6169726f73")
"""Of all trigger ids. Never changes: an id must be the same in every version."""
SCHEMA_BASE = "urn:kairos:schema:"
ERRORS = "__kairos.errors."
Mode = Literal["live", "replay"]
_REMEMBERED = 4096
_encode = msgspec.json.Encoder().encode
_BEGUN = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
"""What every UUIDv5 of ours begins with: it is a hash of the namespace and then of the name."""
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

stamp = lru_cache(_REMEMBERED)(days.stamp)
"""`days.stamp`, remembered: one output says the same instant several times."""


def trigger_id(kind: str, subject: str, episode_key: str) -> str:
    """UUIDv5 of what makes a trigger this one and no other (CAPABILITIES 2.1).

    >>> trigger_id("tier.upgraded", "C1", "50000|2026-01-05")
    '6d505b2e-439c-550e-96a0-a128231edca9'
    """
    hasher = _BEGUN.copy()
    hasher.update(f"{kind}\x1f{subject}\x1f{episode_key}".encode())
    text = hasher.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def suppressed_id(trigger: str, subject: str, rule: str, at: int, causes: Iterable[str]) -> str:
    """The id of a suppression: a trigger may be proposed again later, by another rule, or by other records of one instant.

    Args:
        at: Instant of the candidate, UTC ms.
        causes: Where the records came from that led to it, the one that completed it last. All count: one record may complete
            what two of one instant began.
    """
    return trigger_id(SUPPRESSED, subject, "\x1f".join((trigger, rule, str(at), *causes)))


def details_value(value: said.Value, ccy: str) -> Figure:
    """A figure as it stands on the wire.

    >>> details_value(said.Money(-5), "CNY"), details_value(said.Share(250_000), "CNY")
    (Money(amount='-0.05', ccy='CNY'), '0.25')
    """
    if isinstance(value, said.Money):
        return _amount(value.minor, ccy)
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, said.Date):
        return days.text(value.day)
    if isinstance(value, said.Instant):
        return stamp(value.at)
    return share(value.ppm)


@lru_cache(_REMEMBERED)
def _amount(minor: int, ccy: str) -> Money:
    """Remembered: what a condition compared is mostly shown as a detail too, and its threshold is the pack's."""
    return Money(amount=money.plain(minor, money.exponent(ccy)), ccy=ccy)


def share(ppm: int) -> str:
    """Decimal text of parts per million, without trailing zeros.

    >>> share(1_000_000), share(-1500), share(0)
    ('1', '-0.0015', '0')
    """
    whole, rest = divmod(abs(ppm), 1_000_000)
    fraction = f"{rest:06d}".rstrip("0")
    return f"{'-' if ppm < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


def details(kind: str, facts: Mapping[str, said.Value], ccy: str) -> Part:
    """The details of a trigger type out of a signal's facts; facts the type does not know serve the texts only.

    Raises KeyError when a field has no fact: a fault of the mechanism, not of the input. A fact may be None.
    """
    struct = TRIGGERS[kind]
    return struct(**{name: details_value(facts[name], ccy) for name in struct.__struct_fields__})


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What an output says about itself.

    Attributes:
        type: Without prefix and version.
        at: Event time, UTC ms.
        episode: Id of the episode, the correlation.
        cause: Source coordinates of the first cause, the causation.
        expires: UTC ms; None when it does not.
    """

    id: str
    type: str
    subject: str
    at: int
    episode: str
    cause: str
    expires: int | None = None


_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", b"application/json")


class Writer:
    """Writes the envelopes of outputs.

    Args:
        prefix: Reverse-DNS prefix of the types written; may be empty.
        source: The `source` attribute: who decided.
        mode: Live or replay; an attribute only.
    """

    def __init__(self, prefix: str = "", source: str = "kairos", mode: Mode = "live") -> None:
        self._prefix = f"{prefix.rstrip('.')}." if prefix else ""
        self._source = ("ce_source", source.encode())
        self._mode = ("ce_kairosmode", mode.encode())
        self._kinds: dict[str, tuple[tuple[str, bytes], tuple[str, bytes]]] = {}

    def headers(self, about: Envelope) -> list[tuple[str, bytes]]:
        """Kafka binary mode, the attributes in their fixed order; the value is the data."""
        kind, schema = self._kinds.get(about.type) or self._kind(about.type)
        subject = about.subject.encode()
        found = [
            _SPECVERSION,
            ("ce_id", about.id.encode()),
            self._source,
            kind,
            ("ce_subject", subject),
            ("ce_time", stamp(about.at).encode()),
            schema,
            ("ce_partitionkey", subject),
            ("ce_correlationid", about.episode.encode()),
            ("ce_causationid", about.cause.encode()),
        ]
        if about.expires is not None:
            found.append(("ce_expirytime", stamp(about.expires).encode()))
        found += (self._mode, _CONTENT_TYPE)
        return found

    def _kind(self, name: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
        """What the outputs of a type have in common; remembered, for the types are few."""
        kind = ("ce_type", f"{self._prefix}{name}{MAJOR}".encode())
        found = self._kinds[name] = (kind, ("ce_dataschema", dataschema(name).encode()))
        return found

    def structured(self, about: Envelope, data: bytes) -> bytes:
        """One line of a file, without its line end."""
        attributes = {name.removeprefix("ce_"): text.decode() for name, text in self.headers(about)[:-1]}
        return b'%b,"datacontenttype":"application/json","data":%b}' % (orjson.dumps(attributes)[:-1], data)


def dataschema(kind: str) -> str:
    """Where the schema of an output type is found.

    >>> dataschema("tier.upgraded")
    'urn:kairos:schema:triggers/tier.upgraded.v1.json'
    """
    return f"{SCHEMA_BASE}triggers/{kind}{MAJOR}.json"


def payload(data: Any) -> bytes:
    """The bytes of a `Trigger` or `Suppressed`."""
    return _encode(data)


def dead_headers(headers: Headers, why: Reject, stage: str, where: Coordinates | None) -> list[tuple[str, bytes]]:
    """The headers of a dead letter: the original ones untouched, then why and where it came from."""
    words = {"code": why.code.value, "path": why.path, "text": why.text, "stage": stage}
    if where is not None:
        words |= {"topic": where.topic, "partition": str(where.partition), "offset": str(where.offset)}
        words["timestamp"] = str(where.recorded)
    return [*headers, *((ERRORS + name, text.encode()) for name, text in words.items())]


def dead_line(key: bytes | None, headers: Headers, value: bytes | None, why: Reject, stage: str, origin: str) -> bytes:
    """One line of a dead-letter file, without its line end."""
    return _encode(
        DeadLetter(
            error=Fault(code=why.code.value, path=why.path, text=why.text, stage=stage),
            origin=origin,
            headers=tuple((name, _b64(content)) for name, content in headers),
            key=_b64(key),
            value=_b64(value),
        )
    )


def _b64(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()
