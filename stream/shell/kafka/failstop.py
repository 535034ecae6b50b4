"""The way out when the truth is unknown: one clear line, then an end without any commit.

Rule: whatever was not acknowledged is done again by the next start, from the last committed position or the ledger.
A worker that went on after an unknown outcome could lose records; a restart costs seconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from stream.domain.errors import StateError
from stream.shell.logs import logger

EXIT_CODE = 70
"""EX_SOFTWARE; the supervisor starts the worker again, with a backoff."""
leave: Callable[[int], NoReturn] = os._exit
"""Ends the process on the spot; a simulation puts here what ends one of its own."""
log = logger(__name__)


def stop(message: str, error: BaseException | None = None, **fields: Any) -> NoReturn:
    """End the process now: no commit, no clean-up, exit code 70.

    Args:
        message: A constant text; what varies goes into the fields.
        error: What led here, if anything. What a StateError says is told: it names no customer.
    """
    if isinstance(error, StateError):
        fields["reason"] = str(error)[:200]
    log.critical(message, exit_code=EXIT_CODE, exc_info=error, **fields)
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    leave(EXIT_CODE)


def guarded(work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
    """Run a background task whose unexpected end is the end of the worker; cancelling it is no unexpected end,
    nor is being thrown away. That what it waits for was cancelled is one: clients do so when they give up."""

    async def watch() -> None:
        try:
            await work
        except GeneratorExit:
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and task.cancelling():
                raise
            stop("a background task failed", error, stage=what)

    task = asyncio.create_task(watch(), name=what)
    return task


async def ended(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel these tasks and wait until they are gone."""
    alive = [task for task in tasks if task is not None]
    for task in alive:
        task.cancel()
    await asyncio.gather(*alive, return_exceptions=True)
