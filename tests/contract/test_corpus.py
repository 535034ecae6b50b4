"""Law: today's code reads what every released version published, and what it writes itself suits every released reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from stream import __version__
from stream.wire import reading
from stream.wire.encode import SCHEMA_BASE, trigger_id
from stream.wire.outputs import SUPPRESSED, TRIGGERS
from stream.wire.registry import MAJOR, REGISTRY
from stream.wire.schema import documents
from tests.contract import corpus
from tests.contract.compatibility import Rule, faults
from tests.contract.corpus import FROZEN, SUMS, Told, Version, sums
from tests.contract.freeze import CHANGELOG, freeze, released

VERSIONS = corpus.versions()
TODAY = {path: json.loads(content) for path, content in documents().items() if corpus.is_schema(path)}
each_version = pytest.mark.parametrize("version", VERSIONS, ids=[version.name for version in VERSIONS])


def rule_of(path: str) -> Rule:
    """Events and their envelope come in, all else goes out."""
    return Rule.BACKWARD if path.startswith(("events/", "envelope")) else Rule.FULL


def today_says() -> list[Told]:
    """The triggers of today's engine, and the examples of every type."""
    return list(corpus.outputs())


def valid(schemas: dict[str, Any], told: Told) -> list[str]:
    """What a schema of a trigger's type has against it."""
    schema = schemas[f"triggers/{told.type}{MAJOR}.json"]
    checker = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{told.type} {error.json_path}: {error.message}" for error in checker.iter_errors(json.loads(told.value))]


def data(value: Any) -> Any:
    """As JSON holds it."""
    return msgspec.json.decode(msgspec.json.encode(value))


