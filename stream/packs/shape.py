"""Data against its declared shape: every fault at its line, in words a pack's author understands.

Rule: pydantic finds the faults; this only says where they stand in the text and what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stream.packs.faults import Fault, LintCode, unknown
from stream.packs.source import Source
from stream.packs.tomlines import Path

M = TypeVar("M", bound=BaseModel)
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table of names",
    "model_type": "a table of fields",
    "model_attributes_type": "a table of fields",
    "none_required": "nothing",
}
_LIMITS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
_NAME = "^[a-z][a-z0-9_]*$"
ENTRY = 2
"""Steps to an entry of a pack: its table (`rules`), its name."""
_CURRENCY_FIELDS = ("currency", "rates")


def shaped(model: type[M], source: Source) -> tuple[M | None, tuple[Fault, ...]]:
    """The data as its type, or all that keeps it from being that."""
    try:
        return model.model_validate(source.data), ()
    except ValidationError as error:
        found = [each for each in error.errors(include_url=False) if not _other_branch(source.data, each)]
        return None, tuple(dict.fromkeys(_fault(model, source, each) for each in found))


def remaining(model: type[M], source: Source) -> tuple[M | None, frozenset[Path]]:
    """What the data is without all that is faulty, and what was taken out; None when nothing sensible is left.

    A field that is not known goes by itself; with any other fault goes the entry that it is in: a rule, a feature, an input.
    """
    data, gone = deepcopy(source.data), set[Path]()
    while True:
        try:
            return model.model_validate(data), frozenset(gone)
        except ValidationError as error:
            cuts = {_cut(data, each) for each in error.errors(include_url=False)}
        # the longest first: what goes with its entry anyway does no harm before
        done = [path for path in sorted(cuts, key=len, reverse=True) if _take_out(data, path)]
        if not done:
            return None, frozenset(gone)
        gone.update(done)


def _cut(data: Any, error: ErrorDetails) -> Path:
    path = _path(data, error["loc"])
    return path if error["type"] == "extra_forbidden" else path[:ENTRY]


def _take_out(data: Any, path: Path) -> bool:
    """Whether there was something at this place that could be taken out: an entry of a table."""
    for step in path[:-1]:
        if not _has(data, step):
            return False
        data = data[step]
    found = bool(path) and isinstance(data, dict) and path[-1] in data
    if found:
        del data[path[-1]]
    return found


def _fault(model: type[BaseModel], source: Source, error: ErrorDetails) -> Fault:
    path = _path(source.data, error["loc"])
    kind = error["type"]
    ctx: dict[str, Any] = dict(error.get("ctx") or {})
    if kind == "extra_forbidden":
        text = unknown("field", str(path[-1]), _fields(model, source.data, path[:-1]))
        return source.fault(path, LintCode.UNKNOWN_FIELD, text)
    if kind == "missing":
        return source.fault(path[:-1], LintCode.MISSING_FIELD, f"missing field {path[-1]!r}")
    if kind == "union_tag_not_found":
        return source.fault(path, LintCode.MISSING_FIELD, f"missing field {ctx['discriminator']}")
    if kind == "union_tag_invalid":
        name = str(ctx["discriminator"]).strip("'")
        choices = re.findall(r"'([^']*)'", str(ctx["expected_tags"]))
        return source.fault((*path, name), LintCode.BAD_VALUE, unknown(name, str(ctx["tag"]), choices))
    code = LintCode.BAD_CURRENCY if path[:1] and path[0] in _CURRENCY_FIELDS else LintCode.BAD_VALUE
    return source.fault(path, code, _expected(kind, ctx, error) + _got(error["input"]))


def _expected(kind: str, ctx: Mapping[str, Any], error: ErrorDetails) -> str:
    if kind in _KINDS:
        return f"expected {_KINDS[kind]}"
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return f"expected {words} {ctx[name]}"
    if kind in ("literal_error", "enum"):
        return f"expected {ctx['expected']}"
    if kind == "string_pattern_mismatch":
        named = ctx["pattern"] == _NAME
        return "expected small letters, digits and _" if named else f"expected text like {ctx['pattern']}"
    if kind == "too_short":
        return f"expected at least {ctx['min_length']} items"
    words = error["msg"].removeprefix("Value error, ")
    return words[:1].lower() + words[1:]


def _got(value: object) -> str:
    """The value itself when it is short enough to be recognised."""
    if isinstance(value, (str, int, float)) and len(str(value)) <= 60:
        return f", got {value!r}" if not isinstance(value, bool) else f", got {str(value).lower()}"
    if isinstance(value, list):
        return ", got a list" if value else ", got an empty list"
    return ", got nothing" if value is None else ""


def _path(data: Any, loc: tuple[int | str, ...]) -> Path:
    """The place in the data: pydantic also names the branches of unions, which no text has."""
    path: Path = ()
    for step in loc[:-1]:
        if _has(data, step):
            path, data = (*path, step), data[step]
    return (*path, loc[-1]) if loc and (isinstance(data, dict) or _has(data, loc[-1])) else path


def _has(data: Any, step: int | str) -> bool:
    return step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int) and step < len(data)


def _other_branch(data: Any, error: ErrorDetails) -> bool:
    """A value that may be a list or the name of one is judged as both; only the judgement of what it is counts."""
    for step in error["loc"]:
        if _has(data, step):
            data = data[step]
    branch = str(error["loc"][-1]) if error["loc"] else ""
    wrong_text = error["type"] == "string_type" and branch == "str"
    return wrong_text or (error["type"] == "list_type" and branch.startswith("list[") and isinstance(data, str))


def _fields(model: type[BaseModel], data: Any, path: Path) -> list[str]:
    """The fields that a table at this place may have."""
    found: list[Any] = [model]
    for step in path:
        found = [inner for each in found for kind in _kinds(each, data) for inner in _inside(kind, step)]
        data = data[step] if isinstance(data, (dict, list)) else None  # type: ignore[index]
    kinds = [kind for each in found for kind in _kinds(each, data)]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [info.alias or name for each in models for name, info in each.model_fields.items()]


def _kinds(annotation: Any, data: Any) -> Iterator[Any]:
    """The plain types that an annotation allows here; of a tagged union the tagged one."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0], data)
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part, data)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if _is_tagged(annotation, data):
            yield annotation
    elif annotation is not NoneType:
        yield annotation


def _is_tagged(model: type[BaseModel], data: Any) -> bool:
    for name, info in model.model_fields.items():
        if get_origin(info.annotation) is Literal and info.is_required() and isinstance(data, dict) and name in data:
            return data[name] in get_args(info.annotation)
    return True


def _inside(kind: Any, step: int | str) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            if step in (name, info.alias):
                yield info.annotation
    elif get_origin(kind) in (dict, list, tuple):
        yield get_args(kind)[1 if get_origin(kind) is dict else 0]
