"""Bytes to events: CloudEvents 1.0 in Kafka binary mode and as structured JSON.

Rule: total. Whatever the bytes, the answer is an `Event` or a `Reject`, the same for the same bytes, and a reject's
text never holds a value of the record. One fast way in for sound records; whatever it stumbles over is looked at
again, slowly, to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from stream.domain.days import DAY, EPOCH
from stream.domain.events import Coordinates, Event, Order, Reject
from stream.domain.reasons import RejectCode
from stream.wire.checks import Checks
from stream.wire.envelope import Attributes, attributes, loose
from stream.wire.instants import Instants
from stream.wire.lines import RAW_MARK, from_line
from stream.wire.nesting import ENVELOPE, too_deep
from stream.wire.payloads import typed
from stream.wire.registry import Entry
from stream.wire.ways import Way, words

_new: Any = tuple.__new__
_SEQUENCED = Order.SEQUENCED
LONGEST_SUBJECT = 512
"""Bytes of the longest subject that can be one: 128 characters."""
POSTDATED = 31
"""Dates that a booking may lie after its recording: further ahead is a typing error, which would blind every day till then."""
_LATEST = EPOCH + POSTDATED

Fields = Mapping[str, bytes] | Sequence[tuple[str, bytes]]


class Decoder:
    """Reads events; holds decoders and what it remembers of times and currencies, nothing of any customer.

    Args:
        prefix: Reverse-DNS prefix that event types may carry (``com.example``).
        max_bytes: Longest data accepted.
        ahead: How far an event's own time may lie after its recording, ms; beyond is FUTURE_STAMP.
    """

    def __init__(self, prefix: str = "", max_bytes: int = 262_144, ahead: int = 300_000) -> None:
        self.max_bytes = max_bytes
        self.ahead = ahead
        known = words(prefix)
        self._entries, self._ways, self._by_struct = known.entries, known.ways, known.by_struct
        self._envelope = known.structured.decode
        self._sources: set[str] = set()
        self._instants = Instants().parse
        self._fault = Checks().fault

    def from_headers(self, headers: Fields, value: bytes | None, where: Coordinates) -> Event | Reject:
        """An event in Kafka binary mode; a record without ``ce_specversion`` is taken as a structured one."""
        fields = headers if isinstance(headers, dict) else dict(headers)
        try:
            if fields["ce_specversion"] == b"1.0" and value is not None and len(value) <= self.max_bytes:
                if not value.isascii():
                    value.decode()
                way, sequence = self._ways[fields["ce_type"]], fields.get("ce_sequence")
                event = self._event(
                    way,
                    fields["ce_id"].decode(),
                    fields["ce_source"].decode(),
                    fields["ce_subject"].decode(),
                    fields["ce_time"].decode(),
                    sequence.decode() if sequence is not None else "",
                    way.decode(value),
                    where,
                    fields.get("ce_kairosorigin"),
                )
                if event is not None:
                    return event
        except (KeyError, AttributeError, ValueError, msgspec.DecodeError, RecursionError):
            pass
        if fields.get("ce_specversion") is None:
            return self._structured(value, where, fields.get("ce_kairosorigin"))
        if value is not None and len(value) > self.max_bytes:
            return _oversize()
        found = attributes(fields)
        return found if isinstance(found, Reject) else self._slow(found, value, where)

    def from_json(self, line: bytes, where: Coordinates) -> Event | Reject:
        """A structured event, or a log line that holds a raw Kafka record (see `stream.wire.lines`)."""
        if line.startswith(RAW_MARK):
            unwrapped = from_line(line)
            return self.from_headers(unwrapped.headers, unwrapped.value, where)
        return self._structured(line, where, None)

    def _structured(self, line: bytes | None, where: Coordinates, origin: bytes | None) -> Event | Reject:
        if line is None:
            return Reject(RejectCode.NOT_CLOUDEVENT, "$", "expected an event, got no value")
        if too_deep(line, ENVELOPE):
            deep = Reject(RejectCode.NOT_JSON, "$", f"nested more than {ENVELOPE} levels")
            return deep if len(line) <= self.max_bytes else _oversize()
        if len(line) <= self.max_bytes:
            try:
                seen = self._envelope(line)
                if seen.specversion == "1.0" and (line.isascii() or line.decode()):
                    event = self._event(
                        self._by_struct[type(seen)],
                        seen.id,
                        seen.source,
                        seen.subject,
                        seen.time,
                        seen.sequence,
                        seen.data,
                        where,
                        origin or seen.kairosorigin,
                    )
                    if event is not None:
                        return event
            except (ValueError, msgspec.DecodeError, RecursionError):
                pass
        return self._structured_slow(line, where, origin)

    def _structured_slow(self, line: bytes, where: Coordinates, origin: bytes | None) -> Event | Reject:
        found = loose(line)
        if isinstance(found, Reject):
            return _oversize() if len(line) > self.max_bytes else found
        fields, data = found
        if data is not None and len(data) > self.max_bytes:
            return _oversize()
        if isinstance(fields, Reject):
            return fields
        return self._slow(fields._replace(origin=origin or fields.origin), data, where)

    def _event(
        self,
        way: Way,
        ident: str,
        source: str,
        subject: str,
        time: str,
        sequence: str,
        data: Any,
        where: Coordinates,
        origin: bytes | str | None,
    ) -> Event | None:
        """The fast way; None, or ValueError for its time, when anything at all is out of the ordinary."""
        if not (
            0 < len(subject) <= 128
            and subject.isprintable()
            and 0 < len(ident) <= 256
            and ident.isprintable()
            and (source in self._sources or self._admit(source))
            and (not sequence or _word(sequence))
        ):
            return None
        name, _, booked, checked = way
        topic, partition, _, offset, recorded, order = where
        at = self._instants(time)
        if at > recorded + self.ahead or (checked is not None and self._fault(checked, data) is not None):
            return None
        if booked and _postdated(getattr(data, booked), recorded):
            return None
        if origin is not None:
            place = _given(origin, where)
        else:
            place = f"{topic}:{offset}" if order is _SEQUENCED else f"{topic}/{partition}@{offset}"
        return _new(  # type: ignore[no-any-return]
            Event, (name, subject, at, recorded, ident, source, sequence, data, topic, place, 0)
        )

    def _admit(self, source: str) -> bool:
        """Whether a source's name is sound; remembers those that are, since they are few."""
        sound = _word(source)
        if sound and len(self._sources) < 10_000:
            self._sources.add(source)
        return sound

    def _slow(self, seen: Attributes, value: bytes | None, where: Coordinates) -> Event | Reject:
        """The same judgement, attribute by attribute, with the reason."""
        if seen.specversion != "1.0":
            return Reject(RejectCode.NOT_CLOUDEVENT, "$.specversion", "expected specversion 1.0")
        for name in ("id", "source", "type", "subject", "time"):
            if getattr(seen, name) is None:
                return Reject(RejectCode.MISSING_FIELD, f"$.{name}", "required attribute is missing")
        entry = self._entries.get(seen.type or "")
        if entry is None:
            return Reject(RejectCode.UNKNOWN_TYPE, "$.type", "expected a type of the registry with its major version")
        if not entry.supported:
            return Reject(RejectCode.UNSUPPORTED, "$.type", "known, but not supported by this version")
        for name in ("subject", "id", "source", "sequence"):
            most = 128 if name == "subject" else 256
            if (text := getattr(seen, name)) is not None and (text or name != "sequence") and not _word(text, most):
                return Reject(RejectCode.BAD_VALUE, f"$.{name}", f"expected 1 to {most} printable characters")
        try:
            at = self._instants(seen.time or "")
        except ValueError as error:
            return Reject(RejectCode.BAD_VALUE, "$.time", _time_text(error))
        return self._payload(entry, seen, at, value, where)

    def _payload(self, entry: Entry, seen: Attributes, at: int, value: bytes | None, where: Coordinates) -> Event | Reject:
        if value is None:
            return Reject(RejectCode.MISSING_FIELD, "$.data", "required attribute is missing")
        read = typed(entry, value)
        if isinstance(read, Reject):
            return read
        data, unknown = read
        if (wrong := self._fault(entry, data)) is not None:
            return Reject(*wrong)
        if at > where.recorded + self.ahead:
            return Reject(RejectCode.FUTURE_STAMP, "$.time", f"expected at most {self.ahead} ms after its recording")
        if entry.booked and _postdated(getattr(data, entry.booked), where.recorded):
            text = f"expected at most {POSTDATED} dates after its recording"
            return Reject(RejectCode.FUTURE_STAMP, f"$.data.{entry.booked}", text)
        return Event(
            type=entry.name,
            subject=seen.subject or "",
            at=at,
            recorded=where.recorded,
            id=seen.id or "",
            source=seen.source or "",
            sequence=seen.sequence or "",
            data=data,
            topic=where.topic,
            origin=_given(seen.origin, where),
            unknown=unknown,
        )


