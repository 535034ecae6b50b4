"""One seeded scheduler for all simulated processes: virtual time, random interleaving, threads as greenlets.

Rule: nothing here waits. A run is a function of its seed: which process goes next is drawn, time jumps to the next timer.
Within a process callbacks keep their order, as in any event loop; what overtakes whom is a matter between processes
and of the broker's delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, NoReturn, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class Ended(BaseException):
    """Unwinds what runs in a process that has just ended."""


class Process:
    """One simulated process: its tasks run while it is alive and not paused.

    Attributes:
        code: Exit code; None while it lives, -9 when killed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.code: int | None = None
        self.paused = False
        self.ready: deque[asyncio.Handle] = deque()

    @property
    def runs(self) -> bool:
        """Whether its callbacks may run now."""
        return self.code is None and not self.paused

    def end(self, code: int) -> None:
        """Nothing of it runs any more; no clean-up of any kind."""
        if self.code is None:
            self.code = code
            self.ready.clear()


PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")
"""The process that is at work; not set for the broker, the faults and the checks."""
OUTSIDE = contextvars.Context()
"""Where no process is at work."""


def leave(code: int) -> NoReturn:
    """What `failstop` calls instead of ending the real process."""
    process = PROCESS.get()
    if process.code is not None:
        # its coroutines are being thrown away
        raise GeneratorExit
    process.end(code)
    raise Ended


class Loop(asyncio.AbstractEventLoop):
    """An event loop of virtual time for many processes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self._busy: dict[Process, None] = {}
        self._outside = Process("outside")
        self._after: list[tuple[int, int, Callable[[], None]]] = []
        self.steps = 0

    # What asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nothing: who was killed cannot retrieve its exceptions."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        return task

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None: ...

    # The scheduler

    def _put(self, handle: asyncio.Handle) -> None:
        process: Process = handle._context.get(PROCESS, self._outside)  # type: ignore[attr-defined]
        if process.code is None:
            process.ready.append(handle)
            self._busy[process] = None

    def after(self, steps: int, work: Callable[[], None]) -> None:
        """Do this after so many further callbacks of anybody."""
        self._number += 1
        heapq.heappush(self._after, (self.steps + steps, self._number, work))

    def run(self, main: Coroutine[Any, Any, T], most: int) -> T:
        """Run until this is done, at most so many callbacks. Raises TimeoutError beyond."""
        asyncio._set_running_loop(self)
        try:
            task = self.create_task(main)
            while not task.done():
                self._step()
                if self.steps > most:
                    raise TimeoutError(f"no end after {most} steps")
            return task.result()
        finally:
            asyncio._set_running_loop(None)
            self._throw_away()

    def _throw_away(self) -> None:
        """Close what was under way in processes that were killed: they would do so themselves, at any later moment."""
        for task in asyncio.all_tasks(self):
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # some had not begun
                task.get_coro().close()  # type: ignore[union-attr]

    def _step(self) -> None:
        while self._after and self._after[0][0] <= self.steps:
            heapq.heappop(self._after)[2]()
        while not (running := [process for process in self._busy if process.code is None and not process.paused]):
            self._pass_time()
        process = running[0] if len(running) == 1 else running[int(self._random.random() * len(running))]
        handle = process.ready.popleft() if process.ready else None
        if not process.ready:
            del self._busy[process]
        if handle is not None and not handle.cancelled():
            self.steps += 1
            handle._run()

    def _pass_time(self) -> None:
        """On to the next timer. Who is dead or paused has his callbacks put where they wait, or nowhere."""
        if not self._timers:
            raise RuntimeError("nothing left to do")
        when, _, handle = heapq.heappop(self._timers)
        self._now = max(self._now, when)
        if not handle.cancelled():
            self._put(handle)


# Threads


def suspended(wait: Awaitable[T]) -> T:
    """From a simulated thread: let everybody else go on until this has come."""
    parent = getcurrent().parent
    assert parent is not None, "expected to be called in a simulated thread"
    return parent.switch(wait)  # type: ignore[no-any-return]


async def threaded(work: Callable[[], T]) -> T:
    """Run blocking work as a greenlet that gives way at every `suspended`."""
    thread = greenlet(work)
    thread.gr_context = contextvars.copy_context()
    waits: Any = thread.switch()
    while not thread.dead:
        try:
            came = await waits
        except Exception as error:
            waits = thread.throw(error)
        else:
            waits = thread.switch(came)
    return waits  # type: ignore[no-any-return]
