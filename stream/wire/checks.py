"""What a typed decoder cannot check: decimals, magnitudes, calendar ranges.

Rule: asks only; a fault is a value, None means sound.
"""

from __future__ import annotations

import re
from typing import Any

from stream.domain import money
from stream.domain.reasons import RejectCode
from stream.wire.faults import Fault
from stream.wire.inputs.common import AMOUNT_PATTERN, CCY_PATTERN, PAID_PATTERN
from stream.wire.registry import Entry

_CCY = re.compile(CCY_PATTERN[:-1] + r"\Z")
_AMOUNTS = {True: re.compile(AMOUNT_PATTERN[:-1] + r"\Z"), False: re.compile(PAID_PATTERN[:-1] + r"\Z")}
_FORMS = {
    0: re.compile(r"-?[0-9]{1,30}"),
    2: re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,2})?"),
    3: re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,3})?"),
}
_SMALL = {
    signed: {
        places: re.compile(form.pattern.replace("30", "11").removeprefix("" if signed else "-?")).fullmatch
        for places, form in _FORMS.items()
    }
    for signed in (True, False)
}
"""Amounts of so few digits that they stay below money.LIMIT: sound at one look."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


class Checks:
    """Remembers the currencies seen, so that a known one costs one look."""

    def __init__(self) -> None:
        self._with_sign: dict[str, Any] = {}
        self._without_sign: dict[str, Any] = {}

    def fault(self, entry: Entry, data: Any) -> Fault | None:
        """The first fault of a decoded payload, in the order of its fields within each kind."""
        for name, signed in entry.money:
            value = getattr(data, name)
            if value is not None:
                small = (self._with_sign if signed else self._without_sign).get(value.ccy)
                if small is None or small(value.amount) is None:
                    found = self._money(value, signed, f"$.data.{name}")
                    if found is not None:
                        return found
        for name in entry.dates:
            value = getattr(data, name)
            if value is not None and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
                return RejectCode.BAD_VALUE, f"$.data.{name}", "expected a year from 1900 to 2200"
        for name in entry.instants:
            value = getattr(data, name)
            if value is not None and not _FIRST_YEAR < value.year < _LAST_YEAR:
                return RejectCode.BAD_VALUE, f"$.data.{name}", "expected a year from 1901 to 2199"
        return None

    def _money(self, value: Any, signed: bool, path: str) -> Fault | None:
        if _CCY.match(value.ccy) is None:
            return RejectCode.BAD_VALUE, f"{path}.ccy", "expected three capital letters"
        places = money.exponent(value.ccy)
        self._with_sign[value.ccy] = _SMALL[True][places]
        self._without_sign[value.ccy] = _SMALL[False][places]
        if _AMOUNTS[signed].match(value.amount) is None:
            kind = "a plain decimal text" if signed else "a plain decimal text that is not negative"
            return RejectCode.BAD_VALUE, f"{path}.amount", f"expected {kind}"
        if _FORMS[places].fullmatch(value.amount) is None:
            return RejectCode.BAD_VALUE, f"{path}.amount", f"expected at most {places} decimals"
        if abs(money.minor(value.amount, places)) >= money.LIMIT:
            return RejectCode.AMOUNT_OUT_OF_RANGE, f"{path}.amount", "expected fewer than 10^15 minor units"
        return None
