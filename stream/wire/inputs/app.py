"""What a customer does on a screen or in a place: topic ``in.app``."""

from __future__ import annotations

from stream.wire.inputs.common import (
    Code,
    Count,
    Millis,
    NetworkClass,
    Payload,
    Ref,
    Seconds,
)


class SessionStarted(Payload, frozen=True, kw_only=True):
    """`app.session.started`."""

    session_id: Ref
    network_class: NetworkClass | None = None


class ScreenViewed(Payload, frozen=True, kw_only=True):
    """`app.screen.viewed`."""

    session_id: Ref
    screen: Code
    funnel: Code | None = None
    step: Code | None = None
    product_ref: Ref | None = None
    duration_ms: Millis | None = None
    network_class: NetworkClass | None = None


class ActionPerformed(Payload, frozen=True, kw_only=True):
    """`app.action.performed`: a funnel is entered, advanced and completed by actions."""

    session_id: Ref
    action: Code
    screen: Code | None = None
    funnel: Code | None = None
    step: Code | None = None
    product_ref: Ref | None = None
    duration_ms: Millis | None = None
    network_class: NetworkClass | None = None


class StepFailed(Payload, frozen=True, kw_only=True):
    """`app.step.failed`."""

    session_id: Ref
    error_code: Code
    screen: Code | None = None
    action: Code | None = None
    funnel: Code | None = None
    step: Code | None = None
    product_ref: Ref | None = None
    duration_ms: Millis | None = None
    network_class: NetworkClass | None = None


class Cell(Payload, frozen=True, kw_only=True):
    """`location.cell.entered` / `.left`: a coarse cell, never a position; the dwell is known on leaving."""

    geocell: Code
    accuracy_m: Count | None = None
    dwell_s: Seconds | None = None
