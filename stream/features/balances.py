"""金融总量 (AUM): the sum of a customer's account balances as of a date (CAPABILITIES rows 1-4).

Rule: per account and product the latest booking date wins; within a date the latest instant, then sequence; a closed
balance overrides that date's postings. All folds commute.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import NamedTuple

import msgspec


class Entry(NamedTuple):
    """The balance that a date ended with, as far as known. `minor` is in base minor units."""

    day: int
    at: int
    sequence: str
    minor: int
    origin: str


class Account(msgspec.Struct, array_like=True, gc=False):
    """One account: by product class (empty where the event names none) what postings left and what was closed."""

    posted: dict[str, list[Entry]] = {}
    closed: dict[str, list[Entry]] = {}
    ended: int = 0


class Balances(msgspec.Struct, array_like=True, gc=False):
    """All accounts of one customer by reference."""

    accounts: dict[str, Account] = {}


SPARE = 3
"""Dates of an account that are no trouble to keep: looking for what can go costs more."""
_DAY = itemgetter(0)


def post(state: Balances, account: str, product: str, entry: Entry) -> None:
    """Fold the balance after a posting."""
    _insert(_account(state, account).posted, product, entry)


def close(state: Balances, account: str, product: str, entry: Entry) -> None:
    """Fold a closed balance; it overrides that date's postings."""
    _insert(_account(state, account).closed, product, entry)


def end(state: Balances, account: str, day: int) -> None:
    """The account was closed: it counts nothing from this date on."""
    found = _account(state, account)
    found.ended = max(found.ended, day)


def as_of(state: Balances, day: int) -> int:
    """Base minor units over all accounts at the close of a date.

    >>> state = Balances()
    >>> post(state, "A1", "", Entry(5, 1, "", 700, "x@1")); close(state, "A1", "DEMAND", Entry(5, 0, "", 650, "y@1"))
    >>> as_of(state, 4), as_of(state, 5)
    (0, 650)
    """
    total = 0
    for account in state.accounts.values():
        if account.ended and day >= account.ended:
            continue
        if not _one_pot(account):
            total += sum([entry.minor for entry in _merged(account, day)])
            continue
        movement = closing = None
        for series in account.posted.values():
            movement = _latest(series, day)
        for series in account.closed.values():
            closing = _latest(series, day)
        if closing is None or (movement is not None and movement.day > closing.day):
            closing = movement
        if closing is not None:
            total += closing.minor
    return total


def used(state: Balances, day: int) -> list[Entry]:
    """The entries that make up the sum as of a date, for evidence."""
    entries: list[Entry] = []
    for account in state.accounts.values():
        if account.ended and day >= account.ended:
            continue
        entries += _merged(account, day)
    return entries


def prunable(state: Balances) -> bool:
    """Whether it is worth looking for what to prune."""
    for account in state.accounts.values():
        for by_product in (account.posted, account.closed):
            for series in by_product.values():
                if len(series) > SPARE:
                    return True
    return False


def prune(state: Balances, before: int) -> None:
    """Forget what no date from ``before`` on can ask for."""
    for account in state.accounts.values():
        for series in (*account.posted.values(), *account.closed.values()):
            if len(series) > 1:
                del series[: max(bisect_right(series, before, key=_DAY) - 1, 0)]


def _account(state: Balances, reference: str) -> Account:
    account = state.accounts.get(reference)
    if account is None:
        account = state.accounts[reference] = Account()
    return account


def _insert(by_product: dict[str, list[Entry]], product: str, entry: Entry) -> None:
    series = by_product.get(product)
    if series is None:
        by_product[product] = [entry]
    elif series[-1].day < entry.day:
        series.append(entry)
    else:
        place = bisect_right(series, entry.day, key=_DAY)
        if place and series[place - 1].day == entry.day:
            # the whole entry breaks ties of instant and sequence, so that any order of arrival gives the same winner
            series[place - 1] = max(series[place - 1], entry)
        else:
            series.insert(place, entry)


def _one_pot(account: Account) -> bool:
    """Whether all that is known of an account is of one product: nearly always so."""
    posted, closed = account.posted, account.closed
    if len(posted) + len(closed) == 1:
        return True
    if len(posted) != 1 or len(closed) != 1:
        return False
    return "" in posted or "" in closed or posted.keys() == closed.keys()


def _latest(series: list[Entry] | None, day: int) -> Entry | None:
    if not series:
        return None
    last = series[-1]
    if last.day <= day:
        return last
    place = bisect_right(series, day, key=_DAY)
    return series[place - 1] if place else None


def _merged(account: Account, day: int) -> list[Entry]:
    """Events that name no product class belong to the account's only one, else to its demand deposit."""
    entries: list[Entry] = []
    posted, closed = account.posted, account.closed
    named = sorted({*posted, *closed} - {""})
    home = "DEMAND" if "DEMAND" in named else named[0] if named else ""
    for product in named or [""]:
        names = {product, ""} if product == home else {product}
        movements = [entry for name in names if (entry := _latest(posted.get(name), day)) is not None]
        closings = [entry for name in names if (entry := _latest(closed.get(name), day)) is not None]
        movement, closing = max(movements, default=None), max(closings, default=None)
        if movement is not None and (closing is None or movement.day > closing.day):
            closing = movement
        if closing is not None:
            entries.append(closing)
    return entries
