"""The bench of the engine: its pack listens and tells, its samples fall where the work is, its figures add up."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections import Counter
from math import isclose
from typing import Any

import orjson
import pytest
from rich.console import Console

from stream.packs.loader import understood
from stream.packs.vocabulary import MECHANISMS
from stream.simulator import Bank
from tests.bench import engine, engine_shown, sixty
from tests.bench.engine import Heard, heard, marginal, measured, replaying
from tests.bench.jobj import sections
from tests.bench.sampling import PACKAGE, WAY, Samples, hottest, innermost, sampling, shares
from tests.bench.stages import REST, STAGES

SPIN = "def spin(found, most):\n    while found.total() < most and not late():\n        sum(range(1000))\n"


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """A small log."""
    return list(Bank(60, 60, 1).events())


def test_the_pack_has_sixty_rules_of_all_mechanisms_and_no_fault() -> None:
    spec = understood(sixty.NAME, sixty.text()).spec

    assert understood(sixty.NAME, sixty.text()).faults == ()
    assert spec is not None
    assert len(spec.rules) == 60
    assert {rule.mechanism for rule in spec.rules.values()} == set(MECHANISMS)


@pytest.mark.parametrize("number", engine.LISTENING)
def test_smaller_packs_ask_the_same_less_often(number: int) -> None:
    """Fifteen are one of each shape: the line through the sizes is of one kind of rule."""
    spec = sixty.pack(number).spec
    shapes = Counter(name.rpartition("_")[0] for name in spec.rules)

    assert set(shapes) == {shape.__name__ for shape in sixty.SHAPES}
    assert set(shapes.values()) == {number / len(sixty.SHAPES)}


def test_the_pack_listens_only_to_what_the_log_holds(lines: list[bytes]) -> None:
    """Every event type that the text names; more rules hear more."""
    there = {orjson.loads(line)["type"].removesuffix(".v1") for line in lines}
    fewer, all_of_them = heard(sixty.pack(15), lines), heard(sixty.pack(60), lines)

    assert set(re.findall(r'"on": "([^"]+)"', sixty.text())) <= there
    assert 3 < fewer.mean < all_of_them.mean / 3
    assert fewer.most * 3 < all_of_them.most <= 60


def test_an_event_that_nobody_listens_to_is_heard_by_none(lines: list[bytes]) -> None:
    assert heard(sixty.pack(15), [b"no event", *lines[:1]]) == Heard(1.0, 2)


def test_every_mechanism_of_the_pack_tells(lines: list[bytes]) -> None:
    """Rules that hear much and never say anything would be cheaper than a bank's."""
    pack = sixty.pack()
    counts = replaying(pack, lines)()
    told = {pack.spec.rules[key[1]].mechanism for key in counts if key[0] == "trigger"}

    assert told == set(MECHANISMS)
    assert counts["outcome", "dead"] == 0


def test_samples_fall_on_the_stage_that_is_at_work() -> None:
    """A busy loop in a file of the gates, what it calls in C included; it goes on until it has been seen often enough."""
    end = time.monotonic() + 60
    space = {"late": lambda: time.monotonic() > end}
    exec(compile(SPIN, f"{PACKAGE}policy/contact.py", "exec"), space)
    found = Samples()
    with sampling(found):
        space["spin"](found, 20)

    (first, *_) = hottest(found, 1)
    assert first[:2] == ("policy/contact spin", "gates")
    assert shares(found)["gates"] > 0.5


def test_a_sample_is_the_innermost_function_of_the_package() -> None:
    """Functions of libraries count for the one of the package that called them; without one it is the rest."""
    space: dict[str, object] = {}
    code = "def outer(look):\n    return inner(look)\ndef inner(look):\n    return look()\n"
    exec(compile(code, f"{PACKAGE}wire/decode.py", "exec"), space)
    found = space["outer"](lambda: innermost(sys._getframe()))  # type: ignore[operator]

    assert found.co_qualname == "inner"
    assert innermost(sys._getframe()) is None
    assert shares(Samples({found: 3, None: 1})) == {**dict.fromkeys(WAY, 0.0), "decode": 0.75, REST: 0.25}


def test_the_way_of_an_event_is_all_stages() -> None:
    assert sorted(WAY) == sorted(STAGES)


def test_what_a_rule_costs_is_the_slope_over_the_packs() -> None:
    """By what hears the event, round by round: that the machine was slower in one of them does not bend the line."""
    rows = [
        {"heard": 4.0, "rules": 15, "us_rounds": [60.0, 120.0, 60.0], "ratio_rounds": [30.0, 30.0, 30.0]},
        {"heard": 8.0, "rules": 30, "us_rounds": [80.0, 160.0, 80.0], "ratio_rounds": [40.0, 40.0, 40.0]},
        {"heard": 16.0, "rules": 60, "us_rounds": [120.0, 240.0, 120.0], "ratio_rounds": [60.0, 60.0, 60.0]},
    ]
    found = marginal(rows)

    assert isclose(found["us_heard"], 5.0)
    assert isclose(found["ratio_heard"], 2.5)
    assert isclose(found["us_rule"], 20 / 15)
    assert isclose(found["us_without"], 40.0)


def test_the_figures_are_plain_data_and_are_shown(lines: list[bytes]) -> None:
    """A round over a few lines: stages add up to the whole, and the tables name them all."""
    found = {"customers": 60, "days": 60, **measured("retail_bank", lines[:800], rounds=1)}
    console = Console(record=True, width=160, file=io.StringIO())
    engine_shown.show(found, console)
    text = console.export_text()

    assert json.loads(json.dumps(found)) == found
    assert [row["rules"] for row in found["packs"]] == [8, 15, 30, 60]
    assert found["packs"][0]["heard"] < found["packs"][1]["heard"]
    for row in (found["packs"][0], found["packs"][-1]):
        assert isclose(sum(each["us"] for each in row["stages"].values()), row["us"])
        assert isclose(sum(each["ratio"] for each in row["stages"].values()), row["ratio"])
    assert all(name in text for name in (*WAY, "orjson.loads", "60 that listen", "a rule more that hears the event"))
    on_the_page = sections.engine([found, {**found, "core": "compiled", "packs": [without(row) for row in found["packs"]]}])
    assert all(f"| {name} |" in on_the_page for name in (*WAY, "retail_bank", "60 that listen"))
    assert on_the_page.count("| decode |") == 1, "stages of one core"
    assert "| compiled: us |" in on_the_page


def without(row: dict[str, Any]) -> dict[str, Any]:
    """As it is measured where the core is compiled."""
    return {name: value for name, value in row.items() if name != "stages"}
