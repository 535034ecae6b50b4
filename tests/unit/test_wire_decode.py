"""Decoding: the same judgement in both forms, every fault with its code and place, never a value in a text."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from stream.domain.events import Coordinates, Event, Order, Reject
from stream.domain.reasons import RejectCode
from stream.wire.decode import Decoder, subject_of
from stream.wire.examples import RECORDED, events, refused_lines
from stream.wire.instants import Instants
from stream.wire.lines import to_binary, to_line
from stream.wire.registry import REGISTRY, topic_of

AT = Instants().parse(RECORDED)
WHERE = Coordinates("in.txn", 3, 0, 1187, AT, Order.WALL)
EXAMPLES = {name: events(entry) for name, entry in REGISTRY.items()}
SOUND = [(name, one) for name, file in EXAMPLES.items() for one in file["examples"]]
WRONG = [(name, one) for name, file in EXAMPLES.items() for one in file["refused"]]
LINES = refused_lines()["refused"]
POSTED = EXAMPLES["txn.entry.posted"]["examples"][0]["event"]


def line(**changed: Any) -> bytes:
    """A sound event with some attributes changed; None takes one away."""
    event = {**POSTED, **changed}
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def both(content: bytes, where: Coordinates = WHERE, **settings: Any) -> Event | Reject:
    """Decode as a line and as the Kafka record that publish makes of it; they must agree."""
    decoder = Decoder(**settings)
    structured = decoder.from_json(content, where)
    _, headers, value = to_binary(content)
    assert structured == decoder.from_headers(headers, value, where)
    assert structured == decoder.from_headers(dict(headers), value, where)
    assert structured == decoder.from_headers([], content, where)
    return structured


def test_all_types_of_the_taxonomy_are_here() -> None:
    """Counted, so that none goes missing unseen."""
    assert len(REGISTRY) == 56
    assert {entry.name for entry in REGISTRY.values() if not entry.supported} == {
        "party.merged",
        "party.split",
        "party.erased",
    }


@pytest.mark.parametrize(("name", "example"), SOUND, ids=[f"{name}-{one['name']}" for name, one in SOUND])
def test_every_example_decodes(name: str, example: dict[str, Any]) -> None:
    """In both forms, with its unknown fields counted."""
    event = both(json.dumps(example["event"]).encode())

    assert isinstance(event, Event), event
    assert (event.type, event.unknown) == (name, example["unknown_fields"])
    assert isinstance(event.data, REGISTRY[name].struct)
    assert event.subject == example["event"]["subject"]
    assert (event.id, event.source, event.origin) == ("E1", "core-banking", "in.txn/3@1187")


@pytest.mark.parametrize(("name", "example"), WRONG, ids=[f"{name}-{one['name']}" for name, one in WRONG])
def test_every_counter_example_gives_its_code(name: str, example: dict[str, Any]) -> None:
    """Code and place, in both forms."""
    reject = both(json.dumps(example["event"]).encode())

    assert isinstance(reject, Reject), reject
    assert (example["code"], example["path"]) == (reject.code.value, reject.path)


@pytest.mark.parametrize("example", LINES, ids=[one["name"] for one in LINES])
def test_every_faulty_line_gives_its_code(example: dict[str, Any]) -> None:
    """Faults of bytes and envelopes."""
    settings = {"max_bytes": example["max_bytes"]} if "max_bytes" in example else {}
    reject = both(b64decode(example["line"]), **settings)

    assert isinstance(reject, Reject), reject
    assert (example["code"], example["path"]) == (reject.code.value, reject.path)


def test_examples_cover_every_code_that_decoding_can_give() -> None:
    """UNKNOWN_CURRENCY is the engine's: it knows the rates."""
    covered = {one["code"] for _, one in WRONG} | {one["code"] for one in LINES}
    assert {code.value for code in RejectCode} - {"UNKNOWN_CURRENCY"} == covered


@pytest.mark.parametrize("name", ["com.example.txn.entry.posted.v1", "txn.entry.posted.v1"])
@pytest.mark.parametrize("prefix", ["com.example", "com.example."])
def test_types_are_accepted_with_and_without_the_prefix(name: str, prefix: str) -> None:
    """And routed alike."""
    event = both(line(type=name), prefix=prefix)

    assert isinstance(event, Event)
    assert (event.type, topic_of(name, prefix)) == ("txn.entry.posted", "in.txn")


