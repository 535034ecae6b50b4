"""A pack, given meaning: its words bound to mechanisms, features, events and figures.

Rule: the one place that knows both the pack's words and the rooms they name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from stream import __version__
from stream.domain.days import Calendar
from stream.domain.facts import Role
from stream.domain.money import Rates, minor
from stream.engine.audience import Audience, Listener
from stream.engine.filters import Condition
from stream.engine.floating import Fading, Spread
from stream.engine.folding import Aum, Feature, History, WindowSum
from stream.engine.row import GATES, MARK
from stream.engine.rules import Bound, telling
from stream.mechanisms.absence import Absence, Given, Stage
from stream.mechanisms.count import Count, Period, Target
from stream.mechanisms.ladder import Ladder
from stream.mechanisms.protocol import Mechanism
from stream.mechanisms.rhythm import Rhythm
from stream.mechanisms.sequence import Sequence
from stream.mechanisms.significance import Significance
from stream.packs import spec as words
from stream.packs.spec import Pack, PackSpec
from stream.policy.contact import Ledger
from stream.wire.registry import REGISTRY

PERMISSIONS = ("consent.changed", "preference.changed", "suppression.changed")
ARREARS = "credit.arrears.changed"


class Plan(NamedTuple):
    """Everything the engine needs of a pack, indexed by event type so that an event touches what listens to it.

    `timed` are the rules that wait, `hushed` those of them that can tell whether their deadlines will pass in silence.
    `mark` tells rows of this plan from those of another pack or version, whose deadlines may be others.
    """

    spec: PackSpec
    digest: str
    mark: bytes
    lateness: int
    calendar: Calendar
    rates: Rates
    features: dict[str, Feature]
    rules: tuple[Bound, ...]
    timed: tuple[Bound, ...]
    hushed: tuple[Bound, ...]
    audiences: dict[str, Audience]
    handled: frozenset[str]
    balances: tuple[str, ...]
    ladders: tuple[str, ...]
    slots: dict[str, type[Any]]


def bind(pack: Pack) -> Plan:
    """The plan of a pack that the loader has accepted."""
    spec = pack.spec
    binder = _Binder(spec)
    features = {name: binder.feature(name, each) for name, each in spec.features.items()}
    binder.features = features
    listeners = {name: binder.listeners(each) for name, each in spec.rules.items()}
    rules = tuple(binder.rule(name, each, tuple(listeners[name])) for name, each in spec.rules.items())
    timed = tuple(rule for rule in rules if rule.waits)
    for place, rule in enumerate(timed):
        rule.place = place
    taps = _index((kind, (each.slot, some)) for each in features.values() for kind, some in each.taps.items())
    hearing = _index((kind, (rule, some)) for rule in rules for kind, some in listeners[rule.name].items())
    handled = frozenset({*taps, *hearing, *PERMISSIONS, ARREARS})
    return Plan(
        spec=spec,
        digest=pack.digest,
        mark=hashlib.blake2b(f"{__version__}{spec.model_dump_json()}".encode(), digest_size=MARK).digest(),
        lateness=spec.lateness,
        calendar=binder.calendar,
        rates=binder.rates,
        features=features,
        rules=rules,
        timed=timed,
        hushed=tuple(rule for rule in timed if rule.quiet is not None),
        audiences={kind: Audience(taps.get(kind, ()), hearing.get(kind, ())) for kind in handled},
        handled=handled,
        ladders=tuple(rule.slot for rule in rules if isinstance(rule.mechanism, Ladder)),
        balances=tuple(feature.slot for feature in features.values() if isinstance(feature, Aum)),
        slots={
            GATES: Ledger,
            **{feature.slot: feature.state for feature in features.values()},
            **{rule.slot: rule.mechanism.state for rule in rules if rule.keeps},
        },
    )


def _index(pairs: Iterable[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    index: dict[str, tuple[Any, ...]] = {}
    for kind, item in pairs:
        index[kind] = (*index.get(kind, ()), item)
    return index


class _Binder:
    """Binds one spec; holds what several parts of it share."""

    def __init__(self, spec: PackSpec) -> None:
        self.spec = spec
        self.calendar = Calendar(spec.zone)
        self.rates = Rates.declare(spec.currency, dict(spec.rates))
        self.features: dict[str, Feature] = {}

    def feature(self, name: str, spec: words.FeatureSpec) -> Feature:
        if isinstance(spec, words.BalancesFeature):
            return Aum(name)
        taps = _index((each.on, (Condition(each.where), each.sign)) for each in self._inputs(spec.inputs))
        if isinstance(spec, words.WindowFeature):
            return WindowSum(name, spec.days, spec.amount, taps)
        if isinstance(spec, words.DecayedFeature):
            return Fading(name, spec.days, spec.amount, taps, self.calendar)
        if isinstance(spec, words.MomentsFeature):
            return Spread(name, spec.deviations, spec.amount, taps)
        return History(name, spec.quantile, spec.amount, taps)

    def rule(self, name: str, spec: words.RuleSpec, kinds: tuple[str, ...]) -> Bound:
        mechanism = self._mechanism(spec)
        return Bound(
            name=name,
            mechanism=mechanism,
            tellings={moment: telling(emit) for moment, emit in spec.emits.items()},
            topics=tuple(sorted({REGISTRY[kind].topic for kind in kinds})),
            waits=isinstance(mechanism, (Ladder, Absence, Rhythm)),
            quiet=mechanism.quiet if isinstance(mechanism, Ladder) else None,
            amount=getattr(spec, "amount", None),
            key=getattr(spec, "per", None),
            label=getattr(spec, "label", None),
        )

    def _inputs(self, inputs: words.Inputs) -> list[words.Input]:
        return self.spec.inputs[inputs] if isinstance(inputs, str) else inputs

    def listeners(self, spec: words.RuleSpec) -> dict[str, tuple[Listener, ...]]:
        if isinstance(spec, words.LadderRule):
            return {kind: (Listener(Condition(()), Role.A),) for kind in self.features[spec.value].taps}
        if isinstance(spec, words.AbsenceRule):
            firsts, seconds = spec.after, spec.until
        elif isinstance(spec, words.SequenceRule):
            firsts, seconds = spec.first, spec.then
        else:
            firsts, seconds = spec.inputs, None
        heard = [(each.on, Listener(Condition(each.where), Role.A)) for each in self._inputs(firsts)]
        if seconds is not None:
            heard += [(each.on, Listener(Condition(each.where), Role.B)) for each in self._inputs(seconds)]
        return _index(heard)

    def _mechanism(self, spec: words.RuleSpec) -> Mechanism:
        if isinstance(spec, words.LadderRule):
            return self._ladder(spec)
        if isinstance(spec, words.AbsenceRule):
            return self._absence(spec)
        if isinstance(spec, words.SequenceRule):
            return Sequence(within=spec.within, share_ppm=spec.share)
        if isinstance(spec, words.RhythmRule):
            return Rhythm(self.calendar, spec.grace_days, spec.apart_days, spec.learn, spec.give_up)
        if isinstance(spec, words.SignificanceRule):
            return Significance(spec.history, self._minor(spec.floor), spec.times, spec.least_history)
        targets = tuple(Target(each.moment, each.number) for each in spec.targets)
        return Count(targets, Period(spec.period), self.calendar, spec.rolling_days or 0)

    def _ladder(self, spec: words.LadderRule) -> Ladder:
        velocity = self.spec.features.get(spec.velocity) if spec.velocity else None
        near, risk = spec.approaching, spec.at_risk
        return Ladder(
            value=spec.value,
            names=tuple(band.name for band in spec.bands),
            thresholds=tuple(self._minor(band.at) for band in spec.bands),
            calendar=self.calendar,
            at_close=spec.evaluate == "close",
            observe_first=spec.first == "observe",
            hysteresis_ppm=spec.hysteresis,
            dwell=spec.dwell_days,
            near_ppm=near.within if near else 0,
            near_days=near.days if near else 1,
            risk_ppm=risk.within if risk else 0,
            risk_days=risk.days if risk else 1,
            velocity=spec.velocity,
            velocity_days=velocity.days if isinstance(velocity, words.WindowFeature) else 1,
        )

    def _absence(self, spec: words.AbsenceRule) -> Absence:
        stages = tuple(Stage(each.moment, each.phase, each.days or each.after or 0) for each in spec.stages)
        given = Given(spec.given.feature, self._minor(spec.given.at_most)) if spec.given else None
        return Absence(
            stages=stages,
            in_dates=spec.stages[0].days is not None,
            calendar=self.calendar,
            silence=spec.until is None,
            restart=spec.restart,
            ended=spec.ended,
            given=given,
        )

    def _minor(self, amount: str) -> int:
        return minor(amount, self.rates.places)
