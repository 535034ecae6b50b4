"""What packs are told about mechanisms is what mechanisms do; the page for authors says it too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.domain.days import DAY, Calendar, parse
from stream.domain.facts import Fact, Role, Standing
from stream.domain.triggers import Date, Instant, Money, Phase, Share, Signal, Value
from stream.mechanisms.absence import Absence, Stage
from stream.mechanisms.count import Count, Period, Target
from stream.mechanisms.ladder import Ladder
from stream.mechanisms.protocol import Mechanism
from stream.mechanisms.rhythm import Rhythm
from stream.mechanisms.sequence import Sequence
from stream.mechanisms.significance import Significance
from stream.packs import spec, tables
from stream.packs.loader import compiled, understood
from stream.packs.scenario import read_scenarios
from stream.packs.vocabulary import ANY, DATE, INSTANT, MECHANISMS, MONEY, NUMBER, SHARE, TEXT
from stream.shell.scenarios import run_file

PAGE = (Path(__file__).parents[2] / "docs" / "packs.md").read_text(encoding="utf-8")
CALENDAR = Calendar("Asia/Shanghai")
FIRST = parse("2026-01-05")
KINDS = {Money: MONEY, Date: DATE, Instant: INSTANT, Share: SHARE, int: NUMBER, str: TEXT}


class Figures:
    """Features that say what they are told to."""

    def __init__(self) -> None:
        self.value = 0

    def amount(self, feature: str, day: int) -> int:
        return self.value

    def standing(self, feature: str, amount: int) -> Standing:
        return Standing(20, 990_000, 1_000)


def fact(day: int, amount: int = 0, role: int = Role.A) -> Fact:
    at = CALENDAR.start(FIRST + day) + 1000
    return Fact(role, at, FIRST + day, amount, "key", "label", "log:1")


def told(mechanism: Mechanism, facts: list[tuple[Fact, int]]) -> Iterator[Signal]:
    """Signals of facts, each with the feature's value; deadlines before a fact fire first."""
    state, read = mechanism.state(), Figures()
    for each, value in facts:
        while mechanism.due(state) <= each.at:
            yield from mechanism.fire(state, read)
        read.value = value
        yield from mechanism.tell(state, each, read)


def signals() -> Iterator[tuple[str, Signal]]:
    """Every moment of every mechanism, with figures and without."""
    for velocity in (None, "flow"):
        ladder = Ladder("aum", ("low",), (1000,), CALENDAR, False, False, near_ppm=100_000, risk_ppm=50_000, velocity=velocity)
        path = [(fact(day), value) for day, value in enumerate((0, 950, 2000, 1010, 500))]
        yield from (("ladder", each) for each in told(ladder, path))
    silence = Absence((Stage("a", Phase.OPENED, 3),), True, CALENDAR, silence=True, ended="b")
    yield from (("absence", each) for each in told(silence, [(fact(0), 0), (fact(9), 0)]))
    wait = Absence((Stage("a", Phase.OPENED, DAY),), False, CALENDAR, ended="b")
    yield from (("absence", each) for each in told(wait, [(fact(0), 0), (fact(9, role=Role.B), 0)]))
    yield from (("rhythm", each) for each in told(Rhythm(CALENDAR), [(fact(day), 0) for day in (0, 31, 99)]))
    pair = [(fact(0, 100), 0), (replace(fact(0, 90, Role.B), at=fact(0).at + 1), 0)]
    yield from (("sequence", each) for each in told(Sequence(DAY, 500_000), pair))
    yield from (("significance", each) for each in told(Significance("h", 10, 3_000_000, 5), [(fact(0, 9_000), 0)]))
    for period in Period:
        count = Count((Target("n", 1),), period, CALENDAR, 30)
        yield from (("count", each) for each in told(count, [(fact(0), 0)]))


def test_every_moment_has_exactly_the_declared_facts() -> None:
    """Names, kinds, and none only where it may be."""
    seen = set()
    for mechanism, signal in signals():
        declared = MECHANISMS[mechanism]
        facts = declared.get(signal.moment) or declared[ANY]
        seen.add((mechanism, signal.moment if signal.moment in declared else ANY))

        assert set(signal.facts) == set(facts), (mechanism, signal.moment)
        for name, value in signal.facts.items():
            assert _fits(value, facts[name].kind, facts[name].optional), (mechanism, signal.moment, name, value)

    assert seen == {(mechanism, moment) for mechanism, moments in MECHANISMS.items() for moment in moments}


def _fits(value: Value, kind: str, optional: bool) -> bool:
    return optional if value is None else KINDS[type(value)] == kind


def test_what_may_be_none_is_none_somewhere() -> None:
    """Nothing is called optional that never is; tiers and dates that are always there in these stories are listed."""
    absent = {(mechanism, name) for mechanism, signal in signals() for name, value in signal.facts.items() if value is None}
    optional = {
        (mechanism, name)
        for mechanism, moments in MECHANISMS.items()
        for facts in moments.values()
        for name, each in facts.items()
        if each.optional
    }

    assert optional - absent == {("rhythm", "label")}


@pytest.mark.parametrize(("name", "table"), [("facts", tables.facts()), ("codes", tables.codes())])
def test_the_tables_of_the_page_are_those_of_the_code(name: str, table: str) -> None:
    """Print them anew with `python -c "from stream.packs import tables; print(tables.facts())"`."""
    assert f"<!-- {name} -->\n{table}\n<!-- end -->" in PAGE


def test_the_page_names_every_field() -> None:
    """Of packs, rules, features, conditions and stories."""
    models = [
        each for each in vars(spec).values() if isinstance(each, type) and issubclass(each, spec.Part) and each is not spec.Pack
    ]
    fields = {info.alias or name for model in models for name, info in model.model_fields.items()}

    assert sorted(field for field in fields if f"`{field}`" not in PAGE) == []


def test_the_examples_of_the_page_are_true() -> None:
    """The pack has no fault but missing stories, the story passes on it."""
    pack, story = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[:2]

    assert understood("pack.yaml", pack).faults == ()
    (result,) = run_file(compiled("pack.yaml", pack), read_scenarios("story.yaml", story))
    assert result.failures == ()
