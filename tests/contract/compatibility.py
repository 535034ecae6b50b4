"""What of a JSON Schema may change within a version of a type: inputs BACKWARD, outputs FULL, against every released version.

Rule: judges by keyword and fails closed: a difference in a keyword that it does not know is a fault, never a guess.

BACKWARD, for what comes in: today's reader takes whatever an older producer was allowed to write, and keeps all of it.
FULL, for what goes out: that, and every older reader takes whatever today's writer may write. Fields are added as
optional ones; nothing is removed, renamed or retyped; only lists that stand beside "any text" grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

Schema = dict[str, Any]
SAID = ("$schema", "$id", "$defs", "$comment", "title", "description", "examples", "default")
"""Keywords that refuse nothing."""
FLOORS, CEILINGS = ("minLength", "minimum", "minItems"), ("maxLength", "maximum", "maxItems")
JUDGED = {
    "type",
    "anyOf",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "allOf",
    *FLOORS,
    *CEILINGS,
}
NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "array", dict: "object"}


class Rule(StrEnum):
    """How a type may change."""

    BACKWARD = "BACKWARD"
    FULL = "FULL"


class Fault(NamedTuple):
    """A change that breaks somebody.

    Attributes:
        path: Where, from ``$``; ``[]`` are items, ``|n`` the n-th alternative.
        rule: Which direction it breaks: BACKWARD (old data, today's reader), FORWARD (today's data, an old reader), KEPT.
    """

    path: str
    rule: str
    text: str


def faults(old: Schema, new: Schema, rule: Rule) -> list[Fault]:
    """Every change from ``old`` to ``new`` that the rule forbids."""
    found = [Fault(path, "BACKWARD", text) for path, text in unreadable(Side(old, old), Side(new, new), "$")]
    if rule is Rule.FULL:
        found += [Fault(path, "FORWARD", text) for path, text in unreadable(Side(new, new), Side(old, old), "$")]
    found += [Fault(path, "KEPT", text) for path, text in lost(Side(old, old), Side(new, new), "$")]
    return list(dict.fromkeys(found))


class Side(NamedTuple):
    """A part of a document, and the whole for its references."""

    part: Schema
    whole: Schema

    def of(self, part: Schema) -> Side:
        """Another part, references followed."""
        while "$ref" in part:
            target = self.whole["$defs"][part["$ref"].removeprefix("#/$defs/")]
            part = {**target, **{name: value for name, value in part.items() if name != "$ref"}}
        return Side(part, self.whole)

    @property
    def alternatives(self) -> list[Side]:
        """What it may be instead; itself when there is one way only."""
        return [inner for one in self.part["anyOf"] for inner in self.of(one).alternatives] if "anyOf" in self.part else [self]

    @property
    def types(self) -> set[str] | None:
        """JSON types; None for any."""
        given = self.part.get("type")
        if given is not None:
            return {given} if isinstance(given, str) else set(given)
        words = self.words
        return {NAMES[type(word)] for word in words} if words else None

    @property
    def words(self) -> list[Any]:
        """The closed list of values; empty when it is none."""
        return [self.part["const"]] if "const" in self.part else list(self.part.get("enum", ()))

    @property
    def fields(self) -> dict[str, Side]:
        """Properties, references followed."""
        return {name: self.of(part) for name, part in self.part.get("properties", {}).items()}


Found = Iterator[tuple[str, str]]


def unreadable(writer: Side, reader: Side, path: str) -> Found:
    """Where something that the writer's schema allows may be refused by the reader's."""
    writer, reader = writer.of(writer.part), reader.of(reader.part)
    ways = reader.alternatives
    for number, one in enumerate(writer.alternatives):
        tried = [list(_refused(one, way, path)) for way in ways]
        if all(tried):
            # the way that fits best says most
            best = min(tried, key=len)
            where = f"{path}|{number}" if len(writer.alternatives) > 1 or len(ways) > 1 else path
            yield from ((each.replace(path, where, 1), text) for each, text in best)


def _refused(writer: Side, reader: Side, path: str) -> Found:
    yield from _typed(writer, reader, path)
    yield from _listed(writer, reader, path)
    yield from _bounded(writer, reader.part, path)
    yield from _members(writer, reader, path)
    yield from _conditional(writer, reader, path)
    yield from _elements(writer, reader, path)
    for name in sorted((reader.part.keys() | writer.part.keys()) - JUDGED - set(SAID)):
        if name in reader.part and reader.part[name] != writer.part.get(name):
            yield path, f"{name} differs or is new: it cannot be judged whether it refuses more"


def _typed(writer: Side, reader: Side, path: str) -> Found:
    wide = reader.types
    if wide is None:
        return
    narrow = {"integer"} & (writer.types or set()) if "number" in wide else set()
    missing = None if writer.types is None else writer.types - wide - narrow
    if missing is None or missing:
        yield path, f"type {_names(writer.types)} is not among {_names(wide)}"


def _listed(writer: Side, reader: Side, path: str) -> Found:
    if not reader.words:
        return
    if not writer.words:
        yield path, f"any value is narrowed to {_names(map(str, reader.words))}"
    elif missing := [word for word in writer.words if word not in reader.words]:
        yield path, f"{_names(map(str, missing))} is not in the closed list"


def _bounded(writer: Side, reader: Schema, path: str) -> Found:
    lengths = [len(word) for word in writer.words if isinstance(word, str)]
    for names, least in ((FLOORS, True), (CEILINGS, False)):
        for name in names:
            if name not in reader:
                continue
            known = (min if least else max)(lengths) if lengths and name.endswith("Length") else writer.part.get(name)
            if known is None or (known < reader[name] if least else known > reader[name]):
                yield path, f"{name} is narrowed to {reader[name]}"


def _elements(writer: Side, reader: Side, path: str) -> Found:
    theirs, ours = writer.part.get("items", True), reader.part.get("items", True)
    if isinstance(theirs, dict) and isinstance(ours, dict):
        yield from unreadable(writer.of(theirs), reader.of(ours), f"{path}[]")
    elif theirs != ours and ours is not True and "array" in (writer.types or {"array"}):
        yield path, "items are limited where they were free"


def _members(writer: Side, reader: Side, path: str) -> Found:
    needed = set(reader.part.get("required", ())) - set(writer.part.get("required", ()))
    for name in sorted(needed):
        yield f"{path}.{name}", "is required where it may be missing"
    theirs, ours = writer.fields, reader.fields
    for name in theirs.keys() & ours.keys():
        yield from unreadable(theirs[name], ours[name], f"{path}.{name}")
    further = reader.part.get("additionalProperties", True)
    if further is True:
        return
    if further is not False or writer.part.get("additionalProperties", True) is not False:
        yield path, "fields that it does not name are refused"
    for name in sorted(theirs.keys() - ours.keys()):
        yield f"{path}.{name}", "is unknown, and unknown fields are refused"


def _conditional(writer: Side, reader: Side, path: str) -> Found:
    """Conditions on words: those on words that the writer cannot know yet concern nobody."""
    theirs, ours = _conditions(writer), _conditions(reader)
    if theirs is None or ours is None:
        if writer.part.get("allOf") != reader.part.get("allOf"):
            yield path, "allOf differs: it cannot be judged"
        return
    for (name, word), then in ours.items():
        field = writer.fields.get(name)
        known = {each for one in field.alternatives for each in one.words} if field is not None else set()
        if known and word not in known:
            continue
        if (name, word) not in theirs:
            yield path, f"what {name} {word} demands is new"
        else:
            yield from unreadable(writer.of(theirs[name, word]), reader.of(then), f"{path}({name}={word})")


def _conditions(side: Side) -> dict[tuple[str, str], Schema] | None:
    """What is demanded by a field's word; None for a shape that is not of this kind."""
    found: dict[tuple[str, str], Schema] = {}
    for each in side.part.get("allOf", ()):
        asked = each.get("if", {}).get("properties", {})
        if set(each) != {"if", "then"} or set(each["if"]) != {"properties"} or len(asked) != 1:
            return None
        [(name, condition)] = asked.items()
        if not set(condition) <= {"const", "enum"}:
            return None
        found |= {(name, word): each["then"] for word in Side(condition, {}).words}
    return found