def missing(old: Any, new: Any, path: str = "$") -> list[str]:
    """What was there and is no more, or is something else. Members that came since must be void."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{path}.{name} is gone" for name in old.keys() - new.keys()]
        found += [f"{path}.{name} says {new[name]!r}" for name in new.keys() - old.keys() if new[name] not in (None, [], "")]
        pairs = [(f".{name}", old[name], new[name]) for name in old.keys() & new.keys()]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found, pairs = [], [(f"[{number}]", *pair) for number, pair in enumerate(zip(old, new, strict=True))]
    else:
        return [] if old == new else [f"{path} was {old!r}, is {new!r}"]
    return [*found, *(each for name, one, other in pairs for each in missing(one, other, path + name))]


# Every released version is kept


@each_version
def test_the_files_of_a_version_never_change(version: Version) -> None:
    kept = {
        path.relative_to(version.where).as_posix(): path.read_bytes() for path in version.where.rglob("*") if path.is_file()
    }
    written = kept.pop(SUMS)

    assert sums(kept) == written


def test_every_released_version_is_kept_and_so_is_the_next_one() -> None:
    assert {version.name for version in VERSIONS} >= {*released(CHANGELOG.read_text()), __version__}


@each_version
def test_a_version_is_kept_whole(version: Version) -> None:
    """Each type it knew is there as a schema and as a record, supported inputs in both modes."""
    schemas = version.schemas()
    events = {path.removeprefix("events/").removesuffix(f"{MAJOR}.json") for path in schemas if path.startswith("events/")}
    inputs, outputs = version.inputs(), version.outputs()
    unsupported = {name for name, entry in REGISTRY.items() if not entry.supported}

    assert {one.event.type for one in inputs if one.headers} >= events - unsupported
    assert {one.event.type for one in inputs if not one.headers} >= events - unsupported
    assert {f"triggers/{one.type}{MAJOR}.json" for one in outputs} == {path for path in schemas if path.startswith("triggers/")}
    assert len({one.type for one in outputs if one.real}) >= 10


def test_freezing_writes_what_is_there_and_keeps_what_is_released(tmp_path: Path) -> None:
    assert freeze(tmp_path, "9.9.9", [])
    assert freeze(tmp_path, "9.9.9", ["9.9.9"]) == [], "nothing has changed"
    (tmp_path / "9.9.9" / "inputs.jsonl").write_bytes(b"")
    with pytest.raises(SystemExit, match=r"9\.9\.9 is released(.|\n)*inputs\.jsonl"):
        freeze(tmp_path, "9.9.9", ["9.9.9"])
    assert freeze(tmp_path, "9.9.9", []) == ["inputs.jsonl"]


# Inputs: BACKWARD_TRANSITIVE


@each_version
def test_every_event_ever_published_is_read_as_it_was(version: Version) -> None:
    """Fields that were unknown then may be known now."""
    wrong = []
    for one in version.inputs():
        old, new = data(one.event), data(corpus.plain(corpus.read(one.headers, one.value, one.recorded)))
        assert new.pop("unknown") <= old.pop("unknown")
        wrong += [f"{one.event.type} {each}" for each in missing(old, new)]
    assert wrong == []


@each_version
def test_every_journal_record_ever_written_is_read_as_it_was(version: Version) -> None:
    """A new version begins in the journal that an older one has left."""
    for one in version.journal():
        entry = corpus.heard(one.headers, one.value)
        if one.where is not None:
            assert list(entry.where) == one.where
            continue
        assert (entry.item.clock, sorted(entry.item.idle)) == (one.clock, one.idle)


# Triggers: FULL_TRANSITIVE


@each_version
def test_triggers_of_today_suit_the_schemas_of_every_version(version: Version) -> None:
    """Types that came since have no reader there."""
    schemas = version.schemas()
    known = [told for told in today_says() if f"triggers/{told.type}{MAJOR}.json" in schemas]

    assert [fault for told in known for fault in valid(schemas, told)] == []
    assert {told.type for told in known} <= {*TRIGGERS, SUPPRESSED}


@each_version
def test_triggers_of_every_version_suit_the_schemas_of_today_and_are_read(version: Version) -> None:
    wrong = []
    for told in version.outputs():
        wrong += valid(TODAY, told)
        new = data(reading.read(told.type, told.value.encode()))
        wrong += [f"{told.type} {each}" for each in missing(json.loads(told.value), new)]
    assert wrong == []


@each_version
def test_an_id_is_the_same_in_every_version(version: Version) -> None:
    """What was acted on by an older version is known by its id, as long as anybody keeps it."""
    for told in version.outputs():
        attributes, data = dict(told.headers), json.loads(told.value)
        assert attributes["ce_dataschema"] == f"{SCHEMA_BASE}triggers/{told.type}{MAJOR}.json"
        if told.real and told.type != SUPPRESSED:
            assert attributes["ce_id"] == trigger_id(told.type, data["subject"]["ref"], data["episode"]["key"])
            assert attributes["ce_subject"] == data["subject"]["ref"]


# Schemas


@each_version
def test_schemas_have_changed_by_the_rules_only(version: Version) -> None:
    """All faults at once, each with document, place and rule."""
    wrong = []
    for path, old in version.schemas().items():
        if path not in TODAY:
            wrong.append(f"{path} is no more")
            continue
        wrong += [f"{path} {fault.path} {fault.rule}: {fault.text}" for fault in faults(old, TODAY[path], rule_of(path))]
    assert wrong == []


def test_what_is_frozen_is_where_it_is_looked_for() -> None:
    assert [version.name for version in VERSIONS] == sorted(path.name for path in FROZEN.iterdir())


def test_a_reader_that_forgets_or_alters_anything_is_noticed() -> None:
    """What came since may stand there void."""
    old = {"a": 1, "b": {"c": [{"d": "x"}]}}

    assert missing(old, {**old, "later": None, "other": []}) == []
    assert missing(old, {"a": 1, "b": {"c": [{}]}}) == ["$.b.c[0].d is gone"]
    assert set(missing(old, {"a": 2, "b": {"c": []}, "e": 0})) == {
        "$.e says 0",
        "$.a was 1, is 2",
        "$.b.c was [{'d': 'x'}], is []",
    }
