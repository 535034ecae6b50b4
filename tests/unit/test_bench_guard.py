"""The guard of the engine's cost notices what it should, and says the same each time."""

from __future__ import annotations

from pathlib import Path

from stream.simulator import Bank
from tests.bench.guard import Change, changes, measured
from tests.bench.stages import REST, STAGES, stage


def test_changes_of_more_than_a_tenth_are_told_with_their_stage() -> None:
    before = {"decode": 100.0, "fold": 100.0, "gates": 0.0}
    now = {"decode": 111.0, "fold": 95.0, "gates": 3.0, "new": 1.0}

    assert changes(before, now) == [Change("decode", 100.0, 111.0), Change("gates", 0.0, 3.0), Change("new", 0.0, 1.0)]
    assert changes({"a": 10.0, "b": 10.0}, {"a": 8.9, "b": 11.1}) == [Change("a", 10.0, 8.9), Change("b", 10.0, 11.1)]
    assert changes({"a": 1.0, "b": 10.0}, {"a": 1.0, "b": 12.0})[-1] == Change("all", 11.0, 13.0)


def test_the_count_is_the_same_each_time() -> None:
    """What a guard says must not depend on the machine."""
    lines = list(Bank(10, 10, 1).events())
    measured(lines)  # what is remembered from now on was not yet
    first, second = measured(lines), measured(lines)

    assert first == second
    assert min(first.stages[name] for name in ("decode", "fold", "mechanisms", "state", "drive")) > 0


def test_every_file_has_its_stage() -> None:
    assert stage("/any/where/stream/policy/contact.py") == "gates"
    assert stage("/any/where/stream/wire/inputs/txn.py") == "decode"
    assert stage("/any/where/stream/engine/step.py") == "drive"
    assert stage("/any/where/json/decoder.py") == REST
    package = Path(__file__).parents[2] / "stream"
    for parts in STAGES.values():
        for part in parts:
            assert list(package.glob(f"{part}*")), f"no file begins with {part}"
