"""A customer of the simulated bank: who they are, what they hold, what is due.

Rule: a customer knows nobody else, so that more customers never change the events of those already there.
Money is minor units (fen), days are ordinals.
"""

from __future__ import annotations

from enum import IntEnum
from heapq import heappop, heappush
from typing import NamedTuple

from stream.simulator.personas import Persona

FOREVER = 1 << 30
"""A day that never comes."""
YUAN = 100


class Due(IntEnum):
    """What a customer's agenda can hold; `stream.simulator.dues` says what each does."""

    OPEN = 1
    FIRST_CREDIT = 2
    INCOME = 3
    INCOME_LATE = 4
    NEW_JOB = 5
    LOAN = 6
    INTEREST = 7
    TIDE = 8
    WINDFALL = 9
    DRAIN = 10
    SAVE = 11
    ARREARS = 12
    OPT_OUT = 13
    OPT_IN = 14


class Task(NamedTuple):
    """Something due on a day. `detail` means what the kind says: an amount, a step, an index."""

    day: int
    due: Due
    detail: int = 0


class Profile(NamedTuple):
    """What does not change.

    Attributes:
        pace: Own activity against the persona's, percent.
        income: Minor units a month.
        budget: Usual amount of one purchase, minor units.
        payday: Day of the month on which income arrives; 0 when none does.
        employer: A number that stands for the employer; 0 when there is none.
        mobile: Chance in a thousand that a transfer or a payment is made on the telephone.
        leaks: Percent of each salary that leaves for another bank within hours; 0 for most.
        quits: First month (as `stream.domain.days.month`) without income; `FOREVER` for most.
        asleep: First and last day of silence; never when the first is `FOREVER`.
        fickle: Chance in a thousand that a begun app journey is left unfinished.
        festive: Spring Festival: red packets, and the bonus in percent of a month's pay; 0 for neither.
    """

    persona: Persona
    pace: int
    income: int
    budget: int
    payday: int
    employer: int
    mobile: int
    leaks: int
    quits: int
    asleep: tuple[int, int]
    fickle: int
    festive: int


class Account:
    """One account and its balance in minor units, which is never negative: a debit it cannot bear is not made."""

    __slots__ = ("balance", "moved", "product", "ref")

    def __init__(self, ref: str, product: str, balance: int) -> None:
        self.ref = ref
        self.product = product
        self.balance = balance
        self.moved = True
        """Whether the day's close must be reported; true at birth, since a bank loads its opening balances."""

    def post(self, amount: int) -> bool:
        """Add a signed amount; False (and nothing changes) when the account cannot bear it."""
        if self.balance + amount < 0:
            return False
        self.balance += amount
        self.moved = True
        return True


class Customer:
    """What changes. `wakes` is the next day on which anything happens; the bank skips all days before it."""

    __slots__ = ("accounts", "active", "agenda", "index", "open_since", "profile", "said", "subject", "wakes")

    def __init__(self, index: int, profile: Profile, accounts: list[Account], open_since: int) -> None:
        self.index = index
        self.subject = f"C{index:07d}"
        self.profile = profile
        self.accounts = accounts
        self.open_since = open_since
        self.agenda: list[Task] = []
        self.active = open_since
        self.wakes = open_since
        self.said = 0
        """Events so far; numbers the ids."""

    def plan(self, day: int, due: Due, detail: int = 0) -> None:
        """Put something on the agenda."""
        heappush(self.agenda, Task(day, due, detail))

    def due(self, day: int) -> list[Task]:
        """Take off the agenda what is due by this day, earliest first."""
        tasks = []
        while self.agenda and self.agenda[0].day <= day:
            tasks.append(heappop(self.agenda))
        return tasks

    def rest(self, active: int) -> None:
        """Sleep until the next active day or the next thing due, whichever is first."""
        self.active = active
        self.wakes = min(active, self.agenda[0].day) if self.agenda else active

    def is_asleep(self, day: int) -> bool:
        """Whether this is a day of the customer's long silence."""
        first, last = self.profile.asleep
        return first <= day <= last

    def account(self, product: str) -> int | None:
        """Index of the account of this product class; None when there is none."""
        return next((place for place, account in enumerate(self.accounts) if account.product == product), None)
