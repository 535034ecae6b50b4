"""The logs a command was given: source logs, or the recorded journal.

Rule: a journal is known by its first line (`kairosjournal`); the two are never mixed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from stream.domain.errors import ConfigError
from stream.shell.logfile import Numbered, Recorded, lines, recorded
from stream.wire.lines import stamps

STDIN = "-"


class Logs:
    """Opened logs, to be read once.

    Attributes:
        journal: Whether they are a recorded journal.
        size: Bytes in all, None when that cannot be known beforehand (packed, or standard input).

    Raises ConfigError for a log that is not there, and for a journal together with source logs.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        missing = [f"no such log: {path}" for path in paths if path != STDIN and not Path(path).is_file()]
        if paths.count(STDIN) > 1:
            missing.append("standard input (-) can be read only once")
        if missing:
            raise ConfigError("\n".join(missing))
        self.size = size_of(paths)
        self._logs = [peeked(lines(path)) for path in paths]
        kinds = {first for first, _ in self._logs if first is not None}
        if len(kinds) > 1:
            raise ConfigError("expected either source logs or a recorded journal, got both")
        self.journal = kinds == {True}

    def only(self, part: Callable[[Iterator[Numbered]], Iterator[Numbered]]) -> None:
        """Read each log no further than ``part`` lets."""
        self._logs = [(kind, part(log)) for kind, log in self._logs]

    def numbered(self) -> Iterator[Numbered]:
        """One log after the other: a journal's order is its own."""
        return chain.from_iterable(log for _, log in self._logs)

    def recorded(self) -> Iterator[Recorded]:
        """All logs as one, by recorded time."""
        each = [recorded(log) for _, log in self._logs]
        return each[0] if len(each) == 1 else heapq.merge(*each, key=lambda line: line.at)


def peeked(log: Iterator[Numbered]) -> tuple[bool | None, Iterator[Numbered]]:
    """Whether a log is a journal (None when it is empty), and all of it."""
    first = next(log, None)
    if first is None:
        return None, log
    return stamps(first.line).kairosjournal is not None, chain([first], log)


def size_of(paths: Sequence[str]) -> int | None:
    """Bytes of plain files."""
    if any(path == STDIN or path.endswith((".gz", ".zst")) for path in paths):
        return None
    return sum(Path(path).stat().st_size for path in paths)
