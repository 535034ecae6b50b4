"""Progress: a bar on a terminal, a line every few seconds elsewhere, both on stderr.

Rule: whoever works tells how far it has come and knows nothing of how that is shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stream.shell.cli.screen import err, note

OFTEN = 2048
"""Lines between two reports."""
PLAIN_EVERY = 5.0
"""Seconds between two plain lines."""


class Line(Protocol):
    """Anything read from a log."""

    @property
    def line(self) -> bytes: ...


L = TypeVar("L", bound=Line)


class Meter(Protocol):
    """Is told how far the work has come."""

    def at(self, lines: int, reached: int) -> None:
        """So many lines; ``reached`` is in the unit of the meter's total."""


@contextmanager
def meter(title: str, total: int | None) -> Iterator[Meter]:
    """A meter for the duration of a block; ``total`` in any unit, None where it cannot be known."""
    console = err()
    if not console.is_terminal:
        yield Plain(title, total)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[lines]:>12,} lines  {task.fields[rate]:>9,.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, title, total)


class Bar:
    """A bar of rich."""

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress, self._start = progress, time.monotonic()
        self._task = progress.add_task(title, total=total, lines=0, rate=0.0)

    def at(self, lines: int, reached: int) -> None:
        """Move."""
        rate = lines / max(time.monotonic() - self._start, 0.001)
        self._progress.update(self._task, completed=reached, lines=lines, rate=rate)


class Plain:
    """A line now and then; none for work that is done before the first would be due."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title, self._total = title, total
        self._start = self._said = time.monotonic()

    def at(self, lines: int, reached: int) -> None:
        """Say so, if it is time."""
        now = time.monotonic()
        if now - self._said < PLAIN_EVERY:
            return
        self._said = now
        share = f" ({min(reached / self._total, 1):.0%})" if self._total else ""
        note(f"{self._title}: {lines:,} lines{share}, {lines / (now - self._start):,.0f}/s")


def metered(lines: Iterable[L], told: Meter) -> Iterator[L]:
    """The same lines, telling the meter their number and their bytes."""
    size = number = 0
    for number, each in enumerate(lines, 1):
        size += len(each.line) + 1
        if number % OFTEN == 0:
            told.at(number, size)
        yield each
    told.at(number, size)
