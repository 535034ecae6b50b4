"""What can be wrong with a pack: a closed list of codes, and a fault with its line.

Rule: a fault says what was expected, what came, and where; a reader never has to search for the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple


class LintCode(StrEnum):
    """Stable codes; tools may match on them."""

    SYNTAX = "SYNTAX"
    """Not YAML or TOML, or a key written twice."""
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    """A field that the pack's format, or an event type, does not have."""
    MISSING_FIELD = "MISSING_FIELD"
    """A field that must be there."""
    BAD_VALUE = "BAD_VALUE"
    """A value of the wrong kind or outside its limits, or one that an event's field can never have."""
    BAD_BANDS = "BAD_BANDS"
    """Bands that do not ascend, or zones around them that overlap."""
    BAD_ZONE = "BAD_ZONE"
    """A time zone that does not exist."""
    BAD_CURRENCY = "BAD_CURRENCY"
    """A currency or a rate that cannot be used."""
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    """An event type that is not in the registry, or not supported."""
    UNKNOWN_INPUT = "UNKNOWN_INPUT"
    """The name of a list under `inputs` that is not there."""
    UNKNOWN_FEATURE = "UNKNOWN_FEATURE"
    """A feature that is not declared, or is of the wrong kind for its use."""
    UNKNOWN_TRIGGER = "UNKNOWN_TRIGGER"
    """A trigger type that is not in the contract."""
    UNKNOWN_MOMENT = "UNKNOWN_MOMENT"
    """A moment that the mechanism never signals, or a stage that nothing tells."""
    UNKNOWN_FACT = "UNKNOWN_FACT"
    """A fact that the moment does not have."""
    UNKNOWN_DETAIL = "UNKNOWN_DETAIL"
    """A payload field that the trigger type does not have, or that cannot hold that fact."""
    MESSAGE = "MESSAGE"
    """A message whose braces do not match, or that shows no figure."""
    UNUSED = "UNUSED"
    """Something declared that nothing uses."""
    NO_SCENARIO = "NO_SCENARIO"
    """A trigger type without a scenario in which it fires, or in which it stays silent."""


SOFT = frozenset({LintCode.UNUSED, LintCode.NO_SCENARIO})
"""What `kairos lint` reports and a worker nevertheless starts with."""


class Fault(NamedTuple):
    """One thing that is wrong.

    >>> print(Fault("pack.yaml", 41, LintCode.UNKNOWN_FEATURE, "unknown feature 'spend_7d'"))
    pack.yaml:41 unknown feature 'spend_7d' [UNKNOWN_FEATURE]
    """

    file: str
    line: int
    code: LintCode
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.text} [{self.code}]"


def unknown(what: str, name: str, choices: Iterable[str]) -> str:
    """The wording for a name that is not among the choices, with the nearest one.

    >>> unknown("field", "spend_7d", ["amount", "spend_7d_sum"])
    "unknown field 'spend_7d'; did you mean 'spend_7d_sum'?"
    >>> unknown("moment", "x", ["completed"])
    "unknown moment 'x'; expected one of completed"
    """
    names = sorted(set(choices))
    near = get_close_matches(name, names, 1, 0.6)
    if near:
        return f"unknown {what} {name!r}; did you mean {near[0]!r}?"
    if 0 < len(names) <= 12:
        return f"unknown {what} {name!r}; expected one of {', '.join(names)}"
    return f"unknown {what} {name!r}"
