"""What can happen on a day, before it is told as events.

Rule: an act is a wish with a time of day; whether the balance bears it is decided when its turn comes, in order of
time, so that balances are always a chain. The JSON inside is complete except for what only the ledger knows.
"""

from __future__ import annotations

from typing import NamedTuple

HOUR = 3_600_000
MINUTE = 60_000


class Posting(NamedTuple):
    """An entry on one account.

    Attributes:
        ms: Time of day, milliseconds.
        account: Index in the customer's accounts.
        amount: Signed minor units.
        nature: JSON members from `nature`.
    """

    ms: int
    account: int
    amount: int
    nature: str


class Move(NamedTuple):
    """Money from one own account to another: two entries, or none when the first cannot bear it."""

    ms: int
    source: int
    target: int
    amount: int
    channel: str


class Note(NamedTuple):
    """An event without money: its type and its finished data."""

    ms: int
    type: str
    data: str


Act = Posting | Move | Note


def nature(code: str, channel: str = "", purpose: str = "", mcc: str = "", counterparty: str = "") -> str:
    """JSON members that say what an entry is; `code` is an ISO 20022 triple.

    >>> nature("PMNT/CNTR/CWDL", "COUNTER")
    '"bank_tx_code":{"domain":"PMNT","family":"CNTR","sub_family":"CWDL"},"channel":"COUNTER",'
    """
    domain, family, sub_family = code.split("/")
    parts = [f'"bank_tx_code":{{"domain":"{domain}","family":"{family}","sub_family":"{sub_family}"}},']
    named = (("purpose", purpose), ("channel", channel), ("mcc", mcc))
    parts += [f'"{name}":"{value}",' for name, value in named if value]
    if counterparty:
        parts.append(f'"counterparty":{counterparty},')
    return "".join(parts)


def party(number: int, bank_id: str, own_name: bool = False) -> str:
    """A counterparty: a pseudonym of its name, its bank, and whether it is the customer's own name elsewhere."""
    own = "true" if own_name else "false"
    return f'{{"name_hash":"{number & 0xFFFFFFFFFFFFFFFF:016x}","bank_id":"{bank_id}","own_name":{own}}}'
