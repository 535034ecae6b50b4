"""Conditions of a pack as predicates over typed payloads.

Rule: a condition is data; it is turned into a closure once, when the pack is bound.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any

from stream.packs.spec import Where

Predicate = Callable[[Any], bool]
Getter = Callable[[Any], Any]


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
    """One condition."""
    get = getter(where.field)
    if where.any_of is not None:
        allowed = _values(where.any_of)
        return lambda data: get(data) in allowed
    if where.none_of is not None:
        barred = _values((*where.none_of, None))
        return lambda data: get(data) not in barred
    if where.present is not None:
        wanted = where.present
        return lambda data: (get(data) is not None) is wanted
    low, high = where.at_least, where.at_most
    if low is not None:
        least = Decimal(low)
        return lambda data: (value := _number(get(data))) is not None and value >= least
    most = Decimal(str(high))
    return lambda data: (value := _number(get(data))) is not None and value <= most


def every(conditions: list[Where]) -> Predicate | None:
    """All conditions; None when there are none, so that the caller can skip the call."""
    tests = [predicate(where) for where in conditions]
    if not tests:
        return None
    holds = tests[-1]
    for test in reversed(tests[:-1]):
        holds = _both(test, holds)
    return holds


def _both(one: Predicate, other: Predicate) -> Predicate:
    return lambda data: one(data) and other(data)


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
