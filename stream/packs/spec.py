"""The shape of a pack. These types refuse unknown keys and are frozen; `stream.engine.binding` gives them meaning.

Units: durations are text such as ``30m``, ``2h``, ``7d`` and become milliseconds; shares are decimals and become parts
per million; amounts are decimal text in the pack's currency.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stream.domain.triggers import Phase
from stream.packs.units import Amount, Duration, Name, ShareOf, word


class Part(BaseModel):
    """Base of all parts of a pack."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Where(Part):
    """One condition on a field of the event; exactly one of the comparisons.

    A field that is absent fails all of them but ``present: false``. A yes-or-no field is compared with ``true`` and ``false``.
    """

    field: str
    any_of: tuple[str, ...] | None = Field(None, alias="in")
    none_of: tuple[str, ...] | None = Field(None, alias="not_in")
    at_least: Amount | None = None
    at_most: Amount | None = None
    present: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: object) -> object:
        if isinstance(data, dict):
            lists = {k: tuple(map(word, v)) for k, v in data.items() if k in ("in", "not_in") and isinstance(v, list)}
            return {**data, **lists}
        return data

    @model_validator(mode="after")
    def _one(self) -> Where:
        given = (self.any_of, self.none_of, self.at_least, self.at_most, self.present)
        if sum(comparison is not None for comparison in given) != 1:
            raise ValueError("expected exactly one of in, not_in, at_least, at_most, present")
        return self


class Input(Part):
    """Events of one type that meet every condition."""

    on: str
    where: list[Where] = []
    sign: Literal[1, -1] = 1


Inputs = str | list[Input]
"""Inline, or the name of a list under the pack's `inputs`."""


class BalancesFeature(Part):
    """金融总量: the sum of balances over all accounts; takes postings and closed balances by itself."""

    kind: Literal["balances"]


class WindowFeature(Part):
    """A sum over the last dates. `amount` names a money field; `sign` -1 in an input subtracts."""

    kind: Literal["window"]
    days: Annotated[int, Field(ge=1, le=400)]
    inputs: Inputs
    amount: str = "amount"


class HistogramFeature(Part):
    """The customer's own distribution of amounts; `quantile` is what `usual` means."""

    kind: Literal["histogram"]
    inputs: Inputs
    amount: str = "amount"
    quantile: ShareOf = 900_000


class DecayedFeature(Part):
    """A sum that fades: of an amount, 1/e is left after `days` days. `sign` -1 in an input subtracts."""

    kind: Literal["decayed"]
    days: Annotated[int, Field(ge=1, le=3660)]
    inputs: Inputs
    amount: str = "amount"


class MomentsFeature(Part):
    """Mean and deviation of the customer's own amounts, on a logarithmic scale.

    Beyond `deviations` above the mean an amount is not usual.
    """

    kind: Literal["moments"]
    inputs: Inputs
    amount: str = "amount"
    deviations: Annotated[ShareOf, Field(le=10_000_000)] = 3_000_000


FeatureSpec = Annotated[
    BalancesFeature | WindowFeature | HistogramFeature | DecayedFeature | MomentsFeature, Field(discriminator="kind")
]


class Emit(Part):
    """What a mechanism's moment becomes.

    Attributes:
        type: Trigger type of CAPABILITIES 2.4.
        topic: Contact topic that a customer can opt out of.
        purpose: Sales is barred by harm gates, service is not.
        cooldown: Least time between two triggers of this type for one customer.
        expires: How long after its event time the trigger is worth sending.
        details: Payload field of the type -> fact of the mechanism.
        evidence: Features to show.
        zh, en: The reason, with facts in braces.
    """

    type: str
    topic: Name
    purpose: Literal["sales", "service"]
    talk_track: Name
    cooldown: Duration = 0
    expires: Duration = 0
    details: dict[str, str] = {}
    evidence: list[str] = []
    zh: str
    en: str


class Rule(Part):
    """What all rules have: a mechanism and what its moments become. Moments without an entry are not told."""

    emits: dict[str, Emit]


class Band(Part):
    """One band of a ladder."""

    name: str
    at: Amount


class Zone(Part):
    """A visit: within this share of the threshold, on so many dates."""

    within: ShareOf
    days: Annotated[int, Field(ge=1, le=366)] = 1


