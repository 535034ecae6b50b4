"""Bad input to test with: eight kinds of records that are no events, each known by the reason it must be refused for.

Rule: bad lines are put between good ones, which stay as they are; so the rest can be compared with a clean run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

import orjson

from stream.domain.reasons import RejectCode
from stream.simulator.dice import mix

LONGEST = 262_144
"""The decoder's default limit of an event's data, bytes; an oversize line is a little longer."""

Fields = dict[str, Any]
Spoiler = Callable[[Fields, int], bytes]


def poison(
    lines: Iterable[bytes], share: float, seed: int, longest: int = LONGEST
) -> Iterator[tuple[RejectCode | None, bytes]]:
    """The lines (with None) and, after that share of them, a bad one with the reason it is to be refused for.

    The kinds take turns, so that each comes up even in a short log. A bad line has its neighbour's subject and
    `recordedtime`, and an id of its own. `longest` is the limit that an oversize line exceeds, bytes of data.

    >>> good = b'{"id":"E1","subject":"C1","time":"2026-01-05T09:30:00.000+08:00","data":{}}'
    >>> [reason and reason.value for reason, _ in poison([good, good], 1.0, seed=1)]
    [None, 'NOT_JSON', None, 'NOT_UTF8']
    """
    if not 0 <= share <= 1:
        raise ValueError("expected a share from 0 to 1")
    chance = Random(mix(seed, 0xBAD)).random
    count = 0
    for line in lines:
        yield None, line
        if chance() < share:
            reason, spoil = SPOILERS[count % len(SPOILERS)]
            count += 1
            yield reason, spoil(_sound(line, f"P{seed}-{count}"), longest)


def _sound(line: bytes, ident: str) -> Fields:
    """A sound entry at the place and time of this line, to be spoiled."""
    fields: Fields = orjson.loads(line)
    fields |= {"id": ident, "source": "poison", "type": "txn.entry.posted.v1"}
    fields["data"] = {
        "account_ref": "A-POISON",
        "amount": {"amount": "1.00", "ccy": "CNY"},
        "credit_debit_indicator": "CRDT",
        "channel": "ONLINE",
        "booking_date": fields["time"][:10],
    }
    return fields


def _not_json(fields: Fields, longest: int) -> bytes:
    return orjson.dumps(fields)[:-9]


def _not_utf8(fields: Fields, longest: int) -> bytes:
    fields["data"]["account_ref"] = "A-?"
    return orjson.dumps(fields).replace(b"A-?", b"A-\xff\xfe")


def _unknown_type(fields: Fields, longest: int) -> bytes:
    return orjson.dumps(fields | {"type": "txn.entry.imagined.v1"})


def _missing_field(fields: Fields, longest: int) -> bytes:
    del fields["data"]["amount"]
    return orjson.dumps(fields)


def _wrong_type(fields: Fields, longest: int) -> bytes:
    fields["data"]["amount"] = 1.5
    return orjson.dumps(fields)


def _absurd_amount(fields: Fields, longest: int) -> bytes:
    fields["data"]["amount"]["amount"] = "99999999999999999.00"
    return orjson.dumps(fields)


def _future_stamp(fields: Fields, longest: int) -> bytes:
    """Ten years ahead; 28 February stays a date in any year."""
    year, rest = int(fields["time"][:4]) + 10, fields["time"][4:].replace("-02-29", "-02-28")
    return orjson.dumps(fields | {"time": f"{year}{rest}"})


def _oversize(fields: Fields, longest: int) -> bytes:
    fields["data"]["padding"] = "x" * longest
    return orjson.dumps(fields)


SPOILERS: tuple[tuple[RejectCode, Spoiler], ...] = (
    (RejectCode.NOT_JSON, _not_json),
    (RejectCode.NOT_UTF8, _not_utf8),
    (RejectCode.UNKNOWN_TYPE, _unknown_type),
    (RejectCode.MISSING_FIELD, _missing_field),
    (RejectCode.WRONG_TYPE, _wrong_type),
    (RejectCode.AMOUNT_OUT_OF_RANGE, _absurd_amount),
    (RejectCode.FUTURE_STAMP, _future_stamp),
    (RejectCode.OVERSIZE, _oversize),
)
"""In the order in which they take turns."""
