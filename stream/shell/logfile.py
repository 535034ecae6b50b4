"""Event logs on disk: one structured CloudEvent a line, plain, gzip or Zstandard, or standard input.

Rule: a line keeps its name and number to the end; both are the coordinates that evidence and dead letters show.
"""

from __future__ import annotations

import gzip
import heapq
import io
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import zstandard

from stream.domain.days import DAY, HOUR
from stream.domain.errors import ConfigError
from stream.wire.instants import Instants
from stream.wire.lines import stamps

JUMP = HOUR
"""A stamp without a recorded time is looked at when it lies this far ahead of the lines above."""
LEAP = 366 * DAY
"""One that lies this far ahead needs witnesses: a gap of a year is rarer than a broken clock."""
AROUND = 64
"""Lines looked at to believe or doubt it."""
WITNESSES = 8
"""Lines that must come near a leap before it is believed."""


class Numbered(NamedTuple):
    """A line, 1-based, and where it came from."""

    name: str
    number: int
    line: bytes


class Recorded(NamedTuple):
    """A line and when it was recorded, UTC ms; non-decreasing along a log."""

    at: int
    name: str
    number: int
    line: bytes


def lines(path: str) -> Iterator[Numbered]:
    """The lines of one log; ``-`` is standard input. Raises ConfigError when it cannot be read."""
    name = "stdin" if path == "-" else Path(path).name
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                stripped = line.rstrip(b"\r\n")
                if stripped:
                    yield Numbered(name, number, stripped)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise ConfigError(f"expected a readable log, got {type(error).__name__} ({error}) at {path}") from error


def _open(path: str) -> BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    if path.endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.endswith(".zst"):
        return cast(BinaryIO, io.BufferedReader(_Frames(path), 1 << 20))
    return Path(path).open("rb", buffering=1 << 20)


class _Frames(io.RawIOBase):
    """Zstandard frames to their end. The library takes a file that was cut off for a shorter one; this raises EOFError."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 (closed with this reader)
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside, self._raw, self._ready = False, b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._ready:
            self._raw = self._raw or self._file.read(1 << 17)
            if not self._raw:
                if self._inside:
                    raise EOFError("cut off within a Zstandard frame")
                return 0
            self._ready, self._inside = self._frame.decompress(self._raw), not self._frame.eof
            self._raw = self._frame.unused_data
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        taken = self._ready[: len(into)]
        into[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)

    def close(self) -> None:
        self._file.close()
        super().close()


def merged(paths: Iterable[str]) -> Iterator[Recorded]:
    """Several logs as one, by recorded time."""
    logs = [recorded(lines(path)) for path in paths]
    return logs[0] if len(logs) == 1 else heapq.merge(*logs, key=lambda line: line.at)


def recorded(log: Iterable[Numbered]) -> Iterator[Recorded]:
    """When each line was recorded: its `recordedtime`, else its `time`; never before the line above it.

    A line that has no recorded time vouches for itself, so one broken clock could move everybody's time. Hence a `time`
    more than `JUMP` ahead of the lines above is not believed when at least `WITNESSES`, and half, of the next `AROUND` lines
    stay behind it; one more than `LEAP` ahead is believed only when as many come near it. A line that is not believed counts as
    recorded with the line above, and is refused as stamped in the future.
    """
    parse = Instants().parse
    ahead: deque[tuple[Numbered, int | None, bool]] = deque()
    last: int | None = None
    for line in log:
        ahead.append((line, *_stamp(line.line, parse)))
        if len(ahead) > AROUND:
            last = _recorded(ahead, last)
            numbered = ahead.popleft()[0]
            yield Recorded(last, *numbered)
    while ahead:
        last = _recorded(ahead, last)
        numbered = ahead.popleft()[0]
        yield Recorded(last, *numbered)


def _stamp(line: bytes, parse: object) -> tuple[int | None, bool]:
    """The instant a line names, and whether somebody vouches for it; None where it names none."""
    seen = stamps(line)
    text = seen.recordedtime or seen.time
    if text is None:
        return None, False
    try:
        return parse(text), seen.recordedtime is not None  # type: ignore[operator]
    except ValueError:
        return None, False


def _recorded(ahead: deque[tuple[Numbered, int | None, bool]], last: int | None) -> int:
    _, at, vouched = ahead[0]
    if at is None:
        return last if last is not None else _first(ahead)
    if vouched:
        return at if last is None else max(at, last)
    others = [other for _, other, _ in list(ahead)[1:] if other is not None]
    floor = last if last is not None else min([at, *others])
    if at <= floor + JUMP:
        return max(at, floor)
    behind = sum(other < at - JUMP for other in others)
    contradicted = behind >= WITNESSES and behind * 2 >= len(others)
    unwitnessed = at > floor + LEAP and (len(others) - behind < WITNESSES or behind * 2 >= len(others))
    return floor if contradicted or unwitnessed else at


def _first(ahead: deque[tuple[Numbered, int | None, bool]]) -> int:
    return min((at for _, at, _ in ahead if at is not None), default=0)
