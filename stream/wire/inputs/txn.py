"""Money that moved: topic ``in.txn`` (CAPABILITIES 2.2; field names of ISO 20022 camt.054 and camt.053)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from stream.wire.inputs.common import (
    BankTxCode,
    Channel,
    Code,
    Count,
    Counterparty,
    Indicator,
    Money,
    Paid,
    Payload,
    ProductClass,
    Ref,
)

Mcc = Annotated[str, Meta(min_length=4, max_length=4)]
"""Merchant category, ISO 18245."""


class EntryPosted(Payload, frozen=True, kw_only=True):
    """`txn.entry.posted`: one booked entry. The indicator says which way it went."""

    account_ref: Ref
    amount: Paid
    credit_debit_indicator: Indicator
    bank_tx_code: BankTxCode | None = None
    purpose: Code | None = None
    booking_date: date | None = None
    value_date: date | None = None
    channel: Channel | None = None
    mcc: Mcc | None = None
    merchant_ref: Ref | None = None
    market_id: Ref | None = None
    counterparty: Counterparty | None = None
    balance_after: Money | None = None
    product_class: ProductClass | None = None
    acct_svcr_ref: Ref | None = None
    end_to_end_id: Ref | None = None
    reversal_indicator: bool | None = None


class EntryReversed(Payload, frozen=True, kw_only=True):
    """`txn.entry.reversed`: an earlier entry is taken back."""

    original_acct_svcr_ref: Ref
    account_ref: Ref | None = None
    amount: Paid | None = None
    booking_date: date | None = None
    balance_after: Money | None = None
    reason: Code | None = None


class CardAuthorised(Payload, frozen=True, kw_only=True):
    """`txn.card.authorised`: a card was asked for money; nothing is booked yet."""

    amount: Paid
    card_ref: Ref | None = None
    mcc: Mcc | None = None
    merchant_ref: Ref | None = None
    geocell: Code | None = None
    decision: Literal["APPROVED", "DECLINED"] | None = None


class BalanceClosed(Payload, frozen=True, kw_only=True):
    """`account.balance.closed`: the balance of one account and product at the end of a bank day."""

    account_ref: Ref
    business_date: date
    closing_balance: Money
    product_class: ProductClass | None = None


class FeeCharged(Payload, frozen=True, kw_only=True):
    """`account.fee.charged`."""

    fee_kind: Code
    amount: Paid
    account_ref: Ref | None = None
    waived_by_points: bool | None = None
    booking_date: date | None = None


class BatchCredited(Payload, frozen=True, kw_only=True):
    """`payroll.batch.credited`: an employer's payroll run; ``pay_period`` as the employer writes it (``2026-01``)."""

    employer_ref: Ref
    amount: Paid
    pay_period: Code | None = None
    employee_count: Count | None = None