def origin_text(where: Coordinates) -> str:
    """Human coordinates, for evidence.

    >>> origin_text(Coordinates("in.txn", 3, 0, 1187, 0, Order.WALL))
    'in.txn/3@1187'
    """
    if where.order is _SEQUENCED:
        return f"{where.topic}:{where.offset}"
    return f"{where.topic}/{where.partition}@{where.offset}"


def _given(origin: bytes | str | None, where: Coordinates) -> str:
    """What the publisher of an old log stamped; our own coordinates when that is absent or unreadable."""
    if isinstance(origin, bytes):
        origin = origin.decode(errors="replace")
    return origin if origin and _word(origin) else origin_text(where)


def _postdated(booked: date | None, recorded: int) -> bool:
    return booked is not None and booked.toordinal() > recorded // DAY + _LATEST


def _word(text: str, most: int = 256) -> bool:
    return 0 < len(text) <= most and text.isprintable()


def _oversize() -> Reject:
    return Reject(RejectCode.OVERSIZE, "$.data", "longer than the configured limit")


def _time_text(error: ValueError) -> str:
    text = str(error)
    return text if text.startswith("expected") else "expected a date that exists"


def subject_of(headers: Fields, value: bytes | None) -> bytes | None:
    """The subject as bytes, for routing; None when it cannot be read. Never raises, judges nothing.

    Looks where decoding does, or one customer's events could be decided in two partitions.
    """
    fields = headers if isinstance(headers, dict) else dict(headers)
    subject = loose_subject(value) if fields.get("ce_specversion") is None else fields.get("ce_subject")
    return subject if subject and len(subject) <= LONGEST_SUBJECT else None


def loose_subject(value: bytes | None) -> bytes | None:
    """The subject of a structured event."""
    if not value or too_deep(value, ENVELOPE):
        return None
    try:
        return _SUBJECT.decode(value).subject.encode() or None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


class _Subject(msgspec.Struct):
    subject: str


_SUBJECT = msgspec.json.Decoder(_Subject)
