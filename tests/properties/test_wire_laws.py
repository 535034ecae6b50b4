"""Laws of the wire: decoding is total and says the same in both forms; lines are exact."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.days import stamp
from stream.domain.events import Coordinates, Event, Order, Reject
from stream.wire.decode import Decoder, subject_of
from stream.wire.examples import events
from stream.wire.instants import LAST, Instants
from stream.wire.lines import EXTRAS, Line, from_line, stamps, to_binary, to_line
from stream.wire.registry import REGISTRY

WHERE = Coordinates("in.txn", 0, 0, 1, 1767576600000, Order.WALL)
DECODER = Decoder(max_bytes=2000)
SOUND = [one["event"] for entry in REGISTRY.values() for one in events(entry)["examples"]]
NAMES = st.sampled_from(
    ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_sequence", "content-type", "x"]
)
TEXTS = st.sampled_from([b"1.0", b"txn.entry.posted.v1", b"2026-01-05T09:30:00+08:00", b"C1", b"\xff", b""])
HEADERS = st.lists(st.tuples(NAMES | st.text(max_size=8), TEXTS | st.binary(max_size=12)), max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.none() | st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())
EXTRA = st.dictionaries(st.sampled_from(EXTRAS), st.text(max_size=9), max_size=3)


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A sound event with a few attributes or fields replaced, dropped or added."""
    event = json.loads(json.dumps(draw(st.sampled_from(SOUND))))
    for _ in range(draw(st.integers(0, 3))):
        target: dict[str, Any] = event
        while (inner := [part for part in target.values() if isinstance(part, dict)]) and draw(st.booleans()):
            target = inner[0]
        name = draw(st.sampled_from(sorted(target)) if target else st.just("x"))
        if draw(st.booleans()):
            target.pop(name, None)
        else:
            target[name if draw(st.booleans()) else draw(st.sampled_from(["x", "y", "traceparent"]))] = draw(JSON)
    content = json.dumps(event, ensure_ascii=draw(st.booleans()), separators=(",", ":"))
    return content.encode(errors="surrogatepass")


@given(HEADERS, VALUES)
def test_decoding_never_raises_for_any_record(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    """An event or a reject, and the same twice."""
    got = DECODER.from_headers(headers, value, WHERE)

    assert isinstance(got, Event | Reject)
    assert repr(got) == repr(Decoder(max_bytes=2000).from_headers(headers, value, WHERE))
    subject_of(headers, value)


@given(
    st.lists(st.tuples(st.sampled_from(("ce_specversion", "ce_subject", "x")), st.sampled_from((b"1.0", b"C7", b"", b"\xff")))),
    bent(),
)
def test_a_record_is_routed_by_the_subject_that_is_decoded(headers: list[tuple[str, bytes]], line: bytes) -> None:
    """By another one, a customer's events would be decided in two partitions, each with half of the past."""
    got = DECODER.from_headers(headers, line, WHERE)
    if isinstance(got, Event):
        assert subject_of(headers, line) == got.subject.encode()


@given(st.binary(max_size=80) | bent())
def test_decoding_never_raises_for_any_line(line: bytes) -> None:
    """Nor do the other readers of lines."""
    assert isinstance(DECODER.from_json(line, WHERE), Event | Reject)
    stamps(line)
    subject_of([], line)


@given(bent())
@settings(max_examples=400)
def test_both_forms_say_the_same(line: bytes) -> None:
    """A line, the binary record published from it, and a structured record."""
    structured = DECODER.from_json(line, WHERE)
    _, headers, value = to_binary(line)

    assert repr(structured) == repr(DECODER.from_headers(headers, value, WHERE))
    assert repr(structured) == repr(DECODER.from_headers([], line, WHERE))


@given(bent())
@settings(max_examples=200)
def test_a_recorded_line_decodes_as_its_record(line: bytes) -> None:
    """Journal and log are the same events."""
    key, headers, value = to_binary(line)
    assert repr(DECODER.from_headers(headers, value, WHERE)) == repr(DECODER.from_json(to_line(key, headers, value), WHERE))


@given(st.none() | st.binary(max_size=9), HEADERS, VALUES, EXTRA)
@settings(max_examples=300)
def test_lines_are_exact(
    key: bytes | None, headers: list[tuple[str, bytes]], value: bytes | None, extra: dict[str, str]
) -> None:
    """Every byte of every record comes back, in one line."""
    written = to_line(key, headers, value, extra)

    assert b"\n" not in written
    assert b"\r" not in written
    assert from_line(written) == Line(key, headers, value, extra)


@given(st.text(min_size=1, max_size=9), st.text(max_size=9), JSON, EXTRA)
def test_sound_binary_events_are_written_readably(subject: str, ident: str, data: Any, extra: dict[str, str]) -> None:
    """And exactly."""
    headers = [("ce_specversion", b"1.0"), ("ce_id", ident.encode()), ("ce_subject", subject.encode())]
    value = json.dumps(data, allow_nan=False).encode() if data == data and "NaN" not in repr(data) else b"{}"
    written = to_line(subject.encode(), headers, value, extra)

    assert not written.startswith(b'{"kairosraw"')
    assert from_line(written) == Line(subject.encode(), headers, value, extra)


@given(st.integers(0, LAST - 1), st.integers(-14 * 60, 14 * 60))
def test_stamps_are_read_as_they_are_written(at: int, ahead: int) -> None:
    """For any zone; a naive twin by arithmetic."""
    local = at + ahead * 60_000
    if not 0 <= local < LAST:
        return
    sign = "-" if ahead < 0 else "+"
    text = f"{stamp(local)[:-1]}{sign}{abs(ahead) // 60:02d}:{abs(ahead) % 60:02d}"
    instants = Instants()

    assert [at, at, at] == [instants.parse(text), instants.parse(text), instants.parse(stamp(at))]
