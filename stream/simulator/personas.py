"""Who banks here: seven kinds of people, with Chinese defaults.

Rule: data only. Money is in yuan here (people think in yuan) and turns into minor units at birth.
"""

from __future__ import annotations

from typing import NamedTuple

from stream.simulator.dice import Roll

BANDS = (2_000, 50_000, 200_000, 10_000_000)
"""Tier limits in yuan (S2/篇10); a share of customers is born near one, so that tiers are crossed both ways."""


class Persona(NamedTuple):
    """A kind of customer.

    Attributes:
        share: Customers of this kind in a thousand.
        active: Days with something of their own doing, in a thousand.
        income: Monthly, yuan, from and to.
        balance: Demand deposit at birth, yuan, from and to.
        savings: Chance in a thousand of a time deposit, and of a fund account.
        app: Active days with an app session, in a thousand.
        habits: What an active day holds; names of `stream.simulator.spending.HABITS`, one twice when likelier.
        sleeper: Chance in a thousand of falling silent for a month or more.
    """

    name: str
    share: int
    active: int
    income: tuple[int, int]
    balance: tuple[int, int]
    savings: tuple[int, int]
    app: int
    habits: tuple[str, ...]
    sleeper: int


_CITY = ("shop", "shop", "online", "online", "transfer", "receive", "cash")
_RICH = (*_CITY, "transfer", "receive")
_BRANCH = ("shop", "counter", "cash", "counter")
_TRADE = ("settle", "settle", "settle", "supplier", "online")
_YOUNG = ("online", "online", "shop", "transfer", "receive")
_RARE = ("shop", "transfer", "cash", "receive")
_FRESH = ("shop", "online", "transfer", "receive")
PERSONAS = (
    Persona("salaried", 370, 260, (4_500, 22_000), (3_000, 90_000), (250, 120), 330, _CITY, 40),
    Persona("pensioner", 160, 130, (2_600, 6_500), (5_000, 120_000), (500, 40), 60, _BRANCH, 60),
    Persona("merchant", 100, 420, (9_000, 60_000), (8_000, 150_000), (150, 60), 200, _TRADE, 30),
    Persona("student", 100, 300, (1_200, 2_800), (200, 6_000), (10, 10), 420, _YOUNG, 100),
    Persona("affluent", 60, 220, (30_000, 150_000), (120_000, 3_000_000), (700, 600), 450, _RICH, 50),
    Persona("dormant-prone", 100, 45, (500, 2_500), (10, 8_000), (60, 20), 120, _RARE, 700),
    Persona("new", 110, 180, (3_000, 12_000), (500, 30_000), (0, 0), 380, _FRESH, 80),
)


def choose(roll: Roll) -> Persona:
    """A kind by the shares.

    >>> sum(persona.share for persona in PERSONAS), choose(lambda: 0.999).name
    (1000, 'new')
    """
    place = int(roll() * 1000)
    for persona in PERSONAS:
        place -= persona.share
        if place < 0:
            return persona
    raise AssertionError("shares sum up to 1000")
