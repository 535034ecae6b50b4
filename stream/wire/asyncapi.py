"""The AsyncAPI 3.0 document: which topics we read and write, and what stands in them.

Rule: nothing is said here that the registry does not do; figures of topics are the defaults of the settings.
"""

from __future__ import annotations

from typing import Any

from stream.domain.days import DAY
from stream.wire.jsonschema import CONTROL, DIALECT, STAMP
from stream.wire.outputs import FAMILIES, SUPPRESSED, TRIGGERS, topic_of
from stream.wire.registry import MAJOR, REGISTRY, SOURCES

BINDING = "0.5.0"
PARTITIONS = 8
_DEAD = "dead.letter"
SOURCE_DAYS, OUTPUT_DAYS, DEAD_DAYS = 7, 14, 30

Object = dict[str, Any]
_FORMAT = f"application/schema+json;version={DIALECT.rsplit('/', 2)[1]}"
_KEYS = {
    "subject": {"type": "string", "minLength": 1, "maxLength": 128, "description": "Pseudonym of the customer."},
    "any": {"type": ["string", "null"], "description": "As it came in."},
}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 256, "not": {"pattern": CONTROL}}
_STAMP = {"type": "string", "pattern": STAMP}


def document(version: str) -> Object:
    """The whole document.

    Args:
        version: Of Kairos, since types and topics are versioned with it.
    """
    return {
        "asyncapi": "3.0.0",
        "id": "urn:kairos:api",
        "info": {
            "title": "Kairos",
            "version": version,
            "description": "Bank events in, marketing triggers with their reasons out. CloudEvents 1.0 in Kafka binary "
            "mode: attributes in ce_ headers, the data as the JSON value, keyed by subject.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_key(topic): _channel(topic, kinds) for topic, kinds in _carried().items()},
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def _key(name: str) -> str:
    """A name as keys of the document may be: without dots.

    >>> _key("account.status_changed")
    'account-status_changed'
    """
    return name.replace(".", "-")


def _carried() -> dict[str, list[str]]:
    """Topic to the types it carries."""
    topics: dict[str, list[str]] = {topic: [] for topic in SOURCES}
    for entry in REGISTRY.values():
        topics[entry.topic].append(entry.name)
    topics["in.redrive"] = list(REGISTRY)
    for family in FAMILIES:
        topics[f"out.trigger.{family}"] = []
    for kind in (*TRIGGERS, SUPPRESSED):
        topics.setdefault(topic_of(kind), []).append(kind)
    topics["dlq"] = [_DEAD]
    return topics


def _channel(topic: str, kinds: list[str]) -> Object:
    days = SOURCE_DAYS if topic in SOURCES else DEAD_DAYS if topic == "dlq" else OUTPUT_DAYS
    return {
        "address": topic,
        "description": f"{_ABOUT.get(topic, 'Triggers of one family.')} A deployment may put its prefix in front.",
        "messages": {_key(kind): {"$ref": f"#/components/messages/{_key(kind)}"} for kind in kinds},
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": PARTITIONS,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": days * DAY},
                "bindingVersion": BINDING,
            }
        },
    }


_ABOUT = {
    "in.txn": "Money that moved. Any key and any partition count.",
    "in.account": "What customers hold. Any key and any partition count.",
    "in.app": "What customers do on a screen or in a place. Any key and any partition count.",
    "in.party": "Who customers are. Any key and any partition count.",
    "in.consent": "What customers allow. Any key and any partition count.",
    "in.contact": "Conversations with people. Any key and any partition count.",
    "in.feedback": "What became of messages, lists and budgets. Any key and any partition count.",
    "in.redrive": "Events of any type that were mended and are sent again. Any key and any partition count.",
    "out.suppressed": "Every candidate that did not become a trigger, with the reasons.",
    "dlq": "Records that are no event: original key, value and headers, and why.",
}


def _operations() -> dict[str, Object]:
    """One operation per topic, from where Kairos stands."""
    return {
        f"{'receive' if topic in SOURCES else 'send'}-{_key(topic)}": {
            "action": "receive" if topic in SOURCES else "send",
            "channel": {"$ref": f"#/channels/{_key(topic)}"},
            "messages": [{"$ref": f"#/channels/{_key(topic)}/messages/{_key(kind)}"} for kind in kinds],
        }
        for topic, kinds in _carried().items()
    }


def _messages() -> dict[str, Object]:
    made = {_key(name): _message(name, f"./events/{name}{MAJOR}.json", _event_headers(name)) for name in REGISTRY}
    for kind in (*TRIGGERS, SUPPRESSED):
        made[_key(kind)] = _message(kind, f"./triggers/{kind}{MAJOR}.json", _trigger_headers(kind))
    made[_key(_DEAD)] = _dead()
    return made


def _message(name: str, schema: str, headers: Object) -> Object:
    return {
        "name": name,
        "title": name,
        "contentType": "application/json",
        "headers": headers,
        "payload": {"schemaFormat": _FORMAT, "schema": {"$ref": schema}},
        "bindings": {"kafka": {"key": _KEYS["subject"], "bindingVersion": BINDING}},
    }


def _event_headers(name: str) -> Object:
    known = {
        **_common(name),
        "ce_sequence": {"type": "string", "maxLength": 256},
        "ce_recordedtime": _STAMP,
        "ce_kairosorigin": {"type": "string"},
        "content-type": {"type": "string"},
    }
    return {"type": "object", "properties": known, "required": list(_common(name))}


def _trigger_headers(name: str) -> Object:
    known = {
        **_common(name),
        "ce_dataschema": {"type": "string", "format": "uri"},
        "ce_partitionkey": _KEYS["subject"],
        "ce_correlationid": {"type": "string"},
        "ce_causationid": {"type": "string"},
        "ce_kairosmode": {"enum": ["live", "replay"]},
        "content-type": {"const": "application/json"},
    }
    return {"type": "object", "properties": {**known, "ce_expirytime": _STAMP}, "required": list(known)}


def _common(name: str) -> Object:
    wire_name = name.replace(".", r"\.") + MAJOR.replace(".", r"\.")
    return {
        "ce_specversion": {"const": "1.0"},
        "ce_id": _TEXT,
        "ce_source": _TEXT,
        "ce_type": {"type": "string", "pattern": rf"^([A-Za-z0-9.-]+\.)?{wire_name}$"},
        "ce_subject": _KEYS["subject"],
        "ce_time": _STAMP,
    }


def _dead() -> Object:
    named = ("code", "path", "text", "stage", "topic", "partition", "offset", "timestamp")
    headers = {f"__kairos.errors.{name}": {"type": "string"} for name in named}
    return {
        "name": _DEAD,
        "title": "Dead letter",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": list(headers)[:4]},
        "payload": {"description": "The original value, byte for byte; anything at all."},
        "bindings": {"kafka": {"key": _KEYS["any"], "bindingVersion": BINDING}},
    }