@pytest.mark.parametrize("name", ["txn.entry.posted", "txn.entry.posted.v2", "org.other.txn.entry.posted.v1", "", "v1"])
def test_other_types_are_unknown(name: str) -> None:
    """The major version is part of the name."""
    reject = both(line(type=name), prefix="com.example")

    assert isinstance(reject, Reject)
    assert (reject.code, topic_of(name, "com.example")) == (RejectCode.UNKNOWN_TYPE, None)


def test_attributes_may_stand_in_any_order_and_twice() -> None:
    """The type may come after the data that it is about; of two the last counts, as in any JSON object."""
    sound = Decoder().from_json(line(), WHERE)
    backwards = json.dumps(dict(reversed(POSTED.items()))).encode()
    other = json.dumps(EXAMPLES["app.screen.viewed"]["examples"][0]["event"]).encode()
    last = other[:-1] + b"," + line()[1:]

    assert isinstance(sound, Event)
    assert [Decoder().from_json(each, WHERE) for each in (backwards, last)] == [sound, sound]


def test_unknown_fields_are_left_out_and_counted_wherever_they_are() -> None:
    """An unknown object counts once; the known rest is as if they had not been there."""
    data = POSTED["data"]
    more = {**data, "a": 1, "b": {"c": {"d": 2}}, "amount": {**data["amount"], "e": [1]}}
    event, plain = both(line(data=more)), both(line())

    assert isinstance(event, Event)
    assert isinstance(plain, Event)
    assert (event.unknown, event.data) == (3, plain.data)


def test_a_fault_is_found_behind_unknown_fields() -> None:
    """Leaving fields out does not excuse the others."""
    reject = both(line(data={"a": 1, **POSTED["data"], "account_ref": 7}))
    assert reject == Reject(RejectCode.WRONG_TYPE, "$.data.account_ref", "expected string, got integer")


def test_missing_nested_field_is_named_in_full() -> None:
    """Path down to the field."""
    reject = both(line(data={**POSTED["data"], "amount": {"ccy": "CNY"}}))
    assert reject == Reject(RejectCode.MISSING_FIELD, "$.data.amount.amount", "required field is missing")


@pytest.mark.parametrize(
    ("amount", "ccy", "code"),
    [
        ("9999999999999.99", "CNY", None),
        ("10000000000000.00", "CNY", RejectCode.AMOUNT_OUT_OF_RANGE),
        ("999999999999999", "JPY", None),
        ("1000000000000000", "JPY", RejectCode.AMOUNT_OUT_OF_RANGE),
        ("999999999999.999", "KWD", None),
        ("1" + "0" * 29, "CNY", RejectCode.AMOUNT_OUT_OF_RANGE),
        ("0" * 29 + "1", "CNY", None),
        ("1.5", "JPY", RejectCode.BAD_VALUE),
        ("1.555", "KWD", None),
        ("1.555", "CNY", RejectCode.BAD_VALUE),
        (".5", "CNY", RejectCode.BAD_VALUE),
        ("5.", "CNY", RejectCode.BAD_VALUE),
        ("+5", "CNY", RejectCode.BAD_VALUE),
        ("1_000", "CNY", RejectCode.BAD_VALUE),
        (" 1", "CNY", RejectCode.BAD_VALUE),
        ("1\n", "CNY", RejectCode.BAD_VALUE),
        ("NaN", "CNY", RejectCode.BAD_VALUE),
        ("\u0661", "CNY", RejectCode.BAD_VALUE),
        ("1", "CN", RejectCode.BAD_VALUE),
        ("1", "CN\n", RejectCode.BAD_VALUE),
        ("1", "cny", RejectCode.BAD_VALUE),
    ],
)
def test_amounts_are_plain_decimals_of_their_currency(amount: str, ccy: str, code: RejectCode | None) -> None:
    """With at most its decimals and fewer than 10^15 minor units, both when the currency is new and when it is known."""
    data = {**POSTED["data"], "balance_after": {"amount": amount, "ccy": ccy}}
    decoder = Decoder()
    for _ in range(2):
        got = decoder.from_json(line(data=data), WHERE)
        assert (got.code if isinstance(got, Reject) else None) == code


def test_a_moved_amount_is_never_negative_and_a_balance_may_be() -> None:
    """The indicator says which way money went."""
    minus = {"amount": "-1.00", "ccy": "CNY"}
    moved, left = (both(line(data={**POSTED["data"], name: minus})) for name in ("amount", "balance_after"))

    assert isinstance(moved, Reject)
    assert moved.path == "$.data.amount.amount"
    assert isinstance(left, Event)


