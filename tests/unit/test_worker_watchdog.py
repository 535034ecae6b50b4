"""Law: only who could be watched and did not move is stuck; an outage of the broker, or of the watcher, ends no worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from stream.shell.kafka import watchdog
from stream.shell.kafka.plan import Plan
from stream.shell.kafka.telemetry import Silent
from stream.shell.kafka.watchdog import Moved, Watchdog

AFTER = 60.0
JOURNAL = TP("journal", 0)


class Stopped(BaseException):
    """The worker has ended itself."""


class Outside:
    """Offsets as another connection sees them; the broker is away while ``away``."""

    away = False

    async def ends(self, tps: Any) -> Any:
        if self.away:
            raise KafkaConnectionError("away")
        return {tp.topic: {tp.partition: 9} for tp in tps}

    stable_ends = ends


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outside, list[tuple[float, bool]]], None]:
    """Look at these moments, with or without a broker; a partition with five records waiting never moves."""

    def stop(message: str, *_: Any, **__: Any) -> None:
        raise Stopped(message)

    def run(outside: Outside, moments: list[tuple[float, bool]]) -> None:
        class Clock:
            def steady(self) -> float:
                return moments[0][0]

        async def sleep(_: float) -> None:
            moments.pop(0)
            if not moments:
                raise asyncio.CancelledError
            outside.away = moments[0][1]

        monkeypatch.setattr(watchdog.asyncio, "sleep", sleep)
        dog: Any = Watchdog(
            Clock(),
            Plan("a", (), 1, stuck_after=AFTER),
            outside,
            Silent(),
            lambda: {JOURNAL: Moved(4)},
            lambda topic: topic,  # type: ignore[arg-type]
        )
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(dog.run())

    monkeypatch.setattr(watchdog, "stop", stop)
    return run


def test_who_has_work_and_does_not_move_is_ended(looks: Callable[..., None]) -> None:
    with pytest.raises(Stopped, match="no progress"):
        looks(Outside(), [(0.0, False), *((2.0 * n, False) for n in range(40))])


def test_nobody_is_ended_because_the_broker_was_away(looks: Callable[..., None]) -> None:
    """Records wait when it goes; when it is back nobody can have worked them off yet."""
    here, away = False, True
    looks(Outside(), [(0.0, here), (2.0, here), (4.0, away), (64.0, away), (100.0, here), (102.0, here), (150.0, here)])


def test_nobody_is_ended_because_the_process_was_stopped_as_a_whole(looks: Callable[..., None]) -> None:
    looks(Outside(), [(0.0, False), (2.0, False), (4.0, False), (90.0, False), (92.0, False)])
