"""A text in YAML or TOML as plain data, and the line of everything in it.

Rule: no file is opened here. YAML means version 1.2 (`on` and `NO` are words, `2026-01-05` is text), a key written twice
is a fault, and nothing is ever executed. TOML gives the same data, so the same pack has the same digest in both.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, NamedTuple

import yaml

from stream.packs.faults import Fault, LintCode
from stream.packs.tomlines import Path, locate

DEEPEST = 40
"""Levels of nesting; far beyond any pack, far below the call stack."""
LARGEST = 200_000
"""Values after aliases are written out, so that no text of a few lines can grow without end."""


class Source(NamedTuple):
    """What a text says, and where.

    Attributes:
        name: What messages call it: ``pack.yaml``.
        lines: Line of each key and item, by path. What an alias repeats has the line where it was written first.
    """

    name: str
    data: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of what stands at a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def fault(self, path: Path, code: LintCode, text: str) -> Fault:
        """A fault at a path."""
        return Fault(self.name, self.line(path), code, text)


def read(name: str, text: str) -> tuple[Source, tuple[Fault, ...]]:
    """The data of a text and the faults of its form; by the name's ending TOML, else YAML.

    >>> source, faults = read("p.yaml", "rules:\\n  tier: {on: NO}\\n")
    >>> source.data, source.line(("rules", "tier", "on")), faults
    ({'rules': {'tier': {'on': 'NO'}}}, 2, ())
    """
    return _toml(name, text) if name.endswith(".toml") else _yaml(name, text)


class _Core(yaml.CSafeLoader):
    """The C parser with the scalars of YAML 1.2 only."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_TAG = "tag:yaml.org,2002:"
for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _firsts = [*_first, ""] if _kind == "null" else [*_first]
    _Core.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})$"), _firsts)


_ADVICE = {"mapping values are not allowed in this context": "; text that holds a colon and a blank is put in quotes"}


def _yaml(name: str, text: str) -> tuple[Source, tuple[Fault, ...]]:
    try:
        node = yaml.compose(text, Loader=_Core)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        words = error.problem or error.context or "unreadable"
        return Source(name, None, {}), (Fault(name, line, LintCode.SYNTAX, words + _ADVICE.get(words, "")),)
    except (yaml.YAMLError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else "unreadable characters"
        return Source(name, None, {}), (Fault(name, 1, LintCode.SYNTAX, what),)
    reader = _Reader(name)
    data = reader.value(node, ()) if node is not None else None
    return Source(name, data, reader.lines), tuple(reader.faults)


class _Reader:
    """Turns nodes into plain data, keeping lines and faults."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self.faults: list[Fault] = []
        self._count = 0
        self._full = False

    def value(self, node: yaml.Node, path: Path) -> Any:
        """Plain data of a node."""
        self._count += 1
        self.lines.setdefault(path, _line(node))
        if len(path) > DEEPEST or self._count > LARGEST:
            if not self._full:
                self._fault(node, "too deep or too large once its aliases are written out")
            self._full = True
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, place)) for place, child in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, child in self._pairs(node):
            if not isinstance(key, yaml.ScalarNode):
                self._fault(key, "expected text as a key")
            elif key.value in found:
                self._fault(key, f"key {key.value!r} is written twice")
            else:
                self.lines[(*path, key.value)] = _line(key)
                found[key.value] = self.value(child, (*path, key.value))
        for key, child in self._merged(node):
            if key.value not in found:
                self.lines[(*path, key.value)] = _line(key)
                found[key.value] = self.value(child, (*path, key.value))
        return found

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        return ((key, child) for key, child in node.value if key.tag != _TAG + "merge")

    def _merged(self, node: yaml.MappingNode, depth: int = 0) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """What ``<<`` brings in: the nearest first."""
        for key, child in node.value:
            if key.tag == _TAG + "merge":
                for each in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                    if not isinstance(each, yaml.MappingNode) or depth > DEEPEST:
                        self._fault(key, "expected a mapping to merge")
                        continue
                    yield from self._pairs(each)
                    yield from self._merged(each, depth + 1)

    def _scalar(self, node: yaml.Node) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int" and len(text) < 20:
            return int(text)
        if kind == "float":
            return float(text)
        self._fault(node, f"expected plain data, got {node.tag}")
        return None

    def _fault(self, node: yaml.Node, text: str) -> None:
        self.faults.append(Fault(self.name, _line(node), LintCode.SYNTAX, text))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _toml(name: str, text: str) -> tuple[Source, tuple[Fault, ...]]:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r" ?\(at line (\d+), column \d+\)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        words = re.sub(r" ?\(at [^()]*\)$", "", str(error))
        return Source(name, None, {}), (Fault(name, line, LintCode.SYNTAX, words),)
    return Source(name, _plain(data), locate(text)), ()


def _plain(value: Any) -> Any:
    """TOML's dates and times as the text that YAML gives."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds" if value.second else "minutes")
    return value.isoformat() if isinstance(value, date | time) else value
