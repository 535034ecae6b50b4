"""Conditions of a pack over typed payloads, and the questions that decide them all.

Rule: a condition is data; it is turned into closures once, when the pack is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any

from stream.packs.spec import Where

Predicate = Callable[[Any], bool]
Getter = Callable[[Any], Any]


class Condition:
    """All of some tests; none at all is always met."""

    def __init__(self, wheres: Iterable[Where]) -> None:
        self.wheres = tuple(wheres)
        self._tests = tuple(predicate(where) for where in self.wheres)

    def holds(self, data: Any) -> bool:
        """Whether a payload meets it."""
        return all(test(data) for test in self._tests)


def asked(conditions: Iterable[Condition]) -> tuple[list[str], list[Where]]:
    """What decides all of these conditions: fields of which the code counts, and tests of others.

    A field that is compared with codes answers with its code; one that is only asked for whether it is there, or how
    large it is, answers with yes or no, for its values are too many to remember.
    """
    wheres = list(dict.fromkeys(where for condition in conditions for where in condition.wheres))
    coded = {where.field for where in wheres if where.any_of is not None or where.none_of is not None}
    return sorted(coded), [where for where in wheres if where.field not in coded]


def questions(coded: Iterable[str], tests: Iterable[Where]) -> Getter:
    """What to ask a payload, as `asked` found it; the answer is one hashable value."""
    parts: dict[str, list[str]] = {}
    for path in coded:
        outer, _, inner = path.partition(".")
        parts.setdefault(outer if inner else "", []).append(inner or path)
    flat = parts.pop("", [])
    asks: list[Getter] = [attrgetter(*flat)] if flat else []
    asks += [_within(outer, inner) for outer, inner in parts.items()]
    # an object's own fields do not say whether it is there: those that are may all be empty
    asks += [predicate(test) for test in tests]
    if len(asks) == 1:
        return asks[0]
    return lambda data: tuple([ask(data) for ask in asks])


def _within(outer: str, paths: list[str]) -> Getter:
    """Several fields of a nested object; None where it is absent."""
    find, inner = attrgetter(outer), [getter(path) for path in paths]
    if not any("." in path for path in paths):
        together = attrgetter(*paths)
        return lambda data: None if (part := find(data)) is None else together(part)
    return lambda data: None if (part := find(data)) is None else tuple([get(part) for get in inner])


def getter(path: str) -> Getter:
    """Value of a dotted field path that the type has; None where a part is absent."""
    names = path.split(".")
    if len(names) == 1:
        return attrgetter(path)
    if len(names) == 2:
        outer, inner = map(attrgetter, names)
        return lambda data: None if (part := outer(data)) is None else inner(part)

    def walk(data: Any) -> Any:
        for name in names:
            if data is None:
                return None
            data = getattr(data, name)
        return data

    return walk


def optional(path: str) -> Getter:
    """The same for a field that not every type a rule listens to has."""
    names = path.split(".")

    def walk(data: Any) -> Any:
        for name in names:
            data = getattr(data, name, None)
        return data

    return walk


def predicate(where: Where) -> Predicate:
    """One condition, of a payload."""
    get, holds = getter(where.field), judge(where)
    return lambda data: holds(get(data))


def judge(where: Where) -> Predicate:
    """One condition, of the value it is about."""
    if where.any_of is not None:
        return _values(where.any_of).__contains__
    if where.none_of is not None:
        barred = _values((*where.none_of, None))
        return lambda value: value not in barred
    if where.present is not None:
        wanted = where.present
        return lambda value: (value is not None) is wanted
    low, high = where.at_least, where.at_most
    if low is not None:
        least = Decimal(low)
        return lambda value: (number := _number(value)) is not None and number >= least
    most = Decimal(str(high))
    return lambda value: (number := _number(value)) is not None and number <= most


def _values(words: tuple[str | None, ...]) -> frozenset[Any]:
    """Packs write everything as text: ``true`` and ``5`` also stand for true and 5."""
    values: set[Any] = set(words)
    values |= {True} if "true" in values else set()
    values |= {False} if "false" in values else set()
    values |= {int(word) for word in words if word is not None and word.isdecimal()}
    return frozenset(values)


def _number(value: Any) -> Decimal | None:
    """A figure, or the amount of a money object, as written."""
    amount = getattr(value, "amount", value)
    return Decimal(amount) if isinstance(amount, (int, str)) and not isinstance(amount, bool) else None
