"""How much state a worker holds, asked for at scrapes.

Rule: adding up the bytes of a million rows takes tens of milliseconds, so it is done once per `PATIENCE`, never per event.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, Protocol

PATIENCE = 30.0
"""Seconds for which an answer is good enough."""


class Holding(Protocol):
    """What is asked of a partition; `stream.engine.partition.Partition` has it."""

    @property
    def rows(self) -> int: ...
    @property
    def row_bytes(self) -> int: ...
    @property
    def timers(self) -> int: ...


class Sizes(NamedTuple):
    """Sums over the partitions held."""

    rows: int
    row_bytes: int
    timers: int


class Held:
    """Remembers the last answer. Asked from the server's threads while the event loop changes what is asked about."""

    def __init__(self, partitions: Callable[[], Iterable[Holding]], now: Callable[[], float]) -> None:
        self._partitions = partitions
        self._now = now
        self._lock = threading.Lock()
        self._at: float | None = None
        self._sizes = Sizes(0, 0, 0)

    def sizes(self) -> Sizes:
        """The sums, at most `PATIENCE` old; twice that when the state changed under the hands of who added up."""
        with self._lock:
            if self._at is None or self._now() - self._at >= PATIENCE:
                self._at = self._now()
                # a dict that changes its size meanwhile: the old answer must do until the next time
                with suppress(RuntimeError):
                    self._sizes = self._ask()
            return self._sizes

    def _ask(self) -> Sizes:
        held = list(self._partitions())
        return Sizes(sum(p.rows for p in held), sum(p.row_bytes for p in held), sum(p.timers for p in held))
