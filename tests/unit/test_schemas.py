"""The files of schemas/: generated, in step with the decoder, and sound by outside validators."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asyncapi3.models.asyncapi import AsyncAPI3
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import ValidationError

from stream.domain.triggers import Phase
from stream.shell.kafka.topics import DEAD, plan
from stream.shell.settings import Settings
from stream.wire import jsonschema
from stream.wire.encode import dead_line
from stream.wire.examples import events, refused_lines, triggers
from stream.wire.faults import fault
from stream.wire.outputs import SUPPRESSED, TRIGGERS, Suppressed, payload_type
from stream.wire.reading import read
from stream.wire.registry import REGISTRY
from stream.wire.schema import documents, write

ROOT = Path(__file__).parents[2] / "schemas"
DOCUMENTS = {path: json.loads(content) for path, content in documents().items()}
KINDS = [*TRIGGERS, SUPPRESSED]
INEXPRESSIBLE = {"absurd amount", "too many decimals"}
"""Limits that hang on the currency; a schema sees only the text."""


def accepts(schema: str, value: Any) -> bool:
    """Whether a schema of ours accepts a value, dates and stamps included."""
    return bool(Draft202012Validator(DOCUMENTS[schema], format_checker=FormatChecker()).is_valid(value))


def test_the_files_are_what_the_registry_generates(tmp_path: Path) -> None:
    """Byte for byte, none missing and none left over."""
    write(tmp_path)
    there, fresh = (
        {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.json")} for root in (ROOT, tmp_path)
    )

    assert sorted(fresh) == sorted(there)
    assert [path for path in fresh if fresh[path] != there[path]] == []


def test_writing_removes_what_is_no_longer_generated(tmp_path: Path) -> None:
    """A type that went takes its file along."""
    (tmp_path / "old.json").write_bytes(b"{}")
    write(tmp_path)
    assert not (tmp_path / "old.json").exists()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if "examples" not in path and path != "asyncapi.json"])
def test_every_schema_is_a_schema(path: str) -> None:
    """Of the 2020-12 dialect, with an id of its own."""
    Draft202012Validator.check_schema(DOCUMENTS[path])
    assert DOCUMENTS[path]["$id"] == f"urn:kairos:schema:{path}"


@pytest.mark.parametrize("name", list(REGISTRY))
def test_event_schemas_agree_with_the_examples(name: str) -> None:
    """Accept every example; refuse every counter-example that a schema can see."""
    file, schema = events(REGISTRY[name]), f"events/{name}.v1.json"
    for one in file["examples"]:
        assert accepts(schema, one["event"]["data"]), one["name"]
        assert accepts("envelope.v1.json", one["event"])
    for one in file["refused"]:
        if one["code"] == "UNSUPPORTED" or one["name"] in INEXPRESSIBLE:
            continue
        assert not accepts(schema, one["event"]["data"]), one["name"]


def test_the_envelope_schema_refuses_faulty_lines() -> None:
    """All but those whose fault is in the registry, the clock or the limit."""
    unseen = {"UNKNOWN_TYPE", "FUTURE_STAMP", "OVERSIZE", "NOT_UTF8", "NOT_JSON"}
    for one in refused_lines()["refused"]:
        if one["code"] in unseen or one["name"] in ("time before 1970", "time that does not exist"):
            continue
        assert not accepts("envelope.v1.json", json.loads(b64decode(one["line"]))), one["name"]


@pytest.mark.parametrize("kind", KINDS)
def test_output_schemas_agree_with_the_examples(kind: str) -> None:
    """Schema and typed decoder accept and refuse alike, the decoder's code is the one named; what only a later version
    may say is accepted by the schema, and not written by this one."""
    file, schema = triggers(kind), f"triggers/{kind}.v1.json"
    decoder = msgspec.json.Decoder(Suppressed[TRIGGERS[next(iter(TRIGGERS))]] if kind == SUPPRESSED else payload_type(kind))
    for one in file["examples"]:
        decoder.decode(json.dumps(one["data"]))
        assert accepts(schema, one["data"]), one["name"]
    for one in file["later"]:
        assert accepts(schema, one["data"]), one["name"]
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(json.dumps(one["data"]))
    for one in file["refused"]:
        assert not accepts(schema, one["data"]), one["name"]
        with pytest.raises(msgspec.ValidationError) as refused:
            decoder.decode(json.dumps(one["data"]))
        code, path, _ = fault(str(refused.value))
        assert (one["code"], one["path"]) == (code.value, path)


def test_outputs_are_read_back_by_their_type() -> None:
    """And nothing else is."""
    for kind in KINDS:
        data = msgspec.json.encode(triggers(kind)["examples"][0]["data"])
        assert msgspec.json.encode(read(kind, data)) == data
    unheard = {**triggers(SUPPRESSED)["examples"][0]["data"], "trigger_type": "unheard.of"}
    with pytest.raises(KeyError):
        read(SUPPRESSED, msgspec.json.encode(unheard))


def test_suppressed_details_are_those_of_the_type_it_names() -> None:
    """Tier details under a dormancy type are refused."""
    data = triggers(SUPPRESSED)["examples"][0]["data"]
    for kind in TRIGGERS:
        fitting = triggers(kind)["examples"][0]["data"]["details"]
        assert accepts(f"triggers/{SUPPRESSED}.v1.json", {**data, "trigger_type": kind, "details": fitting})
    assert not accepts(f"triggers/{SUPPRESSED}.v1.json", {**data, "trigger_type": "dormancy.ended"})
    assert accepts(f"triggers/{SUPPRESSED}.v1.json", {**data, "trigger_type": "of.later", "details": {"new": 1}})


def test_dead_letter_lines_validate() -> None:
    """Whatever bytes they hold."""
    from stream.domain.events import Reject
    from stream.domain.reasons import RejectCode

    line = dead_line(b"\xff", [("a", b"\x00")], None, Reject(RejectCode.NOT_JSON, "$", "expected JSON"), "decode", "f:1")
    assert accepts("dead_letter.v1.json", json.loads(line))


def test_phases_of_the_schema_are_those_of_the_words() -> None:
    """`retracted` is reserved: others may come."""
    schema = jsonschema.trigger("tier.upgraded")
    known, other = schema["$defs"]["Episode"]["properties"]["phase"]["anyOf"]
    assert set(known["enum"]) == {phase.value for phase in Phase}
    assert other["type"] == "string"


# AsyncAPI


def test_the_asyncapi_document_is_sound_by_an_outside_validator() -> None:
    """And the validator understood every part of it: nothing is lost when it writes the document again."""
    document = DOCUMENTS["asyncapi.json"]
    read = AsyncAPI3.model_validate(document)
    assert json.loads(read.model_dump_json(by_alias=True)) == document


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["operations", "receive-in-txn", "action"], "read"),
        (["channels", "in-txn", "bindings", "kafka", "partitions"], 0),
        (["components", "messages", "card-issued", "unheard"], 1),
        (["asyncapi"], "2.6.0"),
    ],
)
def test_the_outside_validator_refuses_faults(place: list[str], value: Any) -> None:
    """It does look."""
    document: Any = json.loads(json.dumps(DOCUMENTS["asyncapi.json"]))
    target = document
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    with pytest.raises(ValidationError):
        AsyncAPI3.model_validate(document)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """Within the document, or to a schema file."""
    document = DOCUMENTS["asyncapi.json"]
    found = list(references(document))

    assert len(found) > 200
    for reference in found:
        if not reference.startswith("#/"):
            assert reference.removeprefix("./") in DOCUMENTS
            continue
        target = document
        for name in reference[2:].split("/"):
            target = target[name]


def references(part: Any) -> Any:
    """Every ``$ref``."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_the_asyncapi_topics_are_those_that_are_created_by_default() -> None:
    """Names, partitions and retention, all but the inner two."""
    planned = {topic.name: topic for topic in plan(Settings()) if topic.name not in ("journal", "state")}
    channels = {channel["address"]: channel["bindings"]["kafka"] for channel in DOCUMENTS["asyncapi.json"]["channels"].values()}

    assert DEAD in channels
    assert sorted(planned) == sorted(channels)
    for name, topic in planned.items():
        configured = channels[name]["topicConfiguration"]
        assert topic.partitions == channels[name]["partitions"]
        assert topic.configs["retention.ms"] == str(configured["retention.ms"])
        assert [topic.configs["cleanup.policy"]] == configured["cleanup.policy"]
