"""Why a payload is refused, in words that hold nothing of the payload.

Rule: only texts made from our own types pass; whatever else a library says is replaced.
"""

from __future__ import annotations

import re

from stream.domain.reasons import RejectCode

_MISSING = re.compile(r"Object missing required field `([a-z_]+)`")
_TYPE = re.compile(r"Expected `([a-z| ]+)`, got `([a-z]+)`")
_LIMIT = re.compile(r"Expected `(str|int|float|array)` (?:of length )?(?:>=|<=|<|>) [0-9.e+-]+")
_WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_FIXED = {
    "Invalid RFC3339 encoded datetime": "expected an RFC 3339 stamp",
    "Invalid RFC3339 encoded date": "expected an ISO 8601 date",
    "Expected `datetime` with a timezone component": "expected an RFC 3339 stamp with a zone",
    "Integer value out of range": "expected an integer of at most 64 bits",
}
_OWN = "scope "

Fault = tuple[RejectCode, str, str]


def fault(message: str) -> Fault:
    """Code, path below ``$.data`` and text for what msgspec said.

    >>> fault("Expected `str | null`, got `int` - at `$.channel`")
    (<RejectCode.WRONG_TYPE: 'WRONG_TYPE'>, '$.data.channel', 'expected string, got integer')
    >>> fault("Invalid enum value '4111-1111' - at `$.channel`")[2]
    'expected one of the listed values'
    """
    said, _, place = message.partition(" - at `$")
    path = "$.data" + place.rstrip("`")
    if missing := _MISSING.fullmatch(said):
        return RejectCode.MISSING_FIELD, f"{path}.{missing[1]}", "required field is missing"
    if wrong := _TYPE.fullmatch(said):
        wanted = " or ".join(_word(part) for part in wrong[1].split(" | ") if part != "null")
        return RejectCode.WRONG_TYPE, path, f"expected {wanted}, got {_word(wrong[2])}"
    return RejectCode.BAD_VALUE, path, _value_text(said)


def _word(name: str) -> str:
    return _WORDS.get(name, name)


def _value_text(said: str) -> str:
    if said.startswith("Invalid enum value"):
        return "expected one of the listed values"
    if said in _FIXED:
        return _FIXED[said]
    if _LIMIT.fullmatch(said):
        return said.replace("Expected", "expected").replace("`str`", "string").replace("`", "")
    if said.startswith("Expected `str` matching regex"):
        return "expected another form"
    return said if said.startswith(_OWN) else "expected another value"
