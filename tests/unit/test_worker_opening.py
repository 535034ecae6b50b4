"""Law: a worker that gains ledgers asks whether the sources reach as far as these; and does not stand still for an answer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from stream.domain.errors import StateError
from stream.shell.kafka import worker
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import decided
from stream.shell.kafka.worker import Worker

TXN, APP = SourceTopic("in.txn", "b.in.txn"), SourceTopic("in.app", "b.in.app", incarnation=1)
EPOCH = 3


class Broker:
    """Answers after so many refusals; each question takes a second."""

    def __init__(self, ends: dict[str, dict[int, int]], refusals: int = 0) -> None:
        self._ends = ends
        self._left = refusals
        self.asked = 0
        self.now = 0.0

    def steady(self) -> float:
        return self.now

    async def partitions(self, topics: list[str]) -> list[TP]:
        self.asked += 1
        self.now += 1.0
        if self._left:
            self._left -= 1
            raise KafkaError
        return [TP(topic, number) for topic in topics for number in self._ends.get(topic, {})]

    async def ends(self, tps: Any) -> dict[str, dict[int, int]]:
        assert {tp.topic for tp in tps} <= self._ends.keys()
        return self._ends


def demand(broker: Broker, *highs: dict[str, int], epoch: int = EPOCH) -> None:
    """What `open` does with the ledgers of an assignment."""
    own: Any = SimpleNamespace(_plan=SimpleNamespace(sources=(TXN, APP)), _world=broker, _offsets=broker, _epoch=EPOCH)
    opened: Any = {number: SimpleNamespace(partition=SimpleNamespace(high=high)) for number, high in enumerate(highs)}
    asyncio.run(Worker._demand_sources(own, epoch, opened))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RETRY", 0)


def test_what_is_decided_is_the_furthest_of_all_ledgers() -> None:
    """Of the incarnation that is configured; an earlier one is of another topic."""
    highs = [{"in.txn|0|0": 7, "in.txn|1|0": 2, "in.app|0|0": 99}, {"in.txn|0|0": 9, "in.gone|0|0": 5}]

    assert decided([TXN, APP], highs) == {TP("b.in.txn", 0): 10, TP("b.in.txn", 1): 3}


def test_an_incarnation_is_not_taken_back() -> None:
    with pytest.raises(StateError, match=r"b\.in\.txn/0: expected incarnation 2 or a later one, got 0"):
        decided([TXN], [{"in.txn|0|2": 7}])


def test_a_source_that_reaches_as_far_is_sound_and_one_that_does_not_is_refused() -> None:
    """A partition that the broker does not have now is nobody's fault here."""
    demand(Broker({"b.in.txn": {0: 10}}), {"in.txn|0|0": 9, "in.txn|1|0": 70})

    with pytest.raises(StateError, match=r"b\.in\.txn/0: expected an end at or after 10, .* got 9"):
        demand(Broker({"b.in.txn": {0: 9}}), {"in.txn|0|0": 9})


def test_a_broker_that_does_not_answer_is_asked_again_and_then_left_alone() -> None:
    """It refuses nobody for ever, and nobody waits for it for ever."""
    with pytest.raises(StateError):
        demand(Broker({"b.in.txn": {0: 0}}, refusals=5), {"in.txn|0|0": 9})
    silent = Broker({"b.in.txn": {0: 0}}, refusals=1000)

    demand(silent, {"in.txn|0|0": 9})

    assert silent.asked == worker.PATIENCE


@pytest.mark.parametrize(("high", "epoch"), [({}, EPOCH), ({"in.txn|0|0": 9}, EPOCH - 1)], ids=["no ledger", "void"])
def test_nothing_is_asked_without_need(high: dict[str, int], epoch: int) -> None:
    """A first start has no ledgers; an assignment that is void is nobody's."""
    broker = Broker({"b.in.txn": {0: 0}})

    demand(broker, high, epoch=epoch)

    assert broker.asked == 0
