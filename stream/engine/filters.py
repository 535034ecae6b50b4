"""Conditions of a pack as predicates over typed payloads.

Rule: a condition is data; it is turned into a closure once, when the pack is bound.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from stream.packs.spec import Where

Predicate = Callable[[Any], bool]
Getter = Callable[[Any], Any]


def getter(path: str) -> Getter:
    """Value of a dotted field path; None where any part is absent."""
    names = path.split(".")
    if len(names) == 1:
        name = names[0]
        return lambda data: getattr(data, name, None)

    def walk(data: Any) -> Any:
        for name in names:
            data = getattr(data, name, None)
            if data is None:
                return None
        return data

    return walk


def predicate(where: Where) -> Predicate:
    """One condition."""
    get = getter(where.field)
    if where.any_of is not None:
        allowed = frozenset(where.any_of)
        return lambda data: _word(get(data)) in allowed
    if where.none_of is not None:
        barred = frozenset(where.none_of)
        return lambda data: (value := get(data)) is not None and _word(value) not in barred
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
    if len(tests) == 1:
        return tests[0]
    return lambda data: all(test(data) for test in tests)


def _word(value: Any) -> Any:
    """Packs write everything as text: true and 5 are ``true`` and ``5`` there."""
    if value is True or value is False:
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def _number(value: Any) -> Decimal | None:
    """A figure, or the amount of a money object, as written."""
    amount = getattr(value, "amount", value)
    return Decimal(amount) if isinstance(amount, (int, str)) and not isinstance(amount, bool) else None
