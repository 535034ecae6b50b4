"""Law: a background task that ends without being asked to ends the worker, however it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stream.shell.kafka import failstop


class Left(BaseException):
    """The process is over."""


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    codes: list[int] = []
    monkeypatch.setattr(failstop, "leave", codes.append)
    return codes


def test_a_task_whose_client_gave_up_what_it_waited_for_ends_the_worker(left: list[int]) -> None:
    """The client cancels what was asked of it when it closes: nobody asked the task to end."""

    async def waits(answer: Any) -> None:
        await answer

    async def run() -> None:
        answer = asyncio.get_running_loop().create_future()
        task = failstop.guarded(waits(answer), "ticks")
        await asyncio.sleep(0)
        answer.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
    assert left == [failstop.EXIT_CODE]


def test_a_task_that_is_asked_to_end_does_so(left: list[int]) -> None:
    async def run() -> None:
        task = failstop.guarded(asyncio.sleep(3600), "ticks")
        await asyncio.sleep(0)
        await failstop.ended(task)
        assert task.cancelled()

    asyncio.run(run())
    assert left == []
