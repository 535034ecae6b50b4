"""Examples and counter-examples of every type, made from the types.

Rule: every counter-example names the code and the place of its fault; tests hold the decoder and the schemas to both.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple

import orjson
from msgspec import inspect

from stream.domain.reasons import RejectCode
from stream.wire.outputs import SUPPRESSED, TRIGGERS, payload_type, suppressed_type
from stream.wire.registry import MAJOR, REGISTRY, Entry, bare

RECORDED = "2026-01-05T01:30:00.500Z"
"""When all examples were recorded."""
_TEXTS = {
    "account_ref": "A1",
    "action": "submit",
    "agent_ref": "AGENT-7",
    "as_of": "2026-01-05T01:30:00.000Z",
    "birth_month": "1988-06",
    "bank_id": "105100000017",
    "card_kind": "SOCIAL_SECURITY",
    "domain": "PMNT",
    "eta_days": "9",
    "expected_on": "2026-01-10",
    "expires_at": "2026-01-12T01:30:00.000Z",
    "event_time": "2026-01-05T01:30:00.000Z",
    "family": "RCDT",
    "fee_kind": "MANAGEMENT",
    "funnel": "loan_application",
    "geocell": "wtw3s",
    "id": "6d505b2e-439c-550e-96a0-a128231edca9",
    "last_event": "2025-12-06T02:00:00.000Z",
    "mcc": "5411",
    "opened_at": "2026-01-05T01:30:00.000Z",
    "outflow_share": "0.82",
    "own_quantile": "0.99",
    "pay_period": "2026-01",
    "period_end": "2026-01-31",
    "purpose": "SALA",
    "rate": "0.0175",
    "reason_text_en": "Assets of 48,000.00 CNY are 2,000.00 below the next tier.",
    "reason_text_zh": "金融总量48,000.00元，距上一档还差2,000.00元。",
    "ref": "C0000001",
    "screen": "loan_form",
    "step": "income",
    "sub_family": "SALA",
    "tier_from": "0.2万",
    "tier_to": "5万",
    "trigger_id": "6d505b2e-439c-550e-96a0-a128231edca9",
    "tz": "Asia/Shanghai",
    "value": "48000",
}
_SUBJECTS = {
    "calendar.day.closed": "CN",
    "clock.ticked": "core-banking",
    "model.promoted": "churn",
    "ruleset.published": "retail_bank",
}
"""Of events that are about no customer."""
_FIRST = {"scope": "ALL", "channel": "ONLINE", "result": "pass"}
_BAD_LONG = "9" * 16


class Refused(NamedTuple):
    """A counter-example: what is wrong, the code and place it gets."""

    name: str
    code: RejectCode
    path: str
    data: Any


def sample(kind: inspect.Type, name: str, full: bool) -> Any:
    """A value of a type, as JSON; ``full`` with all that is optional, else with nothing that is."""
    if isinstance(kind, inspect.Metadata):
        return sample(kind.type, name, full)
    if isinstance(kind, inspect.UnionType):
        nullable = any(isinstance(part, inspect.NoneType) for part in kind.types)
        return sample(bare(kind), name, full) if full or not nullable else None
    if isinstance(kind, inspect.StructType):
        return _struct(kind, full)
    if isinstance(kind, inspect.VarTupleType):
        return [sample(kind.item_type, name, full)]
    return _plain(kind, name)


def _struct(kind: inspect.StructType, full: bool) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in kind.fields:
        if full or field.required:
            made[field.encode_name] = sample(field.type, field.name, full)
    return {"amount": "120.00", "ccy": "CNY"} if set(made) == {"amount", "ccy"} else made


def _plain(kind: inspect.Type, name: str) -> Any:
    match kind:
        case inspect.LiteralType(values=values):
            return _FIRST[name] if _FIRST.get(name) in values else values[0]
        case inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case inspect.DateType():
            return "2026-01-05"
        case inspect.DateTimeType():
            return "2026-01-05T09:30:00+08:00"
        case inspect.BoolType():
            return False
        case inspect.IntType():
            return 3
        case inspect.FloatType():
            return -0.5
    return _TEXTS.get(name, f"{name.upper().replace('_', '-')}-1")


def described(struct: Any) -> inspect.StructType:
    """What msgspec knows of a struct."""
    kind = inspect.type_info(struct)
    assert isinstance(kind, inspect.StructType)
    return kind


def event(entry: Entry, data: Any, **changed: Any) -> dict[str, Any]:
    """A structured event around some data."""
    about = {"specversion": "1.0", "id": "E1", "source": "core-banking", "type": entry.name + MAJOR}
    about |= {"subject": _SUBJECTS.get(entry.name, "C0000001"), "time": "2026-01-05T09:30:00.000+08:00"}
    return {**about, **changed, "data": data}


def events(entry: Entry) -> dict[str, Any]:
    """The example file of an event type."""
    kind = described(entry.struct)
    least, full = _struct(kind, False), _struct(kind, True)
    if not entry.supported:
        wrong = [Refused("unsupported", RejectCode.UNSUPPORTED, "$.type", full)]
        return {"type": entry.name, "recorded": RECORDED, "examples": [], "refused": _listed(entry, wrong)}
    sound = [("least", 0, least), ("full", 0, full), ("unknown field", 1, {**least, "of_a_later_version": 1})]
    return {
        "type": entry.name,
        "recorded": RECORDED,
        "examples": [{"name": name, "unknown_fields": unknown, "event": event(entry, data)} for name, unknown, data in sound],
        "refused": _listed(entry, _wrongs(entry, kind, full)),
    }


def _listed(entry: Entry, wrongs: list[Refused]) -> list[dict[str, Any]]:
    return [{"name": one.name, "code": one.code.value, "path": one.path, "event": event(entry, one.data)} for one in wrongs]


def _wrongs(entry: Entry, kind: inspect.StructType, full: dict[str, Any]) -> list[Refused]:
    found = [Refused("data is no object", RejectCode.WRONG_TYPE, "$.data", "text")]
    for field in kind.fields[:1]:
        wrong = {**full, field.name: "seven" if isinstance(full[field.name], int) else 7}
        found.append(Refused("wrong type", RejectCode.WRONG_TYPE, f"$.data.{field.name}", wrong))
    for field in [field for field in kind.fields if field.required][:1]:
        without = {name: value for name, value in full.items() if name != field.name}
        found.append(Refused("missing field", RejectCode.MISSING_FIELD, f"$.data.{field.name}", without))
    for field in [field for field in kind.fields if _listed_or_text(field.type)][:2]:
        bad = {**full, field.name: "NOT-LISTED" if isinstance(bare(field.type), inspect.LiteralType) else ""}
        found.append(Refused("bad value", RejectCode.BAD_VALUE, f"$.data.{field.name}", bad))
    for name, signed in entry.money[:1]:
        found += _wrong_money(name, signed, full)
    for name in entry.dates[:1]:
        found.append(Refused("no such date", RejectCode.BAD_VALUE, f"$.data.{name}", {**full, name: "2026-02-30"}))
    if full.get("scope") == "ALL":
        unnamed = {name: value for name, value in full.items() if name != "topic"} | {"scope": "TOPIC"}
        found.append(Refused("scope without its name", RejectCode.BAD_VALUE, "$.data", unnamed))
    return found


def _listed_or_text(kind: inspect.Type) -> bool:
    inner = bare(kind)
    return isinstance(inner, inspect.LiteralType) or (isinstance(inner, inspect.StrType) and inner.min_length == 1)


def _wrong_money(name: str, signed: bool, full: dict[str, Any]) -> list[Refused]:
    def with_amount(amount: Any, ccy: str = "CNY") -> dict[str, Any]:
        return {**full, name: {"amount": amount, "ccy": ccy}}

    place = f"$.data.{name}.amount"
    found = [
        Refused("absurd amount", RejectCode.AMOUNT_OUT_OF_RANGE, place, with_amount(_BAD_LONG)),
        Refused("amount is a number", RejectCode.WRONG_TYPE, place, with_amount(120)),
        Refused("amount in exponents", RejectCode.BAD_VALUE, place, with_amount("1e5")),
        Refused("too many decimals", RejectCode.BAD_VALUE, place, with_amount("1.2345")),
        Refused("no currency code", RejectCode.BAD_VALUE, f"$.data.{name}.ccy", with_amount("1.00", "yen")),
    ]
    if not signed:
        found.append(Refused("negative amount", RejectCode.BAD_VALUE, place, with_amount("-1.00")))
    return found


def refused_lines() -> dict[str, Any]:
    """Lines whose envelope or bytes are at fault, as base64; ``max_bytes`` where a line needs a small limit."""
    entry = REGISTRY["account.opened"]
    sound = event(entry, {"account_ref": "A1"})
    lines: list[tuple[str, RejectCode, str, bytes]] = [
        ("no UTF-8", RejectCode.NOT_UTF8, "$", orjson.dumps(sound).replace(b"A1", b"A\xff")),
        ("no JSON", RejectCode.NOT_JSON, "$", orjson.dumps(sound)[:-1]),
        ("no object", RejectCode.NOT_CLOUDEVENT, "$", b"[]"),
    ]
    for name, code, path, change in _ENVELOPES:
        lines.append((name, code, path, orjson.dumps({**sound, **change})))
    for name in ("id", "source", "type", "subject", "time", "data"):
        without = {key: value for key, value in sound.items() if key != name}
        lines.append((f"no {name}", RejectCode.MISSING_FIELD, f"$.{name}", orjson.dumps(without)))
    listed = [
        {"name": name, "code": code.value, "path": path, "line": b64encode(line).decode()} for name, code, path, line in lines
    ]
    longer = orjson.dumps({**sound, "data": {"account_ref": "A" * 100}})
    oversize = {"name": "too long", "code": RejectCode.OVERSIZE.value, "path": "$.data", "max_bytes": 64}
    return {"recorded": RECORDED, "refused": [*listed, {**oversize, "line": b64encode(longer).decode()}]}


_ENVELOPES: list[tuple[str, RejectCode, str, dict[str, Any]]] = [
    ("another specversion", RejectCode.NOT_CLOUDEVENT, "$.specversion", {"specversion": "0.3"}),
    ("unknown type", RejectCode.UNKNOWN_TYPE, "$.type", {"type": "account.renamed.v1"}),
    ("another major version", RejectCode.UNKNOWN_TYPE, "$.type", {"type": "account.opened.v2"}),
    ("subject is a number", RejectCode.WRONG_TYPE, "$.subject", {"subject": 7}),
    ("empty subject", RejectCode.BAD_VALUE, "$.subject", {"subject": ""}),
    ("subject with a line end", RejectCode.BAD_VALUE, "$.subject", {"subject": "C1\n"}),
    ("subject too long", RejectCode.BAD_VALUE, "$.subject", {"subject": "C" * 129}),
    ("time without zone", RejectCode.BAD_VALUE, "$.time", {"time": "2026-01-05T09:30:00"}),
    ("time that does not exist", RejectCode.BAD_VALUE, "$.time", {"time": "2026-02-30T09:30:00Z"}),
    ("time before 1970", RejectCode.BAD_VALUE, "$.time", {"time": "1969-12-31T23:59:59Z"}),
    ("time in the future", RejectCode.FUTURE_STAMP, "$.time", {"time": "2026-01-05T01:35:00.501Z"}),
    ("data is null", RejectCode.WRONG_TYPE, "$.data", {"data": None}),
]


def triggers(kind: str) -> dict[str, Any]:
    """The example file of an output type; under ``later`` what readers must pass over, although no version says it yet."""
    first = next(iter(TRIGGERS))
    described_as = described(suppressed_type(first) if kind == SUPPRESSED else payload_type(kind))
    full, least = (_trigger(_struct(described_as, all_of_it), first) for all_of_it in (True, False))
    path = "$.data.details" if kind == SUPPRESSED else f"$.data.details.{next(iter(full['details']))}"
    details = "text" if kind == SUPPRESSED else {**full["details"], next(iter(full["details"])): []}
    wrong = [
        Refused("details of a wrong type", RejectCode.WRONG_TYPE, path, {**full, "details": details}),
        Refused("no lineage", RejectCode.MISSING_FIELD, "$.data.lineage", _without(full, "lineage")),
    ]
    later = [
        ("a field of a later version", {**full, "of_a_later_version": 1}),
        ("a word of a later version", {**full, "episode": {**full["episode"], "phase": "retracted"}}),
    ]
    return {
        "type": kind,
        "examples": [{"name": "full", "data": full}, {"name": "least", "data": least}],
        "later": [{"name": name, "data": data} for name, data in later],
        "refused": [{"name": one.name, "code": one.code.value, "path": one.path, "data": one.data} for one in wrong],
    }


def _without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def _trigger(data: dict[str, Any], first: str) -> dict[str, Any]:
    """A sample made to tell one story: an opened episode, a gate that passed."""
    data["episode"]["phase"] = "opened"
    data["gates"] = [{"name": "cooldown", "result": "pass", "reason_code": None}]
    if "trigger_type" in data:
        data["trigger_type"] = first
        data["gates"] = [{"name": "cooldown", "result": "refuse", "reason_code": "COOLDOWN"}]
        data["reasons"] = ["COOLDOWN"]
    return data
