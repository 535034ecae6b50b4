"""What a pack listens to: event types, conditions on their fields, features by name.

Rule: an input is judged where it is written; what a rule asks of all its inputs (a field of some kind) is judged at the
rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from stream.domain.money import LIMIT, exponent
from stream.packs import spec as words
from stream.packs.faults import LintCode, unknown
from stream.packs.spec import Input, Inputs, PackSpec, RuleSpec, Where
from stream.packs.tomlines import Path
from stream.packs.vocabulary import Field, Kind, event_fields, event_types

Found = Iterator[tuple[Path, LintCode, str]]
_TEXTS = (Kind.TEXT, Kind.WORD)
ONE = 1_000_000
"""A share of one, parts per million."""
_FLAG_WORDS = ("true", "false")


class Listening:
    """The inputs of one pack. `features` and `lists` are what its rules and features have asked for so far."""

    def __init__(self, spec: PackSpec) -> None:
        self.features: set[str] = set()
        self.lists: set[str] = set()
        self._spec = spec
        self._fields = {name: event_fields(name) for name in event_types()}

    def faults(self) -> Found:
        """Everything wrong with what is listened to."""
        for name, inputs in self._spec.inputs.items():
            yield from self._inputs(inputs, ("inputs", name))
        for name, feature in self._spec.features.items():
            path: Path = ("features", name)
            if not isinstance(feature, words.BalancesFeature):
                yield from self._listen(feature.inputs, (*path, "inputs"))
                yield from self._kind(feature.inputs, feature.amount, (*path, "amount"), (Kind.MONEY,))
            if isinstance(feature, words.HistogramFeature) and not 0 < feature.quantile <= ONE:
                yield (*path, "quantile"), LintCode.BAD_VALUE, "expected a share above 0 and at most 1"
        for name, rule in self._spec.rules.items():
            yield from self._rule(rule, ("rules", name))

    def _rule(self, rule: RuleSpec, path: Path) -> Found:
        if isinstance(rule, words.LadderRule):
            yield from self._feature(rule.value, (*path, "value"), (words.BalancesFeature, words.WindowFeature))
            if rule.velocity is not None:
                yield from self._feature(rule.velocity, (*path, "velocity"), (words.WindowFeature,))
        elif isinstance(rule, words.AbsenceRule):
            yield from self._absence(rule, path)
        elif isinstance(rule, words.SequenceRule):
            yield from self._sequence(rule, path)
        else:
            yield from self._listen(rule.inputs, (*path, "inputs"))
            if not isinstance(rule, words.CountRule):
                yield from self._kind(rule.inputs, rule.amount, (*path, "amount"), (Kind.MONEY,))
            if isinstance(rule, words.RhythmRule) and rule.label is not None:
                yield from self._kind(rule.inputs, rule.label, (*path, "label"), _TEXTS)
            if isinstance(rule, words.SignificanceRule):
                yield from self._significance(rule, path)

    def _absence(self, rule: words.AbsenceRule, path: Path) -> Found:
        yield from self._listen(rule.after, (*path, "after"))
        for name in ("per", "label"):
            field = getattr(rule, name)
            if field is not None:
                yield from self._kind(rule.after, field, (*path, name), _TEXTS)
                yield from self._there(rule.after, field, (*path, name))
        if rule.until is not None:
            yield from self._listen(rule.until, (*path, "until"))
            if rule.per is not None:
                yield from self._kind(rule.until, rule.per, (*path, "per"), _TEXTS)
        if rule.given is not None:
            here: Path = (*path, "given")
            yield from self._feature(rule.given.feature, (*here, "feature"), (words.BalancesFeature, words.WindowFeature))
            yield from at_most_places(rule.given.at_most, exponent(self._spec.currency), (*here, "at_most"))

    def _sequence(self, rule: words.SequenceRule, path: Path) -> Found:
        for side in ("first", "then"):
            inputs: Inputs = getattr(rule, side)
            yield from self._listen(inputs, (*path, side))
            if rule.per is not None:
                yield from self._kind(inputs, rule.per, (*path, "per"), _TEXTS)
            if rule.amount is not None:
                yield from self._kind(inputs, rule.amount, (*path, "amount"), (Kind.MONEY,))
        if rule.share and rule.amount is None:
            yield (*path, "share"), LintCode.BAD_VALUE, "expected `amount` beside it: a share of nothing cannot be reached"

    def _significance(self, rule: words.SignificanceRule, path: Path) -> Found:
        yield from self._feature(rule.history, (*path, "history"), (words.HistogramFeature, words.MomentsFeature))
        yield from at_most_places(rule.floor, exponent(self._spec.currency), (*path, "floor"))
        history = self._spec.features.get(rule.history)
        if isinstance(history, words.HistogramFeature):
            same = self.resolved(history.inputs) == self.resolved(rule.inputs) and history.amount == rule.amount
            if not same:
                text = f"expected the inputs and the amount of its history {rule.history!r}: an amount is judged among them"
                yield (*path, "inputs"), LintCode.BAD_VALUE, text
        if isinstance(history, words.MomentsFeature) and not self._among(rule, history):
            text = f"expected inputs that its history {rule.history!r} counts, of the same amount: it is judged among them"
            yield (*path, "inputs"), LintCode.BAD_VALUE, text

    def _among(self, rule: words.SignificanceRule, history: words.MomentsFeature) -> bool:
        """Whether each input of the rule is one of the history's, perhaps with more conditions."""
        counted = self.resolved(history.inputs)
        return history.amount == rule.amount and all(
            any(one.on == each.on and all(where in each.where for where in one.where) for one in counted)
            for each in self.resolved(rule.inputs)
        )

    def resolved(self, inputs: Inputs) -> list[Input]:
        """The list itself; none for a name that is not there."""
        return self._spec.inputs.get(inputs, []) if isinstance(inputs, str) else inputs

    def _feature(self, name: str, path: Path, kinds: tuple[type, ...]) -> Found:
        self.features.add(name)
        feature = self._spec.features.get(name)
        if feature is None:
            yield path, LintCode.UNKNOWN_FEATURE, unknown("feature", name, self._spec.features)
        elif not isinstance(feature, kinds):
            wanted = " or ".join(kind.model_fields["kind"].annotation.__args__[0] for kind in kinds)  # type: ignore[attr-defined]
            yield path, LintCode.UNKNOWN_FEATURE, f"expected a feature of kind {wanted}, {name!r} is {feature.kind}"

    def _listen(self, inputs: Inputs, path: Path) -> Found:
        if not isinstance(inputs, str):
            yield from self._inputs(inputs, path)
            return
        self.lists.add(inputs)
        if inputs not in self._spec.inputs:
            yield path, LintCode.UNKNOWN_INPUT, unknown("input", inputs, self._spec.inputs)

    def _inputs(self, inputs: list[Input], path: Path) -> Found:
        if not inputs:
            yield path, LintCode.BAD_VALUE, "expected at least 1 item, got an empty list"
        for place, each in enumerate(inputs):
            here: Path = (*path, place)
            fields = self._fields.get(each.on)
            if fields is None:
                yield (*here, "on"), LintCode.UNKNOWN_TYPE, unknown("event type", each.on, self._fields)
                continue
            for number, where in enumerate(each.where):
                yield from self._where(where, each.on, fields, (*here, "where", number))

    def _where(self, where: Where, kind: str, fields: dict[str, Field], path: Path) -> Found:
        field = fields.get(where.field)
        if field is None:
            yield (*path, "field"), LintCode.UNKNOWN_FIELD, unknown(f"field of {kind}", where.field, fields)
            return
        for name, chosen in (("in", where.any_of), ("not_in", where.none_of)):
            if chosen is not None:
                yield from _chosen(where.field, field, chosen, (*path, name))
        for name, limit in (("at_least", where.at_least), ("at_most", where.at_most)):
            if limit is not None and field.kind not in (Kind.MONEY, Kind.NUMBER):
                yield (*path, name), LintCode.BAD_VALUE, f"{where.field!r} is {field.kind} and cannot be compared with a number"
        if where.present is False and field.required:
            yield (*path, "present"), LintCode.BAD_VALUE, f"{where.field!r} is always there"

    def _kind(self, inputs: Inputs, name: str, path: Path, kinds: tuple[Kind, ...]) -> Found:
        """A field that every input must have. Faults stand at the rule, since the list may be shared."""
        for kind in dict.fromkeys(each.on for each in self.resolved(inputs)):
            fields = self._fields.get(kind, {})
            field = fields.get(name)
            if fields and field is None:
                yield path, LintCode.UNKNOWN_FIELD, unknown(f"field of {kind}", name, fields)
            elif field is not None and field.kind not in kinds:
                yield path, LintCode.BAD_VALUE, f"expected {kinds[0]}, but {name!r} of {kind} is {field.kind}"

    def _there(self, inputs: Inputs, name: str, path: Path) -> Found:
        """A field that names an episode is in every event that opens one: required, or asked for by a condition."""
        for each in self.resolved(inputs):
            field = self._fields.get(each.on, {}).get(name)
            asked = any(where.field == name and where.present is not False for where in each.where)
            if field is not None and not field.required and not asked:
                text = f"{name!r} may be absent from {each.on}; add the condition {{field: {name}, present: true}}"
                yield path, LintCode.BAD_VALUE, text


def _chosen(name: str, field: Field, chosen: tuple[str, ...], path: Path) -> Found:
    if not chosen:
        yield path, LintCode.BAD_VALUE, "expected at least 1 item, got an empty list"
    possible = _FLAG_WORDS if field.kind is Kind.FLAG else field.words
    if field.kind in (Kind.MONEY, Kind.LIST, Kind.OBJECT, Kind.TIME):
        yield path, LintCode.BAD_VALUE, f"{name!r} is {field.kind} and cannot be compared with words"
        return
    for place, word in enumerate(chosen):
        if possible and word not in possible:
            yield (*path, place), LintCode.BAD_VALUE, unknown(f"value of {name}", word, possible)


def at_most_places(amount: str, places: int, path: Path) -> Found:
    """An amount of the pack's currency has no more decimals than the currency, and is not absurd."""
    if len(amount.partition(".")[2]) > places:
        yield path, LintCode.BAD_VALUE, f"expected at most {places} decimals, got {amount!r}"
    elif abs(Decimal(amount)).scaleb(places) >= LIMIT:
        yield path, LintCode.BAD_VALUE, f"expected fewer than 10^15 minor units, got {amount!r}"
