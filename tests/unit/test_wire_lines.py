"""Records as lines: readable where that is exact, wrapped where it is not."""

from __future__ import annotations

import json

import pytest

from stream.wire.lines import Line, from_line, stamps, to_binary, to_line

HEAD = [("ce_specversion", b"1.0"), ("ce_id", b"E1"), ("content-type", b"application/json"), ("ce_subject", b"C1")]
EXTRA = {"kairossource": "in.txn|0|0|1|5|w", "kairosjournal": "0/7"}


def test_a_binary_event_is_written_as_one_readable_line() -> None:
    """In the order of its headers."""
    written = to_line(b"C1", HEAD, b'{"a": 1}', EXTRA)

    assert written == (
        b'{"specversion":"1.0","id":"E1","datacontenttype":"application/json","subject":"C1",'
        b'"kairossource":"in.txn|0|0|1|5|w","kairosjournal":"0/7","data":{"a": 1}}'
    )
    assert from_line(written) == Line(b"C1", HEAD, b'{"a": 1}', EXTRA)


@pytest.mark.parametrize("key", [None, b"another", "\u5ba2".encode(), b""])
def test_a_key_that_is_not_the_subject_is_kept(key: bytes | None) -> None:
    """As text beside the others."""
    written = to_line(key, HEAD, b"{}")

    assert b"kairoskey" in written
    assert b"kairosraw" not in written
    assert from_line(written) == Line(key, HEAD, b"{}", {})


@pytest.mark.parametrize(
    ("key", "headers", "value"),
    [
        (b"C1", HEAD, None),
        (b"C1", HEAD, b""),
        (b"C1", HEAD, b"{"),
        (b"C1", HEAD, b" {}"),
        (b"C1", HEAD, b'{"a":\n1}'),
        (b"C1", HEAD, b'{"a":"\xff"}'),
        (b"\xff", HEAD, b"{}"),
        (b"C1", [], b"{}"),
        (b"C1", [*HEAD, ("ce_id", b"E2")], b"{}"),
        (b"C1", [*HEAD, ("ce_data", b"E2")], b"{}"),
        (b"C1", [*HEAD, ("ce_kairosraw", b"E2")], b"{}"),
        (b"C1", [*HEAD, ("ce_kairosjournal", b"E2")], b"{}"),
        (b"C1", [*HEAD, ("ce_datacontenttype", b"E2")], b"{}"),
        (b"C1", [*HEAD, ("ce_Upper", b"E2")], b"{}"),
        (b"C1", [*HEAD, ("ce_trace", b"\xff")], b"{}"),
        (b"C1", [*HEAD, ("other", b"x")], b"{}"),
        (None, [("kairos_tick", b"{}")], b""),
        (b"C1", HEAD, b"[" * 5000 + b"]" * 5000),
    ],
)
def test_whatever_splicing_would_lose_is_wrapped(
    key: bytes | None, headers: list[tuple[str, bytes]], value: bytes | None
) -> None:
    """And comes back as it was."""
    written = to_line(key, headers, value, EXTRA)

    assert written.startswith(b'{"kairosraw"')
    assert b"\n" not in written
    assert from_line(written) == Line(key, headers, value, EXTRA)


def test_extra_attributes_are_ours_only() -> None:
    """A name nobody reads back would be lost."""
    with pytest.raises(ValueError, match="expected names"):
        to_line(None, HEAD, b"{}", {"mine": "x"})


def test_publishing_a_plain_line_keys_it_by_subject() -> None:
    """Integers and booleans of extensions become their canonical text; the data is not touched."""
    plain = b'{"specversion":"1.0","subject":"C1","sampledrate":30,"urgent":true,"data": {"b" : 1} }'

    assert to_binary(plain) == (
        b"C1",
        [
            ("ce_specversion", b"1.0"),
            ("ce_subject", b"C1"),
            ("ce_sampledrate", b"30"),
            ("ce_urgent", b"true"),
            ("content-type", b"application/json"),
        ],
        b'{"b" : 1}',
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b"{}",
        b'{"subject":"C1","data":{}}',
        b'{"specversion":1,"data":{}}',
        b'{"specversion":"1.0","subject":7,"data":{}}',
        b'{"specversion":"1.0","x":{"y":1},"data":{}}',
        b'{"specversion":"1.0","x":1.5,"data":{}}',
        b'{"specversion":"1.0","Odd":"x","data":{}}',
        b'{"specversion":"1.0","kairoskey":7,"data":{}}',
        b'{"kairosraw":7}',
        b'{"kairosraw":{"key":7,"headers":[],"value":null}}',
        b'{"kairosraw":{"key":"%%","headers":[],"value":null}}',
        b'{"kairosraw":{"key":null,"headers":[["a"]],"value":null}}',
        b'{"kairosraw":{"key":null,"headers":[[7,"YQ=="]],"value":null}}',
        b'{"kairosraw":{}}',
    ],
)
def test_a_line_that_is_no_usable_event_is_passed_on_whole(line: bytes) -> None:
    """The engine says what is wrong with it."""
    assert to_binary(line) == (None, [], line)


def test_publishing_a_recorded_line_sends_the_record() -> None:
    """Wrapped or spliced, without our own attributes."""
    assert to_binary(to_line(b"k", [("h", b"v")], b"\x00", EXTRA)) == (b"k", [("h", b"v")], b"\x00")
    assert to_binary(to_line(b"C1", HEAD, b"{}", EXTRA)) == (b"C1", HEAD, b"{}")


def test_stamps_of_spliced_and_wrapped_lines() -> None:
    """What a replay asks before decoding."""
    headers = [*HEAD, ("ce_recordedtime", b"2026-01-05T01:30:00Z"), ("ce_time", b"2026-01-05T01:00:00Z")]
    for value in (b"{}", b"\x00"):
        found = stamps(to_line(b"C1", headers, value, EXTRA))
        assert (found.kairossource, found.kairosjournal) == ("in.txn|0|0|1|5|w", "0/7")
        assert (found.recordedtime, found.time) == ("2026-01-05T01:30:00Z", "2026-01-05T01:00:00Z")
    assert stamps(b"\xff") == stamps(b"[]") == stamps(b"{}")


def test_stamps_of_a_wrapped_structured_event_are_inside_or_beside_it() -> None:
    """Its own recorded time counts, else the one that `kairos record` has put beside it."""
    own = b'{"specversion":"1.0","time":"2026-01-05T01:00:00Z","recordedtime":"2026-01-05T01:30:00Z"}'
    beside = [("ce_recordedtime", b"2026-01-05T02:00:00Z")]
    bare = own.replace(b',"recordedtime":"2026-01-05T01:30:00Z"', b"")

    assert stamps(to_line(None, beside, own)).recordedtime == "2026-01-05T01:30:00Z"
    assert stamps(to_line(None, beside, bare)).time == "2026-01-05T01:00:00Z"
    assert stamps(to_line(None, beside, bare)).recordedtime == "2026-01-05T02:00:00Z"
    assert stamps(to_line(None, beside, b"\xff")).recordedtime == "2026-01-05T02:00:00Z"


def test_a_tick_keeps_its_proof() -> None:
    """Readable in the log."""
    tick = json.dumps({"clock": {"in.txn": 5}, "idle": []})
    written = to_line(None, [("kairos_tick", tick.encode())], b"", {"kairostick": tick})

    assert stamps(written).kairostick == tick
    assert from_line(written).extra == {"kairostick": tick}
