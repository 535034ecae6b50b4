"""The small words that payloads are made of.

Rule: a limit that msgspec checks while decoding stands in `Meta`; one that needs two fields, or that would cost a
regular expression per event, is declared here for the schema and checked in `stream.wire.checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

AMOUNT_PATTERN = r"^-?[0-9]{1,30}(\.[0-9]{1,3})?$"
"""Generous on purpose: an absurd amount is AMOUNT_OUT_OF_RANGE, not a malformed text."""
PAID_PATTERN = AMOUNT_PATTERN.replace("-?", "")
CCY_PATTERN = "^[A-Z]{3}$"

Ref = Annotated[str, Meta(min_length=1, max_length=128)]
"""A name that some system gave to a thing: an account, a card, a campaign."""
Code = Annotated[str, Meta(min_length=1, max_length=64)]
"""A word of an open list that the institution keeps."""
Rate = Annotated[str, Meta(pattern=r"^-?[0-9]{1,6}(\.[0-9]{1,12})?$(?!\n)", max_length=24)]
"""A ratio as decimal text, never a float: an interest rate of 1.75 % is ``0.0175``."""
Count = Annotated[int, Meta(ge=0, le=10**12)]
Signed = Annotated[int, Meta(ge=-(10**12), le=10**12)]
Millis = Annotated[int, Meta(ge=0, le=10**12)]
Seconds = Annotated[int, Meta(ge=0, le=10**9)]
Sentiment = Annotated[float, Meta(ge=-1, le=1)]

Indicator = Literal["CRDT", "DBIT"]
Channel = Literal["COUNTER", "ONLINE", "MOBILE", "SELF_SERVICE", "POS"]
EbankChannel = Literal["ONLINE", "PHONE", "MOBILE", "SMS"]
"""What one electronic-banking contract covers (row 15: web, phone, mobile, text messages)."""
ProductClass = Literal["DEMAND", "TIME", "FUND", "WEALTH"]
CardKind = Literal["DEBIT", "CREDIT", "SOCIAL_SECURITY", "HOUSING_FUND"]
AccountStatus = Literal["ACTIVE", "DORMANT", "FROZEN"]
NetworkClass = Literal["HOME", "WORK", "PUBLIC"]
Scope = Literal["ALL", "TOPIC", "CHANNEL", "PURPOSE"]


class Payload(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The base of all payloads. Unknown fields are refused here so that the decoder notices, counts and drops them."""


class Money(Payload, frozen=True, kw_only=True):
    """An amount as decimal text with its currency (ISO 4217). Never a float."""

    amount: Annotated[
        str, Meta(min_length=1, max_length=40, extra_json_schema={"pattern": AMOUNT_PATTERN}, examples=["1234.50"])
    ]
    ccy: Annotated[str, Meta(min_length=3, max_length=3, extra_json_schema={"pattern": CCY_PATTERN}, examples=["CNY"])]


class Paid(Money, frozen=True, kw_only=True):
    """An amount that is never below zero: what moved, was charged, granted. Which way it went is said elsewhere."""

    amount: Annotated[str, Meta(min_length=1, max_length=40, extra_json_schema={"pattern": PAID_PATTERN}, examples=["1234.50"])]


class BankTxCode(Payload, frozen=True, kw_only=True):
    """ISO 20022 bank transaction code: PMNT/RCDT/SALA is a salary received."""

    domain: Code
    family: Code
    sub_family: Code


class Counterparty(Payload, frozen=True, kw_only=True):
    """The other side of a payment, without a name: a keyed hash, the bank, and whether it is the customer's own name."""

    name_hash: Ref | None = None
    bank_id: Ref | None = None
    own_name: bool | None = None
