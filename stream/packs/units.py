"""How a pack writes figures, and the integers they become.

Units: durations are milliseconds, shares parts per million; amounts stay decimal text until the currency is known.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from stream.domain.days import DAY, HOUR, MINUTE, SECOND

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def _duration(value: object) -> object:
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)\s*([smhd])", value)):
        return int(found[1]) * _UNITS[found[2]]
    raise ValueError("expected a duration such as 30m, 2h or 7d")


def _share(value: object) -> object:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            ppm = Decimal(str(value)) * 1_000_000
        except ArithmeticError:
            ppm = Decimal("NaN")
        if ppm.is_finite() and ppm == ppm.to_integral_value():
            return int(ppm)
    raise ValueError("expected a decimal with at most six places, such as 0.02")


def _decimal(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", value):
        return value
    raise ValueError('expected a decimal as text, such as "2000.00"')


def word(value: object) -> object:
    """A yes or no as the text that conditions compare with."""
    return str(value).lower() if isinstance(value, bool) else value


Duration = Annotated[int, BeforeValidator(_duration)]
ShareOf = Annotated[int, BeforeValidator(_share), Field(ge=0)]
Amount = Annotated[str, BeforeValidator(_decimal)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
