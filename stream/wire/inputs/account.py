"""What a customer holds: accounts, products, cards, electronic banking, credit, points: topic ``in.account``."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from stream.wire.inputs.common import (
    AccountStatus,
    CardKind,
    Code,
    EbankChannel,
    Paid,
    Payload,
    ProductClass,
    Rate,
    Ref,
    Signed,
)


class Opened(Payload, frozen=True, kw_only=True):
    """`account.opened`."""

    account_ref: Ref
    kind: Code | None = None
    product_class: ProductClass | None = None
    branch_ref: Ref | None = None
    status: AccountStatus | None = None


class Closed(Payload, frozen=True, kw_only=True):
    """`account.closed`."""

    account_ref: Ref
    kind: Code | None = None
    branch_ref: Ref | None = None
    reason_code: Code | None = None


class StatusChanged(Payload, frozen=True, kw_only=True):
    """`account.status_changed`."""

    account_ref: Ref
    status: AccountStatus
    kind: Code | None = None
    branch_ref: Ref | None = None


class Holding(Payload, frozen=True, kw_only=True):
    """`product.holding.started` / `.ended` / `.matured`: a product in the customer's hands."""

    product_ref: Ref
    family: Code | None = None
    channel_of_sale: Code | None = None
    maturity_date: date | None = None
    rate: Rate | None = None


class Card(Payload, frozen=True, kw_only=True):
    """`card.issued` / `.activated`."""

    card_kind: CardKind
    card_ref: Ref | None = None
    account_ref: Ref | None = None
    branch_ref: Ref | None = None


class Ebank(Payload, frozen=True, kw_only=True):
    """`ebank.channel.enrolled` / `.cancelled`."""

    channels: Annotated[tuple[EbankChannel, ...], Meta(min_length=1, max_length=8)]


class ApplicationSubmitted(Payload, frozen=True, kw_only=True):
    """`credit.application.submitted`."""

    product_ref: Ref
    limit: Paid | None = None


class ApplicationDecided(Payload, frozen=True, kw_only=True):
    """`credit.application.decided`."""

    product_ref: Ref
    decision: Literal["APPROVED", "DECLINED"] | None = None
    limit: Paid | None = None


class ArrearsChanged(Payload, frozen=True, kw_only=True):
    """`credit.arrears.changed`: zero days past due ends the arrears."""

    days_past_due: Annotated[int, Meta(ge=0, le=36_500)]
    product_ref: Ref | None = None
    amount: Paid | None = None


class Points(Payload, frozen=True, kw_only=True):
    """`points.accrued` / `.redeemed` / `.expiring`."""

    points: Signed
    balance: Signed | None = None
    rule_ref: Ref | None = None
    expires_on: date | None = None
