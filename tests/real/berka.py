"""The Berka data as a log: a Czech bank's bookings of 1993 and 1994 as `txn.entry.posted` events, a line each.

Rule: read where it lies and nothing kept. Neither a row nor anything worked out row by row enters the project.

The subject is the account, as the counts to compare with are by account. `time` is the first instant of the booking
date: that is all the data says of it. `recordedtime` is the instant at which that date is over: a date's bookings are
complete only then, so nothing of it may be judged before, and the log's last line proves its last date closed. The lines
of a date stand as filed, which is not the order of booking; `sequence` says that order, and only it.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import orjson

from stream.domain.days import Calendar, stamp, text
from stream.domain.money import minor, plain

ROOT = Path(os.environ.get("KAIROS_REAL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
FILE = ROOT / "berka" / "trans_prefix_1993-01-01_1994-03-31.asc.gz"
LAST = date(1994, 3, 30).toordinal()
"""The data is cut in the middle of the date after it."""
PRAGUE = Calendar("Europe/Prague")
ROUNDING = 11
"""Most by which the data's own balances miss the sum of their parts, minor units."""
NAME = "berka.jsonl"
"""What the log is called in coordinates."""

CODES = {
    "VKLAD": ("PMNT", "CNTR", "CDPT"),
    "VYBER": ("PMNT", "CNTR", "CWDL"),
    "VYBER KARTOU": ("PMNT", "CCRD", "CWDL"),
    "PREVOD Z UCTU": ("PMNT", "RCDT", "DMCT"),
    "PREVOD NA UCET": ("PMNT", "ICDT", "DMCT"),
}
"""ISO 20022 bank transaction code by operation."""
OWN_CODES = {
    "UROK": ("ACMT", "MCOP", "INTR"),
    "SLUZBY": ("ACMT", "MDOP", "CHRG"),
    "SANKC. UROK": ("ACMT", "MDOP", "INTR"),
}
"""What the bank books by itself, whatever the operation says: credit interest, statement fee, penalty interest."""
PURPOSES = {"DUCHOD": "PENS", "SIPO": "UBIL", "POJISTNE": "INSU", "UVER": "LOAN"}
"""ISO 20022 purpose of what runs by standing order."""
NOT_OWN = frozenset({*OWN_CODES, *PURPOSES})
"""Labels of what the customer did not start."""


class Row(NamedTuple):
    """One booking; amounts in minor units, never negative; the label is the data's own `k_symbol`."""

    id: str
    account: str
    day: int
    credit: bool
    operation: str
    amount: int
    balance: int
    label: str
    bank: str


def rows() -> list[Row]:
    """All bookings to `LAST`, as filed."""
    with gzip.open(FILE, "rt", encoding="ascii", newline="") as file:
        read = csv.reader(file, delimiter=";")
        next(read)
        return [row for row in map(_row, read) if row.day <= LAST]


def _row(cells: list[str]) -> Row:
    ident, account, written, kind, operation, amount, balance, label, bank, _ = cells
    day = date(1900 + int(written[:2]), int(written[2:4]), int(written[4:])).toordinal()
    return Row(ident, account, day, kind == "PRIJEM", operation, minor(amount, 2), minor(balance, 2), label.strip(), bank)


def booked(filed: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each account in the order of booking: on a date all credits, then all debits.

    Raises ValueError where that order does not fit the balances, from 0 on.
    """
    accounts: dict[str, list[Row]] = {}
    for row in filed:
        accounts.setdefault(row.account, []).append(row)
    for account, own in accounts.items():
        # a credit can only raise the balance and a debit only lower it, so the balance itself is the order
        own.sort(key=lambda row: (row.day, not row.credit, row.balance if row.credit else -row.balance))
        before = 0
        for row in own:
            after = before + (row.amount if row.credit else -row.amount)
            if abs(after - row.balance) > ROUNDING:
                raise ValueError(f"expected a chain of balances, but that of account {account} breaks")
            before = row.balance
    return accounts


def log(filed: list[Row], numbered: Callable[[int], int] = lambda place: place) -> Iterator[bytes]:
    """The lines of the log, in the order filed; ``numbered`` makes the sequence of a row's place in its account."""
    places = {row.id: numbered(place) for own in booked(filed).values() for place, row in enumerate(own)}
    for row in filed:
        yield line(row, places[row.id])


def line(row: Row, sequence: int) -> bytes:
    """One booking as a structured CloudEvent."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": row.id,
            "source": "berka",
            "type": "txn.entry.posted.v1",
            "subject": f"A{row.account}",
            "time": stamp(PRAGUE.start(row.day)),
            "recordedtime": stamp(PRAGUE.close(row.day)),
            "sequence": f"{sequence:06d}",
            "data": _data(row),
        }
    )


def _data(row: Row) -> dict[str, object]:
    domain, family, sub_family = OWN_CODES.get(row.label) or CODES[row.operation]
    data: dict[str, object] = {
        "account_ref": f"A{row.account}",
        "amount": {"amount": plain(row.amount), "ccy": "CZK"},
        "credit_debit_indicator": "CRDT" if row.credit else "DBIT",
        "bank_tx_code": {"domain": domain, "family": family, "sub_family": sub_family},
        "booking_date": text(row.day),
        "balance_after": {"amount": plain(row.balance), "ccy": "CZK"},
    }
    if row.label in PURPOSES:
        data["purpose"] = PURPOSES[row.label]
    if row.bank:
        data["counterparty"] = {"bank_id": row.bank}
    return data
