"""Outputs: derived ids, fixed bytes, envelopes with all they need."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.domain import triggers as said
from stream.domain.days import parse
from stream.domain.events import Coordinates, Order, Reject
from stream.domain.reasons import RejectCode
from stream.wire.encode import (
    NAMESPACE,
    Envelope,
    Writer,
    dead_headers,
    dead_line,
    details,
    details_value,
    payload,
    suppressed_id,
    trigger_id,
)
from stream.wire.outputs import FAMILIES, SUPPRESSED, TRIGGERS, topic_of

ABOUT = Envelope("ID", "tier.upgraded", "C\u5ba21", 1767576600000, "EPISODE", "in.txn/3@1187", 1767663000000)
FACTS = {
    "aum": said.Money(5_000_001),
    "tier_from": None,
    "tier_to": "5\u4e07",
    "gap": said.Money(-1),
    "velocity_per_day": None,
    "eta_days": 3,
    "dwell_days": 0,
    "of the texts only": said.Share(1),
}


def test_an_id_is_that_of_type_subject_and_episode() -> None:
    """UUIDv5, so that no version and no run gives another."""
    assert trigger_id("a", "b", "c") == str(uuid.uuid5(NAMESPACE, "a\x1fb\x1fc"))
    assert len({trigger_id("a", "b", "c"), trigger_id("a", "bc", ""), suppressed_id("a", "b", "r", 1, ("x|0|0|1",))}) == 3
    origins = (("x:1",), ("x:1", "x:2"), ("y:1", "x:2"))
    several = {suppressed_id("a", "b", rule, at, causes) for rule in "rs" for at in (1, 2) for causes in origins}
    assert len(several) == 12


@given(st.text(), st.text(), st.text())
def test_ids_are_those_of_the_standard_library(kind: str, subject: str, key: str) -> None:
    """Made by hand, for speed; never another id than UUIDv5 gives."""
    assert trigger_id(kind, subject, key) == str(uuid.uuid5(NAMESPACE, f"{kind}\x1f{subject}\x1f{key}"))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (7, 7),
        ("text", "text"),
        (None, None),
        (said.Date(parse("2026-02-28")), "2026-02-28"),
        (said.Instant(1767576600001), "2026-01-05T01:30:00.001Z"),
        (said.Share(0), "0"),
        (said.Share(1_000_000), "1"),
        (said.Share(820_000), "0.82"),
        (said.Share(-1), "-0.000001"),
        (said.Share(12_345_678), "12.345678"),
    ],
)
def test_figures_on_the_wire(value: said.Value, wire: object) -> None:
    """Exact, and never a float."""
    assert details_value(value, "CNY") == wire


def test_money_has_the_decimals_of_its_currency() -> None:
    """Two, none, three."""
    texts = [json.loads(payload(details_value(said.Money(1234), ccy)))["amount"] for ccy in ("CNY", "JPY", "KWD")]
    assert texts == ["12.34", "1234", "1.234"]


def test_details_take_their_fields_from_facts_in_their_own_order() -> None:
    """The order of facts makes no difference to the bytes."""
    backwards = dict(reversed(FACTS.items()))

    assert payload(details("tier.upgraded", FACTS, "CNY")) == payload(details("tier.upgraded", backwards, "CNY"))
    assert json.loads(payload(details("tier.upgraded", FACTS, "CNY"))) == {
        "aum": {"amount": "50000.01", "ccy": "CNY"},
        "tier_from": None,
        "tier_to": "5\u4e07",
        "gap": {"amount": "-0.01", "ccy": "CNY"},
        "velocity_per_day": None,
        "eta_days": 3,
        "dwell_days": 0,
    }


def test_a_missing_fact_is_our_fault_and_says_so() -> None:
    """Never a silent null."""
    with pytest.raises(KeyError):
        details("tier.upgraded", {name: FACTS[name] for name in FACTS if name != "gap"}, "CNY")


def test_headers_and_structured_form_say_the_same() -> None:
    """One list of attributes, in one order."""
    writer = Writer("com.example", "kairos", "replay")
    found = json.loads(writer.structured(ABOUT, b'{"a":1}'))
    headers = {name.removeprefix("ce_"): text.decode() for name, text in writer.headers(ABOUT)}

    assert found.pop("data") == {"a": 1}
    assert found.pop("datacontenttype") == headers.pop("content-type") == "application/json"
    assert list(found.items()) == list(headers.items())
    assert found["type"] == "com.example.tier.upgraded.v1"
    assert (found["kairosmode"], found["partitionkey"], found["time"]) == (
        "replay",
        "C\u5ba21",
        "2026-01-05T01:30:00.000Z",
    )
    assert found["dataschema"] == "urn:kairos:schema:triggers/tier.upgraded.v1.json"


def test_live_and_replay_differ_in_the_mode_only() -> None:
    """So that everything else compares byte for byte."""
    live, replay = (dict(Writer(mode=mode).headers(ABOUT)) for mode in ("live", "replay"))
    assert {name for name in live if live[name] != replay[name]} == {"ce_kairosmode"}


def test_no_expiry_no_attribute() -> None:
    """CloudEvents knows no null attribute."""
    assert "ce_expirytime" not in dict(Writer().headers(replace(ABOUT, expires=None)))


def test_a_dead_letter_keeps_what_came_and_says_why() -> None:
    """Original headers first and untouched, duplicates and all."""
    why = Reject(RejectCode.BAD_VALUE, "$.subject", "expected something else")
    came = [("a", b"\xff"), ("a", b"2")]
    where = Coordinates("in.txn", 3, 0, 1187, 5, Order.WALL)
    headers = dead_headers(came, why, "decode", where)

    assert headers[:2] == came
    assert dict(headers[2:]) == {
        "__kairos.errors.code": b"BAD_VALUE",
        "__kairos.errors.path": b"$.subject",
        "__kairos.errors.text": b"expected something else",
        "__kairos.errors.stage": b"decode",
        "__kairos.errors.topic": b"in.txn",
        "__kairos.errors.partition": b"3",
        "__kairos.errors.offset": b"1187",
        "__kairos.errors.timestamp": b"5",
    }
    assert len(dead_headers([], why, "decode", None)) == 4
    assert json.loads(dead_line(None, came, b"\x00", why, "decode", "log:1")) == {
        "error": {"code": "BAD_VALUE", "path": "$.subject", "text": "expected something else", "stage": "decode"},
        "origin": "log:1",
        "headers": [["a", "/w=="], ["a", "Mg=="]],
        "key": None,
        "value": "AA==",
    }


def test_every_trigger_type_has_its_topic() -> None:
    """Fifteen types in seven families, and the suppressed stream."""
    assert (len(TRIGGERS), len(FAMILIES)) == (15, 7)
    assert {topic_of(kind) for kind in TRIGGERS} == {f"out.trigger.{family}" for family in FAMILIES}
    assert topic_of(SUPPRESSED) == "out.suppressed"
