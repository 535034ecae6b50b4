"""Words to bytes: figures, envelopes and dead letters, always the same bytes for the same decision.

Rule: fixed field order, no clock, no randomness. An id is derived from what the trigger says, never from when we said it.
"""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

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
_encode = msgspec.json.Encoder().encode


def trigger_id(kind: str, subject: str, episode_key: str) -> str:
    """UUIDv5 of what makes a trigger this one and no other (CAPABILITIES 2.1).

    >>> trigger_id("tier.upgraded", "C1", "50000|2026-01-05")
    '6d505b2e-439c-550e-96a0-a128231edca9'
    """
    return str(uuid.uuid5(NAMESPACE, f"{kind}\x1f{subject}\x1f{episode_key}"))


def suppressed_id(trigger: str, subject: str, rule: str, at: int, cause: str) -> str:
    """The id of a suppression: a trigger may be proposed again later, by another rule, or by another record of one instant.

    Args:
        at: Instant of the candidate, UTC ms.
        cause: Where the record came from that completed it.
    """
    return trigger_id(SUPPRESSED, subject, f"{trigger}\x1f{rule}\x1f{at}\x1f{cause}")


def details_value(value: said.Value, ccy: str) -> Figure:
    """A figure as it stands on the wire.

    >>> details_value(said.Money(-5), "CNY"), details_value(said.Share(250_000), "CNY")
    (Money(amount='-0.05', ccy='CNY'), '0.25')
    """
    match value:
        case said.Money(minor):
            return Money(amount=money.plain(minor, money.exponent(ccy)), ccy=ccy)
        case said.Date(day):
            return days.text(day)
        case said.Instant(at):
            return days.stamp(at)
        case said.Share(ppm):
            return share(ppm)
    return value


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


class Envelope(NamedTuple):
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


class Writer:
    """Writes the envelopes of outputs.

    Args:
        prefix: Reverse-DNS prefix of the types written; may be empty.
        source: The `source` attribute: who decided.
        mode: Live or replay; an attribute only.
    """

    def __init__(self, prefix: str = "", source: str = "kairos", mode: Mode = "live") -> None:
        self._prefix = f"{prefix.rstrip('.')}." if prefix else ""
        self._source = source
        self._mode = mode

    def attributes(self, about: Envelope) -> list[tuple[str, str]]:
        """The attributes in their fixed order."""
        found = [
            ("specversion", "1.0"),
            ("id", about.id),
            ("source", self._source),
            ("type", f"{self._prefix}{about.type}{MAJOR}"),
            ("subject", about.subject),
            ("time", days.stamp(about.at)),
            ("dataschema", dataschema(about.type)),
            ("partitionkey", about.subject),
            ("correlationid", about.episode),
            ("causationid", about.cause),
        ]
        if about.expires is not None:
            found.append(("expirytime", days.stamp(about.expires)))
        found.append(("kairosmode", self._mode))
        return found

    def headers(self, about: Envelope) -> list[tuple[str, bytes]]:
        """Kafka binary mode; the value is the data."""
        found = [(f"ce_{name}", text.encode()) for name, text in self.attributes(about)]
        found.append(("content-type", b"application/json"))
        return found

    def structured(self, about: Envelope, data: bytes) -> bytes:
        """One line of a file, without its line end."""
        head = orjson.dumps(dict(self.attributes(about)))
        return b'%b,"datacontenttype":"application/json","data":%b}' % (head[:-1], data)


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