class LadderRule(Rule):
    """See `stream.mechanisms.ladder`. Listens to whatever moves its value."""

    mechanism: Literal["ladder"]
    value: str
    bands: Annotated[list[Band], Field(min_length=1)]
    evaluate: Literal["close", "event"] = "close"
    first: Literal["observe", "zero"] = "observe"
    hysteresis: ShareOf = 0
    dwell_days: Annotated[int, Field(ge=0, le=366)] = 0
    approaching: Zone | None = None
    at_risk: Zone | None = None
    velocity: str | None = None


class StageSpec(Part):
    """One deadline: more than so many dates, or after so much time."""

    moment: Name
    days: Annotated[int, Field(ge=1, le=3660)] | None = None
    after: Duration | None = None
    phase: Phase = Field(Phase.OPENED, strict=False)

    @model_validator(mode="after")
    def _one(self) -> StageSpec:
        if (self.days is None) == (self.after is None):
            raise ValueError("expected exactly one of days, after")
        return self


class GivenSpec(Part):
    """What must hold at the deadline."""

    feature: str
    at_most: Amount


class AbsenceRule(Rule):
    """See `stream.mechanisms.absence`. Without `until` it is a silence of `after`."""

    mechanism: Literal["absence"]
    after: Inputs
    until: Inputs | None = None
    per: str | None = None
    label: str | None = None
    restart: bool = False
    stages: Annotated[list[StageSpec], Field(min_length=1)]
    ended: Name | None = None
    given: GivenSpec | None = None

    @model_validator(mode="after")
    def _units(self) -> AbsenceRule:
        if len({stage.days is None for stage in self.stages}) > 1:
            raise ValueError("expected all stages in days or all in after")
        lengths = [stage.days or stage.after or 0 for stage in self.stages]
        if lengths != sorted(set(lengths)):
            raise ValueError("expected stages in ascending order")
        return self


class SequenceRule(Rule):
    """See `stream.mechanisms.sequence`."""

    mechanism: Literal["sequence"]
    first: Inputs
    then: Inputs
    within: Duration
    share: ShareOf = 0
    per: str | None = None
    amount: str | None = None


class RhythmRule(Rule):
    """See `stream.mechanisms.rhythm`."""

    mechanism: Literal["rhythm"]
    inputs: Inputs
    amount: str = "amount"
    label: str | None = None
    grace_days: Annotated[int, Field(ge=0, le=60)] = 3
    apart_days: Annotated[int, Field(ge=1, le=27)] = 10
    learn: Annotated[int, Field(ge=1, le=6)] = 2
    give_up: Annotated[int, Field(ge=1, le=12)] = 2


class SignificanceRule(Rule):
    """See `stream.mechanisms.significance`."""

    mechanism: Literal["significance"]
    inputs: Inputs
    history: str
    amount: str = "amount"
    floor: Amount
    times: ShareOf
    least_history: Annotated[int, Field(ge=1)] = 10


class TargetSpec(Part):
    """The number at which a moment comes."""

    moment: Name
    number: Annotated[int, Field(ge=1)]


class CountRule(Rule):
    """See `stream.mechanisms.count`."""

    mechanism: Literal["count"]
    inputs: Inputs
    period: Literal["month", "lifetime", "rolling"]
    rolling_days: Annotated[int, Field(ge=1, le=366)] | None = None
    targets: Annotated[list[TargetSpec], Field(min_length=1)]

    @model_validator(mode="after")
    def _counts(self) -> CountRule:
        numbers = [target.number for target in self.targets]
        if numbers != sorted(set(numbers)):
            raise ValueError("expected targets in ascending order")
        if (self.period == "rolling") != (self.rolling_days is not None):
            raise ValueError("expected rolling_days with period rolling, and only then")
        return self


RuleSpec = Annotated[
    LadderRule | AbsenceRule | SequenceRule | RhythmRule | SignificanceRule | CountRule,
    Field(discriminator="mechanism"),
]


class PackSpec(Part):
    """A whole pack.

    Attributes:
        type_prefix: Reverse-DNS prefix of all wire types; input is accepted with or without it.
        lateness: How long after its time an event may be recorded and still be in time for a deadline.
        rates: Units of `currency` per unit of each other currency.
    """

    name: Name
    version: Annotated[int, Field(ge=1)]
    zone: str
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    type_prefix: str = ""
    rates: dict[str, Amount] = {}
    lateness: Duration = 0
    inputs: dict[Name, list[Input]] = {}
    features: dict[Name, FeatureSpec] = {}
    rules: dict[Name, RuleSpec]


class Pack(Part):
    """A loaded pack: what it says and the digest of exactly that (SHA-256 of its canonical JSON)."""

    spec: PackSpec
    digest: str
