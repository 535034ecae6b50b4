"""What can be wrong with a pack: a closed list of codes, and a fault with its line.

Rule: a fault says what was expected, what came, and where; a reader never has to search for the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, NamedTuple


class LintCode(StrEnum):
    """Stable codes; tools may match on them. `MEANINGS` says what each means."""

    SYNTAX = "SYNTAX"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    MISSING_FIELD = "MISSING_FIELD"
    BAD_VALUE = "BAD_VALUE"
    BAD_BANDS = "BAD_BANDS"
    BAD_ZONE = "BAD_ZONE"
    BAD_CURRENCY = "BAD_CURRENCY"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    UNKNOWN_INPUT = "UNKNOWN_INPUT"
    UNKNOWN_FEATURE = "UNKNOWN_FEATURE"
    UNKNOWN_TRIGGER = "UNKNOWN_TRIGGER"
    UNKNOWN_MOMENT = "UNKNOWN_MOMENT"
    UNKNOWN_FACT = "UNKNOWN_FACT"
    UNKNOWN_DETAIL = "UNKNOWN_DETAIL"
    MESSAGE = "MESSAGE"
    UNUSED = "UNUSED"
    NO_SCENARIO = "NO_SCENARIO"


MEANINGS: Final = {
    LintCode.SYNTAX: "not YAML or TOML, or a key written twice",
    LintCode.UNKNOWN_FIELD: "a field that the pack's format, or an event type, does not have",
    LintCode.MISSING_FIELD: "a field that must be there",
    LintCode.BAD_VALUE: "a value of the wrong kind or outside its limits, or one that an event's field can never have",
    LintCode.BAD_BANDS: "bands that do not ascend, or zones around them that overlap",
    LintCode.BAD_ZONE: "a time zone that does not exist",
    LintCode.BAD_CURRENCY: "a currency or a rate that cannot be used",
    LintCode.UNKNOWN_TYPE: "an event type that is not in the registry, or not supported",
    LintCode.UNKNOWN_INPUT: "the name of a list under `inputs` that is not there",
    LintCode.UNKNOWN_FEATURE: "a feature that is not declared, or is of the wrong kind for its use",
    LintCode.UNKNOWN_TRIGGER: "a trigger type that is not in the contract",
    LintCode.UNKNOWN_MOMENT: "a moment that this rule never signals",
    LintCode.UNKNOWN_FACT: "a fact that the moment does not have",
    LintCode.UNKNOWN_DETAIL: "a payload field that the trigger type does not have, or that cannot hold that fact",
    LintCode.MESSAGE: "a message whose braces do not match, or that shows no figure",
    LintCode.UNUSED: "something declared that nothing uses",
    LintCode.NO_SCENARIO: "a trigger type without a scenario in which it fires, or in which it stays silent",
}

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
