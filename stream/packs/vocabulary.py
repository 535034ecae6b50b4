"""The words a pack may use: moments and facts of each mechanism, fields of each event, fields of each trigger type.

Rule: what mechanisms signal is declared here because packs may not know them; a test makes every mechanism signal every
moment and compares. Fields of events and triggers are read from the contract, never written twice.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from msgspec import inspect

from stream.packs.spec import AbsenceRule, CountRule, Emit, RuleSpec
from stream.wire.inputs.common import Money
from stream.wire.outputs import TRIGGERS
from stream.wire.registry import REGISTRY, bare


class Fact(NamedTuple):
    """One figure of a moment: what it can be on the wire, whether it can be absent, and what it says."""

    kind: str
    says: str
    optional: bool = False


MONEY, TEXT, NUMBER, DATE, INSTANT, SHARE = "money", "text", "number", "date", "instant", "share"
Facts = dict[str, Fact]

_LADDER: Final[Facts] = {
    "value": Fact(MONEY, "the value that is judged"),
    "from": Fact(TEXT, "the band left, or stood in; none below the first", optional=True),
    "to": Fact(TEXT, "the band entered, or in sight; none below the first", optional=True),
    "level": Fact(MONEY, "the threshold in question"),
    "gap": Fact(
        MONEY,
        "approaching: what is missing; upgraded: what the next band takes (0 at the top); "
        "at_risk: what is left above; downgraded: what fell short",
    ),
    "dwell_days": Fact(NUMBER, "dates in the zone, or since the threshold was crossed"),
    "velocity_per_day": Fact(MONEY, "mean of the velocity feature a date; none when the rule names none", optional=True),
    "eta_days": Fact(NUMBER, "dates until the gap is closed at that pace; none when it never is", optional=True),
}
_ABSENCE: Final[Facts] = {
    "last_event": Fact(INSTANT, "the event after which nothing came"),
    "silence_days": Fact(NUMBER, "dates that passed: at a deadline its own number, at the end all of them"),
    "elapsed_s": Fact(NUMBER, "seconds from that event to the trigger's time"),
    "key": Fact(TEXT, "value of `per`; only with it"),
    "label": Fact(TEXT, "value of `label` in that event; only with it"),
}
_COMPLETED: Final[Facts] = {
    "amount": Fact(MONEY, "amount of the first event"),
    "followed": Fact(MONEY, "what followed it, in sum"),
    "share": Fact(SHARE, "what followed as a share of the first"),
    "window_hours": Fact(NUMBER, "the rule's `within`, in full hours"),
    "elapsed_s": Fact(NUMBER, "seconds from the first event to the one that completed it"),
}
_STARTED: Final[Facts] = {
    "amount": Fact(MONEY, "the first payment"),
    "label": Fact(TEXT, "value of `label` in it; none without it", optional=True),
    "day": Fact(DATE, "its date"),
}
_MISSED: Final[Facts] = {
    "expected_on": Fact(DATE, "when the habit says it should have come"),
    "grace_days": Fact(NUMBER, "the rule's `grace_days`"),
    "usual_amount": Fact(MONEY, "median of the remembered payments"),
    "last_on": Fact(DATE, "the last payment"),
    "missed": Fact(NUMBER, "misses in a row, this one included"),
}
_EXTREME: Final[Facts] = {
    "amount": Fact(MONEY, "the amount judged"),
    "own_quantile": Fact(SHARE, "share of the customer's other amounts that are smaller"),
    "usual_amount": Fact(MONEY, "the history's `quantile` of the others"),
    "history": Fact(NUMBER, "how many others there are"),
}
_COUNT: Final[Facts] = {
    "count": Fact(NUMBER, "the number reached"),
    "target": Fact(NUMBER, "the rule's highest number"),
    "left": Fact(NUMBER, "how many are missing to it"),
    "period_end": Fact(DATE, "last date of the month; none for other periods", optional=True),
}
ANY: Final = "*"
"""Stands for the moments that the rule itself names."""
MECHANISMS: Final[dict[str, dict[str, Facts]]] = {
    "ladder": dict.fromkeys(("approaching", "upgraded", "at_risk", "downgraded"), _LADDER),
    "absence": {ANY: _ABSENCE},
    "sequence": {"completed": _COMPLETED},
    "rhythm": {"started": _STARTED, "missed": _MISSED},
    "significance": {"extreme": _EXTREME},
    "count": {ANY: _COUNT},
}
"""Mechanism to moment to facts."""


def moments(rule: RuleSpec) -> dict[str, Facts]:
    """The moments this rule can signal, and the facts of each."""
    facts = MECHANISMS[rule.mechanism]
    if isinstance(rule, AbsenceRule):
        names = [stage.moment for stage in rule.stages] + ([rule.ended] if rule.ended else [])
        return dict.fromkeys(names, _named(facts[ANY], {"key": rule.per, "label": rule.label}))
    if isinstance(rule, CountRule):
        names = [target.moment for target in rule.targets]
        end = facts[ANY]["period_end"]._replace(optional=rule.period != "month")
        return {name: {**facts[ANY], "period_end": end} for name in names}
    return facts


def _named(facts: Facts, given: dict[str, str | None]) -> Facts:
    """Without those facts whose field the rule does not name."""
    return {name: fact for name, fact in facts.items() if given.get(name, "") is not None}


class Kind(StrEnum):
    """What a field of an event is."""

    MONEY = "an amount of money"
    WORD = "a word of a closed list"
    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"
    TIME = "a date or an instant"
    LIST = "a list"
    OBJECT = "an object with fields of its own"


class Field(NamedTuple):
    """One field of an event type; `words` only where the list is closed."""

    kind: Kind
    words: tuple[str, ...] = ()
    required: bool = False


def event_types() -> list[str]:
    """The event types that a pack may listen to."""
    return [name for name, entry in REGISTRY.items() if entry.supported]


@cache
def event_fields(name: str) -> dict[str, Field]:
    """All fields of an event type; those of nested objects with a dot. Remembered: types say what they are slowly.

    >>> event_fields("txn.entry.posted")["counterparty.own_name"].kind.value
    'true or false'
    """
    return _fields(inspect.type_info(REGISTRY[name].struct), "")


def _fields(described: inspect.Type, prefix: str) -> dict[str, Field]:
    found: dict[str, Field] = {}
    assert isinstance(described, inspect.StructType)
    for each in described.fields:
        kind, name = _plain(each.type), prefix + each.encode_name
        if isinstance(kind, inspect.StructType) and not issubclass(kind.cls, Money):
            found[name] = Field(Kind.OBJECT, (), each.required)
            found |= _fields(kind, name + ".")
        else:
            words = tuple(map(str, kind.values)) if isinstance(kind, inspect.LiteralType) else ()
            found[name] = Field(_kind(kind), words, each.required)
    return found


def _plain(kind: inspect.Type) -> inspect.Type:
    """A field's type without its `None` and without what only the schema says."""
    kind = bare(kind)
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _kind(kind: inspect.Type) -> Kind:
    if isinstance(kind, inspect.StructType):
        return Kind.MONEY
    plain = {
        inspect.LiteralType: Kind.WORD,
        inspect.StrType: Kind.TEXT,
        inspect.BoolType: Kind.FLAG,
        inspect.IntType: Kind.NUMBER,
        inspect.FloatType: Kind.NUMBER,
        inspect.DateType: Kind.TIME,
        inspect.DateTimeType: Kind.TIME,
    }
    return plain.get(type(kind), Kind.LIST)


@cache
def detail_kinds(trigger_type: str) -> dict[str, tuple[str, bool]]:
    """The fields of a trigger type's details: what kind of fact each holds, and whether it may be absent.

    >>> detail_kinds("tier.upgraded")["gap"], detail_kinds("dormancy.ended")["last_event"]
    (('money', False), ('instant', False))
    """
    described = inspect.type_info(TRIGGERS[trigger_type])
    assert isinstance(described, inspect.StructType)
    return {
        each.encode_name: (_fact_kind(_plain(each.type)), isinstance(each.type, inspect.UnionType)) for each in described.fields
    }


def _fact_kind(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.StructType):
        return MONEY
    if isinstance(kind, inspect.IntType):
        return NUMBER
    pattern = kind.pattern if isinstance(kind, inspect.StrType) else None
    if pattern is None:
        return TEXT
    return INSTANT if "T" in pattern else DATE if "[0-9]{4}-" in pattern else SHARE


def told(emit: Emit) -> dict[str, str]:
    """Details field to fact: by the same name unless the pack names another."""
    return {field: emit.details.get(field, field) for field in detail_kinds(emit.type)}
