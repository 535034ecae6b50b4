"""JSON Schema (2020-12) of everything on the wire, made from the types that decode it.

Rule: a schema is the reader's. What comes in may carry fields we do not know, since they are left out and counted; what
goes out may carry fields and words of a later version, which its readers pass over. That what we write today is exact is
held by the types.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stream.domain.reasons import Refusal
from stream.wire.encode import SCHEMA_BASE, dataschema
from stream.wire.inputs.party import ConsentChanged, PreferenceChanged, SuppressionChanged
from stream.wire.outputs import SUPPRESSED, TRIGGERS, DeadLetter, payload_type, suppressed_type
from stream.wire.registry import MAJOR, Entry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
STAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
CONTROL = r"[\u0000-\u001f\u007f-\u009f]"
"""What no name may hold. Refused by `not`, since the end of a pattern is not the same in every engine."""

GROWING = ("phase", "reason_code", "reasons", "trigger_type")
"""Fields whose lists of words grow within a version; a reader takes a word that it does not know as information."""

Schema = dict[str, Any]
ANY_WORD: Schema = {"type": "string", "minLength": 1}


def event(entry: Entry) -> Schema:
    """The data of an input event."""
    schema = _open(_inlined(entry.struct))
    if issubclass(entry.struct, ConsentChanged | PreferenceChanged | SuppressionChanged):
        schema["allOf"] = [_named(scope) for scope in ("TOPIC", "CHANNEL", "PURPOSE")]
    return _headed(f"{SCHEMA_BASE}events/{entry.name}{MAJOR}.json", entry.name, schema)


def _named(scope: str) -> Schema:
    """Scope X is void without an x."""
    name = scope.lower()
    then = {"required": [name], "properties": {name: {"type": "string"}}}
    return {"if": {"properties": {"scope": {"const": scope}}}, "then": then}


def trigger(kind: str) -> Schema:
    """The data of a trigger type, as readers of any version may rely on it."""
    return _headed(dataschema(kind), kind, _growing(_open(_inlined(payload_type(kind)))))


def suppressed() -> Schema:
    """The data of `trigger.suppressed`: the details are those of the trigger type it names."""
    kinds: dict[str, list[str]] = {}
    for kind, struct in TRIGGERS.items():
        kinds.setdefault(struct.__name__, []).append(kind)
    schemas = [_inlined(suppressed_type(names[0])) for names in kinds.values()]
    schema = schemas[0]
    schema["$defs"] = dict(sorted({name: part for one in schemas for name, part in one["$defs"].items()}.items()))
    schema["properties"]["trigger_type"] = {"enum": sorted(TRIGGERS)}
    schema["properties"]["details"] = {"type": "object"}
    schema["allOf"] = [
        {
            "if": {"properties": {"trigger_type": {"enum": names}}},
            "then": {"properties": {"details": {"$ref": f"#/$defs/{details}"}}},
        }
        for details, names in kinds.items()
    ]
    return _headed(dataschema(SUPPRESSED), SUPPRESSED, _growing(_open(schema)))


def dead_letter() -> Schema:
    """One line of a dead-letter file."""
    return _headed(f"{SCHEMA_BASE}dead_letter{MAJOR}.json", "dead letter", _open(_inlined(DeadLetter)))


def envelope() -> Schema:
    """A structured event as `publish` and `replay` read it; other extension attributes are passed over."""
    text = {"type": "string", "minLength": 1, "maxLength": 256, "not": {"pattern": CONTROL}}
    stamp = {"type": "string", "format": "date-time", "pattern": STAMP}
    properties = {
        "specversion": {"const": "1.0"},
        "id": text,
        "source": text,
        "type": {**text, "pattern": r"^([A-Za-z0-9.-]+\.)?[a-z_]+(\.[a-z_]+){1,2}\.v1$"},
        "subject": {**text, "maxLength": 128, "description": "Pseudonym of the customer; also the Kafka key."},
        "time": {**stamp, "description": "When it happened; years 1970 to 2200."},
        "sequence": {"type": "string", "maxLength": 256, "description": "Orders events of one instant, as text."},
        "recordedtime": {**stamp, "description": "When the source recorded it; what a recorded clock runs on."},
        "kairosorigin": {"type": "string", "description": "Stamped by publish: the line of an old log."},
        "dataschema": {"type": "string"},
        "datacontenttype": {"type": "string"},
        "data": {"type": "object", "description": "By type: events/<type>.v1.json."},
    }
    required = ["specversion", "id", "source", "type", "subject", "time", "data"]
    schema = {"type": "object", "properties": properties, "required": required}
    return _headed(f"{SCHEMA_BASE}envelope{MAJOR}.json", "CloudEvents 1.0, structured JSON", schema)


def _headed(ident: str, title: str, schema: Schema) -> Schema:
    return {"$schema": DIALECT, "$id": ident, **schema, "title": title}


def _inlined(struct: Any) -> Schema:
    """The schema of a type with its own definition on top and the others in ``$defs``."""
    (top,), parts = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    schema: Schema = dict(parts.pop(top["$ref"].removeprefix("#/$defs/")))
    if parts:
        schema["$defs"] = dict(sorted(parts.items()))
    return schema


def _open(schema: Any) -> Any:
    """The same schema, allowing fields it does not know."""
    if isinstance(schema, dict):
        return {name: _open(part) for name, part in schema.items() if name != "additionalProperties"}
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    return schema


def _growing(schema: Schema) -> Schema:
    """The same schema, its growing lists open: the words of today, or another."""
    parts = schema["$defs"]
    for place in (schema, *parts.values()):
        for name in GROWING:
            if name in place.get("properties", {}):
                place["properties"][name] = _grown(place["properties"][name], parts)
    parts.pop(Refusal.__name__)
    return schema


def _grown(field: Schema, parts: Schema) -> Schema:
    if "enum" in field:
        return {**{name: part for name, part in field.items() if name != "enum"}, "anyOf": [{"enum": field["enum"]}, ANY_WORD]}
    if "items" in field:
        return {**field, "items": _grown(field["items"], parts)}
    if "anyOf" in field:
        alternatives = [_grown(one, parts) for one in field["anyOf"]]
        return {**field, "anyOf": [part for one in alternatives for part in one.get("anyOf", [one])]}
    return _grown(parts[field["$ref"].rpartition("/")[2]], parts) if "$ref" in field else field
