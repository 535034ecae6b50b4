"""Money as integers of minor units; decimals as text at the edges; never a float (ISO 4217 exponents)."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}
"""Decimal places where they are not two."""
LIMIT = 10**15
"""Amounts at or above this many minor units are absurd (ten trillion of a two-decimal currency)."""


MOST = (1 << 62) - 1
"""The largest sum that is kept, base minor units: 46 quadrillion of a two-decimal currency. A larger one is held there, so that
a row can always be written."""


def bounded(value: int) -> int:
    """A sum as it is kept.

    >>> bounded(5), bounded(-(1 << 70)) == -MOST
    (5, True)
    """
    return value if -MOST <= value <= MOST else MOST if value > 0 else -MOST


def exponent(ccy: str) -> int:
    """Decimal places of a currency."""
    return EXPONENTS.get(ccy, 2)


def minor(amount: str, places: int) -> int:
    """Minor units of a plain decimal text that has at most ``places`` decimals.

    Raises ValueError when it has more.

    >>> minor("-1234.5", 2), minor("7", 0)
    (-123450, 7)
    """
    if places == 2 and amount[-3:-2] == ".":
        return int(amount[:-3] + amount[-2:])
    whole, _, fraction = amount.partition(".")
    if len(fraction) > places:
        raise ValueError(f"expected at most {places} decimals")
    return int(whole + fraction.ljust(places, "0"))


def plain(value: int, places: int = 2) -> str:
    """Decimal text of minor units, as on the wire.

    >>> plain(-123450), plain(5)
    ('-1234.50', '0.05')
    """
    sign = "-" if value < 0 else ""
    if places == 0:
        return f"{value}"
    whole, rest = divmod(abs(value), 10**places)
    return f"{sign}{whole}.{rest:0{places}d}"


class Rates(NamedTuple):
    """Declared rates to one base currency, so that accounts of several currencies have one sum.

    >>> rates = Rates.declare("CNY", {"USD": "7.10"})
    >>> rates.to_base("100.00", "USD")
    71000
    """

    base: str
    places: int
    factors: dict[str, tuple[int, int, int]]

    @classmethod
    def declare(cls, base: str, rates: dict[str, str]) -> Rates:
        """Units of base per unit of each other currency, as decimal text."""
        places = exponent(base)
        factors = {base: (1, 1, places)}
        for ccy, rate in rates.items():
            own = exponent(ccy)
            ratio = Fraction(rate) * Fraction(10**places, 10**own)
            factors[ccy] = (ratio.numerator, ratio.denominator, own)
        return cls(base, places, factors)

    def to_base(self, amount: str, ccy: str) -> int:
        """Minor units of base, rounded half away from zero, within `MOST`. Raises KeyError for an undeclared currency."""
        numerator, denominator, places = self.factors[ccy]
        value = minor(amount, places)
        if denominator == numerator:
            return bounded(value)
        scaled = abs(value) * numerator
        rounded = (scaled * 2 + denominator) // (denominator * 2)
        return bounded(-rounded if value < 0 else rounded)
