"""What a well-formed pack gets wrong: names that nothing bears, figures that cannot be, things never used.

Rule: every fault has a code and a line; all of them are reported. Each check looks at one part of a pack and knows
nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from string import Formatter

from stream.domain import days
from stream.domain.money import exponent
from stream.packs import spec as words
from stream.packs.faults import Fault, LintCode, unknown
from stream.packs.listening import ONE, Listening, at_most_places
from stream.packs.source import Source
from stream.packs.spec import Emit, PackSpec, RuleSpec
from stream.packs.tomlines import Path
from stream.packs.vocabulary import Facts, detail_kinds, moments, told
from stream.wire.outputs import TRIGGERS


def checked(spec: PackSpec, source: Source) -> tuple[Fault, ...]:
    """All faults of meaning, in the order of their lines."""
    found = [source.fault(*each) for each in _faults(spec)]
    return tuple(sorted(set(found), key=lambda fault: (fault.line, fault.code, fault.text)))


Found = Iterator[tuple[Path, LintCode, str]]


def _faults(spec: PackSpec) -> Found:
    listening = Listening(spec)
    yield from _head(spec)
    yield from listening.faults()
    for name, rule in spec.rules.items():
        path: Path = ("rules", name)
        if isinstance(rule, words.LadderRule):
            yield from _ladder(spec, rule, path)
        yield from _emits(spec, rule, path)
    yield from _unused(spec, listening)


def _head(spec: PackSpec) -> Found:
    try:
        days.zone(spec.zone)
    except (ValueError, OSError, KeyError):
        yield ("zone",), LintCode.BAD_ZONE, f"expected a zone of the IANA database, got {spec.zone!r}"
    for ccy, rate in spec.rates.items():
        path: Path = ("rates", ccy)
        if ccy == spec.currency:
            yield path, LintCode.BAD_CURRENCY, f"{ccy} is the pack's own currency and has no rate"
        elif not (len(ccy) == 3 and ccy.isascii() and ccy.isalpha() and ccy.isupper()):
            yield path, LintCode.BAD_CURRENCY, f"expected three capital letters, got {ccy!r}"
        elif Decimal(rate) <= 0:
            yield path, LintCode.BAD_CURRENCY, f"expected a rate above zero, got {rate!r}"


# Ladders


def _ladder(spec: PackSpec, rule: words.LadderRule, path: Path) -> Found:
    places = exponent(spec.currency)
    yield from _bands(rule, path)
    for place, band in enumerate(rule.bands):
        yield from at_most_places(band.at, places, (*path, "bands", place, "at"))
    near, risk = rule.approaching, rule.at_risk
    if rule.hysteresis >= ONE:
        yield (*path, "hysteresis"), LintCode.BAD_BANDS, "expected a share below 1"
    if near is not None and not rule.hysteresis < near.within < ONE:
        text = "expected a share above the hysteresis and below 1, else who just dropped is never seen approaching"
        yield (*path, "approaching", "within"), LintCode.BAD_BANDS, text
    below, above = max(near.within if near else 0, rule.hysteresis), risk.within if risk else 0
    levels = [Decimal(band.at) for band in rule.bands]
    for place, (low, high) in enumerate(pairwise(levels)):
        if low < high and high * (ONE - below) <= low * (ONE + above):
            text = f"the zones of {rule.bands[place].name!r} and {rule.bands[place + 1].name!r} overlap"
            yield (*path, "bands", place + 1), LintCode.BAD_BANDS, text


def _bands(rule: words.LadderRule, path: Path) -> Found:
    names: set[str] = set()
    before = Decimal(0)
    for place, band in enumerate(rule.bands):
        here: Path = (*path, "bands", place)
        if Decimal(band.at) <= before:
            yield (*here, "at"), LintCode.BAD_BANDS, f"expected bands to ascend from above 0, got {band.at} after {before}"
        if band.name in names:
            yield (*here, "name"), LintCode.BAD_BANDS, f"band {band.name!r} is named twice"
        before = max(before, Decimal(band.at))
        names.add(band.name)


# What moments become


def _emits(spec: PackSpec, rule: RuleSpec, path: Path) -> Found:
    known = moments(rule)
    for moment, emit in rule.emits.items():
        here: Path = (*path, "emits", moment)
        if moment not in known:
            yield here, LintCode.UNKNOWN_MOMENT, unknown("moment", moment, known)
            continue
        if isinstance(rule, words.LadderRule) and moment in ("approaching", "at_risk") and getattr(rule, moment) is None:
            yield here, LintCode.UNKNOWN_MOMENT, f"{moment!r} never comes: the rule has no zone {moment!r}"
        yield from _emit(spec, emit, known[moment], here)
    yield from _untold(rule, path)


def _emit(spec: PackSpec, emit: Emit, facts: Facts, path: Path) -> Found:
    for place, feature in enumerate(emit.evidence):
        if feature not in spec.features:
            text = unknown("feature", feature, spec.features)
            yield (*path, "evidence", place), LintCode.UNKNOWN_FEATURE, text
    for language in ("zh", "en"):
        yield from _message(getattr(emit, language), facts, (*path, language))
    if emit.type not in TRIGGERS:
        yield (*path, "type"), LintCode.UNKNOWN_TRIGGER, unknown("trigger type", emit.type, TRIGGERS)
        return
    yield from _details(emit, facts, path)


def _details(emit: Emit, facts: Facts, path: Path) -> Found:
    """Every field of the details is filled, by the fact the pack names or by the one of the same name."""
    fields = detail_kinds(emit.type)
    for field in emit.details:
        if field not in fields:
            yield (*path, "details", field), LintCode.UNKNOWN_DETAIL, unknown(f"detail of {emit.type}", field, fields)
    for field, name in told(emit).items():
        wanted, optional = fields[field]
        fact = facts.get(name)
        here: Path = (*path, "details", field) if field in emit.details else (*path, "type")
        if fact is None and field in emit.details:
            yield here, LintCode.UNKNOWN_FACT, unknown("fact", name, facts)
        elif fact is None:
            yield here, LintCode.UNKNOWN_DETAIL, f"nothing fills the detail {field!r}; name a fact for it under details"
        elif fact.kind != wanted:
            yield here, LintCode.UNKNOWN_DETAIL, f"detail {field!r} holds {wanted}, but the fact {name!r} is {fact.kind}"
        elif fact.optional and not optional:
            yield here, LintCode.UNKNOWN_DETAIL, f"detail {field!r} must be there, but the fact {name!r} may be absent"


def _message(text: str, facts: Facts, path: Path) -> Found:
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        yield path, LintCode.MESSAGE, "expected every { to have its }; write {{ for a brace itself"
        return
    names = [(name, form, conversion) for _, name, form, conversion in parts if name is not None]
    if not names:
        yield path, LintCode.MESSAGE, "expected at least one fact in braces: a reason shows its figures"
    for name, form, conversion in names:
        if form or conversion:
            yield path, LintCode.MESSAGE, f"expected {{{name}}} without a format; figures are written the same everywhere"
        elif name not in facts:
            yield path, LintCode.UNKNOWN_FACT, unknown("fact", name, facts)


# What nothing uses


def _untold(rule: RuleSpec, path: Path) -> Found:
    if not rule.emits:
        yield path, LintCode.UNUSED, "the rule tells nothing: it has no emits"
        return
    for where, moment in _named(rule):
        if moment not in rule.emits:
            yield (*path, *where), LintCode.UNUSED, f"nothing tells the moment {moment!r}"


def _named(rule: RuleSpec) -> list[tuple[Path, str]]:
    """The moments that the rule itself brings about, and where it does."""
    if isinstance(rule, words.AbsenceRule):
        found: list[tuple[Path, str]] = [(("stages", place), each.moment) for place, each in enumerate(rule.stages)]
        return found + ([(("ended",), rule.ended)] if rule.ended else [])
    if isinstance(rule, words.CountRule):
        return [(("targets", place), each.moment) for place, each in enumerate(rule.targets)]
    if isinstance(rule, words.LadderRule):
        return [((zone,), zone) for zone in ("approaching", "at_risk") if getattr(rule, zone) is not None]
    return []


def _unused(spec: PackSpec, listening: Listening) -> Found:
    shown = {name for rule in spec.rules.values() for emit in rule.emits.values() for name in emit.evidence}
    for name in spec.features:
        if name not in listening.features | shown:
            yield ("features", name), LintCode.UNUSED, f"nothing uses the feature {name!r}"
    for name in spec.inputs:
        if name not in listening.lists:
            yield ("inputs", name), LintCode.UNUSED, f"nothing listens to {name!r}"
