"""Which event types exist, what they carry, and to which source topic they belong.

Rule: the one list that decoding, publishing, schemas and the AsyncAPI document are made from.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from stream.wire.inputs import account, app, contact, control, party, txn
from stream.wire.inputs.common import Money, Paid, Payload

MAJOR = ".v1"
"""Every type of today is of the first major version; a breaking change is a new type beside it."""

Known = dict[str, Any]
"""Fields of a type; the value is the `Known` of a nested object, else None."""


class Entry(NamedTuple):
    """One event type.

    Attributes:
        name: Without prefix and version: ``txn.entry.posted``.
        struct: Its payload.
        topic: Logical source topic.
        supported: False for types that Kairos knows and must not drop silently: they become UNSUPPORTED.
        decoder: Reads the payload's JSON bytes.
        money: Names of the fields that are amounts, each with whether it may be negative.
        dates, instants: Names of the fields of that kind; like money, for the checks a decoder cannot make.
        booked: Name of the field that says which date the event belongs to; empty when that is the date of its time.
        known: All fields, nested, for leaving out the others.
    """

    name: str
    struct: type[Payload]
    topic: str
    supported: bool
    decoder: msgspec.json.Decoder[Any]
    money: tuple[tuple[str, bool], ...]
    dates: tuple[str, ...]
    instants: tuple[str, ...]
    booked: str
    known: Known


_TYPES: dict[str, dict[str, type[Payload]]] = {
    "in.txn": {
        "txn.entry.posted": txn.EntryPosted,
        "txn.entry.reversed": txn.EntryReversed,
        "txn.card.authorised": txn.CardAuthorised,
        "account.balance.closed": txn.BalanceClosed,
        "account.fee.charged": txn.FeeCharged,
        "payroll.batch.credited": txn.BatchCredited,
        "clock.ticked": control.Ticked,
        "calendar.day.closed": control.DayClosed,
    },
    "in.account": {
        "account.opened": account.Opened,
        "account.closed": account.Closed,
        "account.status_changed": account.StatusChanged,
        "product.holding.started": account.Holding,
        "product.holding.ended": account.Holding,
        "product.holding.matured": account.Holding,
        "card.issued": account.Card,
        "card.activated": account.Card,
        "ebank.channel.enrolled": account.Ebank,
        "ebank.channel.cancelled": account.Ebank,
        "credit.application.submitted": account.ApplicationSubmitted,
        "credit.application.decided": account.ApplicationDecided,
        "credit.arrears.changed": account.ArrearsChanged,
        "points.accrued": account.Points,
        "points.redeemed": account.Points,
        "points.expiring": account.Points,
    },
    "in.app": {
        "app.session.started": app.SessionStarted,
        "app.screen.viewed": app.ScreenViewed,
        "app.action.performed": app.ActionPerformed,
        "app.step.failed": app.StepFailed,
        "location.cell.entered": app.Cell,
        "location.cell.left": app.Cell,
    },
    "in.party": {
        "party.profile.changed": party.ProfileChanged,
        "party.merged": party.Merged,
        "party.split": party.Split,
        "party.erased": party.Erased,
        "referral.linked": party.Relation,
        "relation.observed": party.Relation,
    },
    "in.consent": {
        "consent.changed": party.ConsentChanged,
        "preference.changed": party.PreferenceChanged,
        "suppression.changed": party.SuppressionChanged,
    },
    "in.contact": {
        "branch.visit.recorded": contact.VisitRecorded,
        "contact.call.ended": contact.Conversation,
        "chat.turn.scored": contact.Conversation,
        "complaint.opened": contact.Complaint,
        "complaint.resolved": contact.Complaint,
    },
    "in.feedback": {
        "message.sent": contact.Message,
        "message.delivered": contact.Message,
        "message.seen": contact.Message,
        "message.dismissed": contact.Message,
        "message.failed": contact.Message,
        "outcome.reported": contact.OutcomeReported,
        "list.member.assigned": contact.Member,
        "list.member.completed": contact.Member,
        "budget.allocated": contact.Budget,
        "budget.spent": contact.Budget,
        "ruleset.published": control.Approved,
        "model.promoted": control.Approved,
    },
}
_UNSUPPORTED = frozenset({"party.merged", "party.split", "party.erased"})


def bare(kind: inspect.Type) -> inspect.Type:
    """A field's type without its `None`."""
    if isinstance(kind, inspect.UnionType):
        return next(part for part in kind.types if not isinstance(part, inspect.NoneType))
    return kind


def known(struct: type[msgspec.Struct]) -> Known:
    """All fields of a payload, nested."""
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    return {field.encode_name: _nested(bare(field.type)) for field in described.fields}


def _nested(kind: inspect.Type) -> Known | None:
    return known(kind.cls) if isinstance(kind, inspect.StructType) else None


def _of_kind(struct: type[Payload], cls: type) -> tuple[str, ...]:
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    wanted = {
        Money: inspect.StructType,
        Paid: inspect.StructType,
        date: inspect.DateType,
        datetime: inspect.DateTimeType,
    }[cls]
    found: list[str] = []
    for field in described.fields:
        kind = bare(field.type)
        if isinstance(kind, wanted) and getattr(kind, "cls", cls) is cls:
            found.append(field.name)
    return tuple(found)


def _amounts(struct: type[Payload]) -> tuple[tuple[str, bool], ...]:
    signed, unsigned = _of_kind(struct, Money), _of_kind(struct, Paid)
    return tuple((name, name in signed) for name in struct.__struct_fields__ if name in signed + unsigned)


def _entry(name: str, struct: type[Payload], topic: str) -> Entry:
    return Entry(
        name=name,
        struct=struct,
        topic=topic,
        supported=name not in _UNSUPPORTED,
        decoder=msgspec.json.Decoder(struct),
        money=_amounts(struct),
        dates=_of_kind(struct, date),
        instants=_of_kind(struct, datetime),
        booked=next((name for name in ("booking_date", "business_date") if name in struct.__struct_fields__), ""),
        known=known(struct),
    )


REGISTRY: dict[str, Entry] = {
    name: _entry(name, struct, topic) for topic, types in _TYPES.items() for name, struct in types.items()
}
SOURCES: tuple[str, ...] = (*_TYPES, "in.redrive")
"""The source topics. ``in.redrive`` takes any type: dead letters that were mended and sent again."""


def spoken(name: str, prefix: str) -> tuple[str, ...]:
    """The texts by which a type may be called on the wire.

    >>> spoken("txn.entry.posted", "com.bank")
    ('txn.entry.posted.v1', 'com.bank.txn.entry.posted.v1')
    """
    plain = name + MAJOR
    return (plain, f"{prefix.rstrip('.')}.{plain}") if prefix else (plain,)


def topic_of(type_text: str, prefix: str = "") -> str | None:
    """The source topic an event of this wire type is published to; None for a type nobody knows.

    >>> topic_of("account.balance.closed.v1"), topic_of("x")
    ('in.txn', None)
    """
    name = type_text.removesuffix(MAJOR)
    if prefix:
        name = name.removeprefix(prefix.rstrip(".") + ".")
    entry = REGISTRY.get(name)
    return entry.topic if entry is not None and type_text.endswith(MAJOR) else None
