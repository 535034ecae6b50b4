"""Who a customer is, and to whom they are tied (topic ``in.party``); what they allow (topic ``in.consent``)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from stream.wire.inputs.common import Code, Payload, Ref, Scope


class ProfileChanged(Payload, frozen=True, kw_only=True):
    """`party.profile.changed`: no free text; an absent field did not change."""

    birth_month: Annotated[str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$", max_length=7)] | None = None
    region: Code | None = None
    risk_level: Code | None = None
    tier: Code | None = None
    tz: Code | None = None


class Merged(Payload, frozen=True, kw_only=True):
    """`party.merged`: known but not supported yet; goes to the dead letters."""

    surviving_ref: Ref
    retired_ref: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=1000)]


class Split(Payload, frozen=True, kw_only=True):
    """`party.split`: known but not supported yet; goes to the dead letters."""

    surviving_ref: Ref
    retired_ref: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=1000)]


class Erased(Payload, frozen=True, kw_only=True):
    """`party.erased`: known but not supported yet; goes to the dead letters."""

    retired_ref: Annotated[tuple[Ref, ...], Meta(max_length=1000)] = ()


class Relation(Payload, frozen=True, kw_only=True):
    """`referral.linked` / `relation.observed`."""

    peer_ref: Ref
    kind: Literal["REFERRAL", "HOUSEHOLD", "EMPLOYER", "MARKET"]


class _Permission(Payload, frozen=True, kw_only=True):
    """Scope and what it names: TOPIC needs `topic`, CHANNEL `channel`, PURPOSE `purpose`; ALL needs none."""

    scope: Scope
    topic: Code | None = None
    channel: Code | None = None
    purpose: Code | None = None
    effective_at: Annotated[datetime, Meta(tz=True)] | None = None
    reason_code: Code | None = None

    def __post_init__(self) -> None:
        if self.scope != "ALL" and getattr(self, self.scope.lower()) is None:
            raise ValueError(f"scope {self.scope} names a {self.scope.lower()}")


class ConsentChanged(_Permission, frozen=True, kw_only=True):
    """`consent.changed`: a legal basis was given or taken back. Absent `effective_at` means: at the event's time."""

    state: Literal["GRANTED", "WITHDRAWN"]


class PreferenceChanged(_Permission, frozen=True, kw_only=True):
    """`preference.changed`: the customer's own wish about being contacted."""

    state: Literal["OPT_IN", "OPT_OUT"]


class SuppressionChanged(_Permission, frozen=True, kw_only=True):
    """`suppression.changed`: the institution's own do-not-contact list."""

    state: Literal["SUPPRESSED", "LIFTED"]
