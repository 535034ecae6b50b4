"""Stand-ins for a worker, found by their names in new processes: `level` is the folder in which they say what they are."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import FrameType

from stream.domain.errors import ConfigError
from stream.shell.settings import Settings

PATIENCE = 60.0


class ToldError(BaseException):
    """A signal came."""


def waits(settings: Settings, level: str, place: int) -> int:
    """Ends in order when it is told to."""
    mine = Path(level) / str(settings.instance_id)

    def told(signum: int, _: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        raise ToldError

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    try:
        written(mine, str(os.getpid()))
        time.sleep(PATIENCE)
    except ToldError:
        written(mine, "ended")
        return 0
    return 1


def one_fails(settings: Settings, level: str, place: int) -> int:
    """The first, as soon as the second waits."""
    if place:
        return waits(settings, level, place)
    until = time.monotonic() + PATIENCE
    while not (Path(level) / "pod-1").exists() and time.monotonic() < until:
        time.sleep(0.01)
    return 70


def refuses(settings: Settings, level: str, place: int) -> int:
    """A fault that the person at the terminal can mend."""
    raise ConfigError("no such broker")


def written(path: Path, text: str) -> None:
    """At once, so that nobody reads half of it."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").rename(path)
