"""The stories beside the default pack, on the real engine; what they emit keeps the contract."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from stream.domain.reasons import Refusal
from stream.packs.loader import lint, load
from stream.packs.scenario import told_types
from stream.shell.scenarios import Result, run
from stream.wire.outputs import TRIGGERS

SCHEMAS = Path(__file__).parents[2] / "schemas"
RESULTS = run()
EMITTED = [(result, each) for result in RESULTS for each in (*result.replayed.triggers, *result.replayed.suppressed)]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: f"{result.file}:{result.line}")
def test_the_story_comes_true(result: Result) -> None:
    """Exactly the triggers, refusals and dead letters that it names."""
    assert "\n".join(result.failures) == ""


def test_the_pack_has_no_fault() -> None:
    """Not even an unused name; every trigger type fires in one story and stays silent in another."""
    assert [str(fault) for fault in lint()] == []


def test_the_pack_tells_every_trigger_type_of_the_contract() -> None:
    """Tiers, dormancy, activation, journeys, payroll, funds, points."""
    assert set(told_types(load().spec)) == set(TRIGGERS)


def test_everything_emitted_validates_against_its_schema() -> None:
    """Triggers and suppressions, by the files that consumers are given."""
    schemas: dict[str, Draft202012Validator] = {}
    for result, each in EMITTED:
        name = each["type"]
        if name not in schemas:
            document = json.loads((SCHEMAS / "triggers" / f"{name}.json").read_text(encoding="utf-8"))
            schemas[name] = Draft202012Validator(document, format_checker=FormatChecker())
        assert list(schemas[name].iter_errors(each["data"])) == [], f"{result.file}:{result.line}"


def test_no_reason_has_an_empty_place() -> None:
    """Every figure of every reason is there, in both languages."""
    for result, each in EMITTED:
        message = each["data"]["message"]
        for text in (message["reason_text_zh"], message["reason_text_en"]):
            assert "—" not in text, f"{result.file}:{result.line} {text}"
            assert "{" not in text
            assert any(char.isdigit() for char in text)


def test_every_gate_has_a_story_that_refuses_and_one_that_passes() -> None:
    """The refusing one is named after its code alone or with others; the passing one shows the trigger."""
    refused: dict[str, int] = defaultdict(int)
    for result in RESULTS:
        for each in result.replayed.suppressed:
            for reason in each["data"]["reasons"]:
                refused[reason] += 1
    passed = {
        gate.value: [r for r in RESULTS if r.name.startswith(f"{gate.value} passes") and r.replayed.triggers]
        for gate in Refusal
    }

    assert set(refused) == {gate.value for gate in Refusal}
    assert [gate for gate, stories in passed.items() if not stories] == []


def test_ids_are_those_of_event_time() -> None:
    """The same stories again give the same bytes."""
    assert [_said(result) for result in run()] == [_said(result) for result in RESULTS]


def _said(result: Result) -> list[dict[str, Any]]:
    return [*result.replayed.triggers, *result.replayed.suppressed]
