"""Every payload that may go out: triggers, what was suppressed, dead letters (CAPABILITIES 2.3 and 2.4).

Rule: fields in a fixed order, absent values as null, so that equal decisions are equal bytes. Whether a payload was
made live or by a replay is not in here: that is an attribute of the envelope.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from stream.domain.reasons import Refusal
from stream.wire.inputs.common import Money

Day = Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", extra_json_schema={"format": "date"})]
"""ISO date in the pack's zone."""
Stamp = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        extra_json_schema={"format": "date-time"},
    ),
]
"""RFC 3339 in UTC with milliseconds."""
Share = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]{1,6})?$")]
"""A ratio as decimal text, exact to one part in a million."""
Text = Annotated[str, Meta(min_length=1)]
Digest = Annotated[str, Meta(min_length=1, max_length=128)]
Uuid = Annotated[str, Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
Figure = int | str | Money | None
"""A value that explains: a number, a text (also dates, stamps, shares), an amount, or nothing."""


class Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The base of everything that goes out."""


class Episode(Part, frozen=True, kw_only=True):
    """The stretch of a customer's life that this trigger belongs to."""

    id: Uuid
    key: Text
    phase: Literal["opened", "escalated", "closed"]
    opened_at: Stamp


class Subject(Part, frozen=True, kw_only=True):
    """The customer, by pseudonym."""

    ref: Text


class Context(Part, frozen=True, kw_only=True):
    """When it came true, by the events' own time."""

    event_time: Stamp


class Message(Part, frozen=True, kw_only=True):
    """What to say: topic for consent, key of the talk track, the reason with its figures in both languages."""

    topic: Text
    talk_track: Text
    reason_text_zh: Text
    reason_text_en: Text


class Channel(Part, frozen=True, kw_only=True):
    """Until when it makes sense to say it."""

    expires_at: Stamp | None


class Feature(Part, frozen=True, kw_only=True):
    """A figure as it stood, and the source coordinates it came from."""

    name: Text
    value: Figure
    as_of: Stamp
    offsets: tuple[Text, ...]


class Condition(Part, frozen=True, kw_only=True):
    """A comparison that held; `distance` is actual minus threshold."""

    text: Text
    actual: Figure
    threshold: Figure
    distance: Figure


class Evidence(Part, frozen=True, kw_only=True):
    """Everything needed to check the trigger by hand; causes are source coordinates."""

    features: tuple[Feature, ...]
    conditions: tuple[Condition, ...]
    causes: tuple[Text, ...]


class Gate(Part, frozen=True, kw_only=True):
    """What one gate answered; a reason where it refused."""

    name: Text
    result: Literal["pass", "refuse"]
    reason_code: Refusal | None


class Lineage(Part, frozen=True, kw_only=True):
    """Which pack and which engine decided."""

    pack: Text
    pack_digest: Digest
    engine: Text


class Tier(Part, frozen=True, kw_only=True):
    """`tier.*`: a tier is null below the first or above the last band."""

    aum: Money
    tier_from: Text | None
    tier_to: Text | None
    gap: Money
    velocity_per_day: Money | None
    eta_days: int | None
    dwell_days: int


class Dormancy(Part, frozen=True, kw_only=True):
    """`dormancy.*`."""

    last_event: Stamp
    silence_days: int


class ZeroAsset(Part, frozen=True, kw_only=True):
    """`activation.zero_asset_new`."""

    days_since: int
    card_kind: Text


class Abandoned(Part, frozen=True, kw_only=True):
    """`journey.abandoned`."""

    funnel: Text
    step: Text | None
    elapsed_s: int


class PayrollStarted(Part, frozen=True, kw_only=True):
    """`payroll.started`."""

    amount: Money
    employer_ref: Text | None


class PayrollMissed(Part, frozen=True, kw_only=True):
    """`payroll.missed`."""

    expected_on: Day
    grace_days: int
    usual_amount: Money


class PayrollLeaking(Part, frozen=True, kw_only=True):
    """`payroll.leaking`."""

    amount: Money
    outflow: Money
    outflow_share: Share
    window_hours: int


class Inflow(Part, frozen=True, kw_only=True):
    """`funds.significant_inflow`: `history` is how many own amounts it was judged against."""

    amount: Money
    own_quantile: Share
    usual_amount: Money
    history: int


class DoublePoints(Part, frozen=True, kw_only=True):
    """`points.almost_double` / `.double_earned`."""

    count: int
    target: int
    period_end: Day | None


D = TypeVar("D")


class Trigger(Part, Generic[D], frozen=True, kw_only=True):
    """The data of a trigger; `details` depend on its type."""

    episode: Episode
    subject: Subject
    context: Context
    message: Message
    channel: Channel
    details: D
    evidence: Evidence
    gates: tuple[Gate, ...]
    lineage: Lineage


class Suppressed(Part, Generic[D], frozen=True, kw_only=True):
    """The data of `trigger.suppressed`: the trigger that did not come about, and every reason why."""

    trigger_type: Text
    trigger_id: Uuid
    reasons: Annotated[tuple[Refusal, ...], Meta(min_length=1)]
    episode: Episode
    subject: Subject
    context: Context
    message: Message
    channel: Channel
    details: D
    evidence: Evidence
    gates: tuple[Gate, ...]
    lineage: Lineage


class Fault(Part, frozen=True, kw_only=True):
    """Why a record is dead, without a value of it."""

    code: str
    path: str
    text: str
    stage: str


class DeadLetter(Part, frozen=True, kw_only=True):
    """One line of a dead-letter file; bytes in base64, exactly as they came."""

    error: Fault
    origin: str
    headers: tuple[tuple[str, str | None], ...]
    key: str | None
    value: str | None


SUPPRESSED = "trigger.suppressed"
TRIGGERS: dict[str, type[Part]] = {
    "activation.zero_asset_new": ZeroAsset,
    "dormancy.ended": Dormancy,
    "dormancy.entered": Dormancy,
    "dormancy.entering": Dormancy,
    "funds.significant_inflow": Inflow,
    "journey.abandoned": Abandoned,
    "payroll.leaking": PayrollLeaking,
    "payroll.missed": PayrollMissed,
    "payroll.started": PayrollStarted,
    "points.almost_double": DoublePoints,
    "points.double_earned": DoublePoints,
    "tier.approaching": Tier,
    "tier.at_risk": Tier,
    "tier.downgraded": Tier,
    "tier.upgraded": Tier,
}
"""Trigger type to the type of its details."""


def family(name: str) -> str:
    """The topic family of a trigger type.

    >>> family("tier.approaching")
    'tier'
    """
    return name.partition(".")[0]


@cache
def topic_of(name: str) -> str:
    """The logical topic of an output type; remembered, for the types are few.

    >>> topic_of("tier.approaching"), topic_of(SUPPRESSED)
    ('out.trigger.tier', 'out.suppressed')
    """
    return "out.suppressed" if name == SUPPRESSED else f"out.trigger.{family(name)}"


FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(family(name) for name in TRIGGERS))


def payload_type(name: str) -> Any:
    """The type of a trigger's whole data, for decoding and validation."""
    generic: Any = Trigger
    return generic[TRIGGERS[name]]


def suppressed_type(name: str) -> Any:
    """The type of the suppressed data of a trigger type."""
    generic: Any = Suppressed
    return generic[TRIGGERS[name]]
