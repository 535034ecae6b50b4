"""Law: the judge of schemas lets compatible changes pass and names every other by place and rule."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from stream.wire.schema import documents
from tests.contract.compatibility import Rule, faults

DOCUMENTS = {path: json.loads(content) for path, content in documents().items()}
CARD, POSTED, CONSENT = (f"events/{name}.v1.json" for name in ("card.issued", "txn.entry.posted", "consent.changed"))
TIER, SUPPRESSED = "triggers/tier.approaching.v1.json", "triggers/trigger.suppressed.v1.json"
REF = "properties/card_ref/anyOf/0"
DETAILS, GATE, PHASE = "$defs/Tier", "$defs/Gate", "$defs/Episode/properties/phase"
TEXT, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
Change = Callable[[dict[str, Any]], None]


def at(document: Any, place: str) -> Any:
    """A part of a document: names and numbers with slashes between; empty for all of it."""
    for name in filter(None, place.split("/")):
        document = document[int(name) if name.isdigit() else name]
    return document


def put(place: str, **values: Any) -> Change:
    """Set members of an object."""
    return lambda new: at(new, place).update(values)


def add(place: str, value: Any) -> Change:
    """Append to a list."""
    return lambda new: at(new, place).append(value)


def drop(place: str, *names: Any) -> Change:
    """Remove members of an object or a list."""

    def change(new: dict[str, Any]) -> None:
        part = at(new, place)
        for name in names:
            part.pop(name) if isinstance(part, dict) else part.remove(name)

    return change


def both(*changes: Change) -> Change:
    """One after the other."""

    def change(new: dict[str, Any]) -> None:
        for each in changes:
            each(new)

    return change


def when(name: str, word: str, then: dict[str, Any]) -> dict[str, Any]:
    """A condition."""
    return {"if": {"properties": {name: {"const": word}}}, "then": then}


def found(path: str, change: Change, rule: Rule) -> set[str]:
    new = copy.deepcopy(DOCUMENTS[path])
    change(new)
    assert new != DOCUMENTS[path]
    return {f"{fault.path} {fault.rule}" for fault in faults(DOCUMENTS[path], new, rule)}


ALL_TIERS = [f"$(trigger_type=tier.{kind}).details.dwell_days" for kind in ("approaching", "at_risk", "downgraded", "upgraded")]
INPUTS: dict[str, tuple[str, Change, set[str]]] = {
    "a new required field": (CARD, both(put("properties", x=TEXT), add("required", "x")), {"$.x BACKWARD"}),
    "optional made required": (CARD, add("required", "card_ref"), {"$.card_ref BACKWARD"}),
    "a word less": (CARD, drop("properties/card_kind/enum", "DEBIT"), {"$.card_kind BACKWARD", "$.card_kind KEPT"}),
    "a type changed": (CARD, put("properties", card_kind=INTEGER), {"$.card_kind BACKWARD", "$.card_kind KEPT"}),
    "null no more": (CARD, drop("properties/card_ref/anyOf", NULL), {"$.card_ref|1 BACKWARD"}),
    "shorter": (CARD, put(REF, maxLength=64), {"$.card_ref|0 BACKWARD"}),
    "a longer minimum": (CARD, put(REF, minLength=2), {"$.card_ref|0 BACKWARD"}),
    "a pattern": (CARD, put(REF, pattern="^x"), {"$.card_ref|0 BACKWARD"}),
    "a keyword nobody knows": (CARD, put(REF, contentEncoding="base64"), {"$.card_ref|0 BACKWARD"}),
    "a field removed": (CARD, drop("properties", "card_ref"), {"$.card_ref KEPT"}),
    "closed to others": (CARD, put("", additionalProperties=False), {"$ BACKWARD"}),
    "a nested amount retyped": (POSTED, put("$defs/Paid/properties", amount=INTEGER), {"$.amount.amount BACKWARD"}),
    "a new condition": (CONSENT, add("allOf", when("scope", "ALL", {"required": ["x"]})), {"$ BACKWARD"}),
    "a condition of another shape": (CONSENT, put("", allOf=[{"not": {"required": ["x"]}}]), {"$ BACKWARD"}),
}
OUTPUTS: dict[str, tuple[str, Change, set[str]]] = {
    "a new required field": (
        TIER,
        both(put(f"{DETAILS}/properties", x=TEXT), add(f"{DETAILS}/required", "x")),
        {"$.details.x BACKWARD"},
    ),
    "a field removed": (
        TIER,
        both(drop(f"{DETAILS}/properties", "gap"), drop(f"{DETAILS}/required", "gap")),
        {"$.details.gap FORWARD", "$.details.gap KEPT"},
    ),
    "a field renamed": (
        TIER,
        both(
            both(drop(f"{DETAILS}/properties", "gap"), drop(f"{DETAILS}/required", "gap")),
            both(put(f"{DETAILS}/properties", distance={"$ref": "#/$defs/Money"}), add(f"{DETAILS}/required", "distance")),
        ),
        {"$.details.distance BACKWARD", "$.details.gap FORWARD", "$.details.gap KEPT"},
    ),
    "a field retyped": (
        TIER,
        put(f"{DETAILS}/properties", dwell_days=TEXT),
        {"$.details.dwell_days BACKWARD", "$.details.dwell_days FORWARD"},
    ),
    "widened to null": (
        TIER,
        put(f"{DETAILS}/properties", dwell_days={"anyOf": [INTEGER, NULL]}),
        {"$.details.dwell_days|1 FORWARD"},
    ),
    "null no more": (TIER, put(f"{DETAILS}/properties", eta_days=INTEGER), {"$.details.eta_days|1 BACKWARD"}),
    "required made optional": (TIER, drop("required", "lineage"), {"$.lineage FORWARD"}),
    "what may be missing demanded": (SUPPRESSED, add(f"{GATE}/required", "note"), {"$.gates[].note BACKWARD"}),
    "a closed list grows": (TIER, add(f"{GATE}/properties/result/enum", "defer"), {"$.gates[].result FORWARD"}),
    "a closed list shrinks": (
        TIER,
        drop(f"{GATE}/properties/result/enum", "refuse"),
        {"$.gates[].result BACKWARD", "$.gates[].result KEPT"},
    ),
    "an open list loses a word": (TIER, drop(f"{PHASE}/anyOf/0/enum", "closed"), {"$.episode.phase KEPT"}),
    "an open list closed": (
        TIER,
        drop(f"{PHASE}/anyOf", {"type": "string", "minLength": 1}),
        {"$.episode.phase|1 BACKWARD"},
    ),
    "longer": (TIER, put("$defs/Lineage/properties/pack_digest", maxLength=256), {"$.lineage.pack_digest FORWARD"}),
    "a pattern gone": (TIER, drop("$defs/Episode/properties/id", "pattern"), {"$.episode.id FORWARD"}),
    "closed to others": (TIER, put("", additionalProperties=False), {"$ BACKWARD"}),
    "details of a suppressed type retyped": (
        SUPPRESSED,
        put(f"{DETAILS}/properties", dwell_days=TEXT),
        {f"{place} {rule}" for place in ALL_TIERS for rule in ("BACKWARD", "FORWARD")},
    ),
}


@pytest.mark.parametrize(("path", "change", "wanted"), INPUTS.values(), ids=INPUTS)
def test_what_breaks_an_older_producer_is_found(path: str, change: Change, wanted: set[str]) -> None:
    assert found(path, change, Rule.BACKWARD) == wanted


@pytest.mark.parametrize(("path", "change", "wanted"), OUTPUTS.values(), ids=OUTPUTS)
def test_what_breaks_a_reader_of_any_age_is_found(path: str, change: Change, wanted: set[str]) -> None:
    assert found(path, change, Rule.FULL) == wanted


INFLOW = {"properties": {"details": {"$ref": "#/$defs/Inflow"}}}
HARMLESS: dict[str, tuple[str, Rule, Change]] = {
    "an optional field of an event": (CARD, Rule.BACKWARD, put("properties", x=TEXT)),
    "a word more": (CARD, Rule.BACKWARD, add("properties/card_kind/enum", "VIRTUAL")),
    "longer": (CARD, Rule.BACKWARD, put(REF, maxLength=256)),
    "required made optional": (CARD, Rule.BACKWARD, drop("required", "card_kind")),
    "a type said beside its words": (CARD, Rule.BACKWARD, put("properties/card_kind", type="string")),
    "a condition less": (CONSENT, Rule.BACKWARD, lambda new: new["allOf"].pop()),
    "an optional field of a trigger": (TIER, Rule.FULL, put(f"{DETAILS}/properties", x={"type": ["string", "null"]})),
    "an open list grows": (TIER, Rule.FULL, add(f"{PHASE}/anyOf/0/enum", "retracted")),
    "said otherwise": (TIER, Rule.FULL, put("", description="otherwise")),
    "a later trigger type": (
        SUPPRESSED,
        Rule.FULL,
        both(
            add("properties/trigger_type/anyOf/0/enum", "funds.later"),
            add("allOf", when("trigger_type", "funds.later", INFLOW)),
        ),
    ),
}


@pytest.mark.parametrize(("path", "rule", "change"), HARMLESS.values(), ids=HARMLESS)
def test_what_breaks_nobody_passes(path: str, rule: Rule, change: Change) -> None:
    assert found(path, change, rule) == set()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.startswith(("events/", "triggers/"))])
def test_a_schema_is_compatible_with_itself_and_not_with_anything(path: str) -> None:
    assert faults(DOCUMENTS[path], DOCUMENTS[path], Rule.FULL) == []
    assert faults({}, DOCUMENTS[path], Rule.BACKWARD) != []


def test_all_faults_are_told_at_once() -> None:
    change = both(
        drop("properties/card_kind/enum", "DEBIT"), both(drop("properties", "branch_ref"), add("required", "account_ref"))
    )

    assert {told.partition(" ")[0] for told in found(CARD, change, Rule.BACKWARD)} == {
        "$.card_kind",
        "$.branch_ref",
        "$.account_ref",
    }