def test_future_is_judged_by_the_recording_and_never_by_a_clock() -> None:
    """Exactly `ahead` is still fine."""
    late = WHERE._replace(recorded=Instants().parse(POSTED["time"]) - 300_000)

    assert isinstance(both(line(), late), Event)
    reject = both(line(), late._replace(recorded=late.recorded - 1))
    assert isinstance(reject, Reject)
    assert reject.code is RejectCode.FUTURE_STAMP


def test_a_booking_far_ahead_is_judged_by_the_recording() -> None:
    """A post-dated entry is sound; one of years ahead would stand before all that comes till then."""
    sound, ahead = (both(line(data={**POSTED["data"], "booking_date": day})) for day in ("2026-02-05", "2026-02-06"))

    assert isinstance(sound, Event)
    assert isinstance(ahead, Reject)
    assert (ahead.code, ahead.path) == (RejectCode.FUTURE_STAMP, "$.data.booking_date")


def test_a_header_without_value_is_absent() -> None:
    """Kafka has headers that are null: whatever a source sends is an answer, not an accident."""
    _, headers, value = to_binary(line(sequence="1"))
    for name, _ in headers:
        nulled: Any = [(each, None if each == name else text) for each, text in headers]
        found = Decoder().from_headers(nulled, value, WHERE)
        needed = name in {f"ce_{each}" for each in ("specversion", "id", "source", "type", "subject", "time")}
        assert isinstance(found, Reject if needed else Event), name


def test_size_is_that_of_the_data_in_both_forms() -> None:
    """The envelope is not counted."""
    size = len(json.dumps(POSTED["data"]).encode())

    assert isinstance(both(line(), max_bytes=size), Event)
    reject = both(line(), max_bytes=size - 1)
    assert isinstance(reject, Reject)
    assert reject.code is RejectCode.OVERSIZE


def test_a_large_line_that_cannot_be_read_is_oversize() -> None:
    """Nobody wants to parse it to say more."""
    reject = both(b"\xff" * 100, max_bytes=50)
    assert isinstance(reject, Reject)
    assert reject.code is RejectCode.OVERSIZE


@pytest.mark.parametrize("depth", [10, 62, 70, 900, 5_000, 100_000])
def test_deep_nesting_is_judged_by_a_number_and_not_by_the_stack(depth: int) -> None:
    """An unknown field as deep as a stack."""
    data = json.dumps(POSTED["data"])[:-1].encode() + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    record = line().replace(json.dumps(POSTED["data"]).encode(), data)
    got = Decoder(max_bytes=10**6).from_headers(to_binary(line())[1], data, WHERE)

    assert isinstance(got, Event if depth < 63 else Reject)
    if depth < 900:
        assert both(record) == got


