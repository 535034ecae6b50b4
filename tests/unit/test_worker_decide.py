"""Computing shares the event loop: in slices, and one partition at a time while others commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from stream.domain.errors import StateError
from stream.engine.decision import Decision
from stream.shell.kafka.decide import STRETCH, Decide

STEPS = 10


class Watch:
    """A clock that work moves."""

    now = 0.0

    def steady(self) -> float:
        return self.now


class Slow:
    """A partition whose decision takes ten steps of 15 ms."""

    def __init__(self, name: str, watch: Watch, trace: list[str]) -> None:
        self.name, self._watch, self._trace = name, watch, trace

    def deciding(self, records: list[Any]) -> Iterator[Decision | None]:
        for _ in range(STEPS):
            self._watch.now += 0.015
            self._trace.append(self.name)
            yield None
        yield Decision(len(records), [], [(b"k", b"v")], {})


def deciding(watch: Watch, trace: list[str]) -> Decide:
    """With a commit that takes some turns of the event loop."""
    made: Any = Decide(watch, None, None, None)  # type: ignore[arg-type]

    async def commit(one: Any, decision: Decision, covered: list[Any], computed: float) -> None:
        trace.append(f"commit {one.partition.name}")
        for _ in range(3):
            await asyncio.sleep(0)
        trace.append(f"committed {one.partition.name}")

    made._commit = commit
    return made  # type: ignore[no-any-return]


def owned(name: str, watch: Watch, trace: list[str]) -> Any:
    return SimpleNamespace(partition=Slow(name, watch, trace), applied=0, closing=False)


RECORDS = [SimpleNamespace(offset=0), SimpleNamespace(offset=1)]


def test_the_event_loop_has_its_turn_between_two_slices_which_is_not_counted() -> None:
    watch, turns = Watch(), []

    async def scene() -> Any:
        async def other() -> None:
            while True:
                turns.append(watch.now)
                watch.now += 1.0
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        try:
            return await deciding(watch, [])._compute(Slow("a", watch, []), RECORDS)  # type: ignore[arg-type]
        finally:
            beside.cancel()

    decision, computed = asyncio.run(scene())

    assert decision.consumed == 2
    assert computed == pytest.approx(STEPS * 0.015)
    assert len(turns) == STEPS * 0.015 // (STRETCH + 0.01), "after every other step of 15 ms"


def test_one_partition_computes_while_another_commits() -> None:
    watch, trace = Watch(), list[str]()

    async def scene() -> None:
        decide = deciding(watch, trace)
        await asyncio.gather(*[decide._work(owned(name, watch, trace), RECORDS) for name in "ab"])

    asyncio.run(scene())

    assert [each for each in trace if len(each) == 1] == ["a"] * STEPS + ["b"] * STEPS
    assert trace.index("commit a") < trace.index("b") < trace.index("committed a")


def test_who_closes_while_another_computes_begins_nothing_more() -> None:
    watch, trace = Watch(), list[str]()

    async def scene() -> None:
        decide, later = deciding(watch, trace), owned("b", watch, trace)
        working = asyncio.gather(decide._work(owned("a", watch, trace), RECORDS), decide._work(later, RECORDS))
        await asyncio.sleep(0)
        later.closing = True
        await working

    asyncio.run(scene())

    assert trace == ["a"] * STEPS + ["commit a", "committed a"]


def test_an_engine_that_never_decides_is_a_fault_of_ours() -> None:
    async def scene() -> None:
        await deciding(Watch(), [])._compute(SimpleNamespace(deciding=lambda records: iter([None])), RECORDS)  # type: ignore[arg-type]

    with pytest.raises(StateError, match="expected a decision"):
        asyncio.run(scene())
