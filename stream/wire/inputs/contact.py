"""People met (topic ``in.contact``), and what became of our own messages, lists and budgets (``in.feedback``)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from stream.wire.inputs.common import Code, Money, Paid, Payload, Ref, Seconds, Sentiment


class VisitRecorded(Payload, frozen=True, kw_only=True):
    """`branch.visit.recorded`."""

    branch_ref: Ref
    queue_kind: Code | None = None
    wait_s: Seconds | None = None


class Conversation(Payload, frozen=True, kw_only=True):
    """`contact.call.ended` / `chat.turn.scored`: sentiment from -1 (angry) to 1 (pleased)."""

    intent: Code | None = None
    sentiment: Sentiment | None = None
    wait_s: Seconds | None = None
    resolved: bool | None = None
    agent_ref: Ref | None = None


class Complaint(Payload, frozen=True, kw_only=True):
    """`complaint.opened` / `.resolved`."""

    category: Code
    severity: Code | None = None
    complaint_ref: Ref | None = None


class Member(Payload, frozen=True, kw_only=True):
    """`list.member.assigned` / `.completed`."""

    list_ref: Ref
    due_at: Annotated[datetime, Meta(tz=True)] | None = None
    owner_org: Ref | None = None


class Budget(Payload, frozen=True, kw_only=True):
    """`budget.allocated` / `.spent`."""

    campaign_ref: Ref
    amount: Paid


class Message(Payload, frozen=True, kw_only=True):
    """`message.sent` / `.delivered` / `.seen` / `.dismissed` / `.failed`."""

    trigger_id: Ref
    channel: Code | None = None
    template_ref: Ref | None = None
    sent_at: Annotated[datetime, Meta(tz=True)] | None = None


class OutcomeReported(Payload, frozen=True, kw_only=True):
    """`outcome.reported`: what the customer did afterwards; the value where it has one."""

    outcome_kind: Code
    trigger_id: Ref | None = None
    value: Money | None = None