@pytest.mark.parametrize("depth", [10, 70, 499, 500, 900, 985, 5_000, 100_000])
def test_a_deep_attribute_is_judged_by_a_number_too(depth: int) -> None:
    """In a structured event, and alike for routing: else the stack would say whose partition it is."""
    record = line()[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    got = Decoder(max_bytes=10**6).from_json(record, WHERE)

    assert isinstance(got, Event if depth < 500 else Reject)
    assert (subject_of([], record) is None) == (depth >= 500)


def test_texts_never_hold_what_came_in() -> None:
    """Whatever field is wrong, the secret in it stays out of code, path and text."""
    secret = "SECRET4111"
    data = EXAMPLES["txn.entry.posted"]["examples"][1]["event"]["data"]
    for name in data:
        for bad in (
            secret,
            [secret],
            {secret: secret},
            {"amount": secret, "ccy": "CNY"},
            {"amount": "1", "ccy": secret},
        ):
            got = both(line(data={**data, name: bad}))
            assert not isinstance(got, Reject) or secret not in repr(got)
    for name in ("specversion", "type", "time"):
        assert secret not in repr(both(line(**{name: secret})))


@pytest.mark.parametrize("day", ["1899-12-31", "2201-01-01", "9999-12-31", "0001-01-01"])
def test_dates_that_no_bank_means_are_bad_values(day: str) -> None:
    """They would overflow calendars later."""
    reject = both(line(data={**POSTED["data"], "booking_date": day}))
    assert isinstance(reject, Reject)
    assert reject.path == "$.data.booking_date"


def test_a_line_of_a_sequenced_log_is_named_with_its_number() -> None:
    """`name:line`."""
    event = Decoder().from_json(line(), Coordinates("log.jsonl", 0, 0, 17, AT, Order.SEQUENCED))
    assert isinstance(event, Event)
    assert event.origin == "log.jsonl:17"


def test_the_origin_that_a_publisher_stamped_is_kept() -> None:
    """As attribute, as header, and as header beside a structured value."""
    event = both(line(kairosorigin="old.jsonl:9"))
    assert isinstance(event, Event)
    assert event.origin == "old.jsonl:9"
    beside = Decoder().from_headers([("ce_kairosorigin", b"old.jsonl:9")], line(), WHERE)
    assert isinstance(beside, Event)
    assert beside.origin == "old.jsonl:9"
    slow = Decoder().from_headers([("ce_kairosorigin", b"old.jsonl:9")], line(data={**POSTED["data"], "x": 1}), WHERE)
    assert isinstance(slow, Event)
    assert (slow.origin, slow.unknown) == ("old.jsonl:9", 1)
    empty = Decoder().from_headers([("ce_kairosorigin", b"\xff\x00")], line(), WHERE)
    assert isinstance(empty, Event)
    assert empty.origin == "in.txn/3@1187"


def test_a_wrapped_record_in_a_log_decodes_as_the_record() -> None:
    """What `record` could not splice."""
    _, headers, value = to_binary(line())
    wrapped = to_line(b"another key\xff", headers, value)

    assert wrapped.startswith(b'{"kairosraw"')
    assert Decoder().from_json(wrapped, WHERE) == Decoder().from_json(line(), WHERE)


def test_a_tombstone_is_no_event() -> None:
    """With and without headers."""
    bare = Decoder().from_headers([], None, WHERE)
    headed = Decoder().from_headers(to_binary(line())[1], None, WHERE)

    assert isinstance(bare, Reject)
    assert bare.code is RejectCode.NOT_CLOUDEVENT
    assert isinstance(headed, Reject)
    assert (headed.code, headed.path) == (RejectCode.MISSING_FIELD, "$.data")


def test_invalid_utf8_is_found_in_headers_and_in_passed_over_attributes() -> None:
    """Anywhere in the record."""
    _, headers, value = to_binary(line())
    broken = [(name, b"\xff" if name == "ce_subject" else content) for name, content in headers]
    got = Decoder().from_headers(broken, value, WHERE)
    beside = Decoder().from_json(line(traceparent="Z").replace(b"Z", b"\xff"), WHERE)

    assert isinstance(got, Reject)
    assert (got.code, got.path) == (RejectCode.NOT_UTF8, "$.subject")
    assert isinstance(beside, Reject)
    assert beside.code is RejectCode.NOT_UTF8


def test_consent_scope_names_what_it_is_about() -> None:
    """ALL needs nothing."""
    for scope, more, sound in (
        ("ALL", {}, True),
        ("TOPIC", {"topic": "loans"}, True),
        ("TOPIC", {"channel": "SMS"}, False),
        ("CHANNEL", {"channel": "SMS"}, True),
        ("PURPOSE", {}, False),
    ):
        data = {"scope": scope, "state": "OPT_OUT", **more}
        got = both(line(type="preference.changed.v1", data=data))
        assert isinstance(got, Event) == sound


@pytest.mark.parametrize(
    ("headers", "value", "subject"),
    [
        ([("ce_specversion", b"1.0"), ("ce_subject", b"C1")], b"", b"C1"),
        ({"ce_specversion": b"1.0", "ce_subject": b"C1"}, b'{"subject":"C2"}', b"C1"),
        ({"ce_specversion": b"1.0"}, b'{"subject":"C2"}', None),
        ({"ce_subject": b"C1"}, b'{"subject":"C2"}', b"C2"),
        ([], b'{"subject":"C\xc3\xa9"}', "C\u00e9".encode()),
        ([], b'{"subject":7}', None),
        ([], b'{"subject":""}', None),
        ([("ce_specversion", b"1.0"), ("ce_subject", b"")], b"", None),
        ([], b"[1]", None),
        ([], b"\xff", None),
        ([], None, None),
        ([], b"[" * 100_000, None),
        ([], b'{"x":' + b"[" * 100_000, None),
    ],
)
def test_subject_for_routing(headers: Any, value: bytes | None, subject: bytes | None) -> None:
    """None when unreadable; never an exception."""
    assert subject_of(headers, value) == subject