def lost(old: Side, new: Side, path: str) -> Found:
    """Fields and words that are no more: nobody refuses them, but what they said is lost."""
    old, new = old.of(old.part), new.of(new.part)
    before = {word for one in old.alternatives for word in one.words}
    now = {word for one in new.alternatives for word in one.words}
    for word in sorted(before - now, key=str):
        yield path, f"the word {word} is no more"
    theirs, ours = _all_fields(old), _all_fields(new)
    for name, field in theirs.items():
        if name not in ours:
            yield f"{path}.{name}", "is no more, or has another name"
        else:
            yield from lost(field, ours[name], f"{path}.{name}")
    for one, other in zip(_items(old), _items(new), strict=False):
        yield from lost(one, other, f"{path}[]")
    then, today = _conditions(old) or {}, _conditions(new) or {}
    for key in then.keys() & today.keys():
        yield from lost(old.of(then[key]), new.of(today[key]), f"{path}({key[0]}={key[1]})")


def _all_fields(side: Side) -> dict[str, Side]:
    return {name: field for one in side.alternatives for name, field in one.fields.items()}


def _items(side: Side) -> list[Side]:
    return [one.of(one.part["items"]) for one in side.alternatives if isinstance(one.part.get("items"), dict)]


def _names(words: Iterable[str] | None) -> str:
    return "any" if words is None else ", ".join(sorted(words))
