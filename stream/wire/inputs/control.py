"""What is said about the bank's days and about the rules and models in force.

Rule: about no customer; `subject` names the calendar, pack or model. They are journaled like others, and none of them moves
time or changes rules: proofs come from ingest, and the pack in force stands in each trigger's lineage.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta

from stream.wire.inputs.common import Code, Count, Payload, Ref


class Ticked(Payload, frozen=True, kw_only=True):
    """`clock.ticked`: a feed says that it has sent everything up to an instant."""

    watermark: Annotated[datetime, Meta(tz=True)]
    partition: Count | None = None
    business_date: date | None = None
    holiday_code: Code | None = None


class DayClosed(Payload, frozen=True, kw_only=True):
    """`calendar.day.closed`: the bank's books of a date are complete."""

    business_date: date
    holiday_code: Code | None = None


class Approved(Payload, frozen=True, kw_only=True):
    """`ruleset.published` / `model.promoted`: who wrote it, who approved it, from when it counts."""

    digest: Ref
    author: Ref | None = None
    approver: Ref | None = None
    effective_watermark: Annotated[datetime, Meta(tz=True)] | None = None
