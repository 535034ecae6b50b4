"""`python -m tests.pressure`: one worker on a real broker under more than it likes; exact and bounded, or exit code 1.

soak --minutes 10    the highest sustainable rate for so long, bursts of ten times the usual, a slow broker
soak --short         a burst over a slow broker that stands still: what CI runs
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import typer
from rich.console import Console

from stream.shell.settings import Clock
from tests.pressure import poison as bad
from tests.pressure import report
from tests.pressure.run import SHORT, full, press

console = Console(width=150)
app = typer.Typer()


def say(line: str) -> None:
    """Print it as it is."""
    console.print(line, highlight=False)


@app.command()
def soak(minutes: float = 10.0, clock: Clock = Clock.RECORDED, short: bool = False, json: Path | None = None) -> None:
    """By either clock: an old log (recorded) holds each event in its row until its time is proven, which costs twice."""
    with tempfile.TemporaryDirectory(prefix="kairos-pressure-") as where:
        outcome = press(SHORT if short else full(minutes, clock), Path(where), say)
    report.show(console, outcome)
    if json is not None:
        json.write_bytes(report.written(outcome))
    sys.exit(0 if not outcome.wrong else 1)


@app.command()
def poison(few: int = 200_000, everything: int = 40_000) -> None:
    """So many lines of which 1 % is bad, and so many bad ones."""
    with tempfile.TemporaryDirectory(prefix="kairos-poison-") as where:
        ground = bad.Ground(Path(where), say)
        try:
            figures = [bad.few(ground, few), *bad.everything(ground, everything)]
        finally:
            ground.close()
    report.show_poison(console, figures)
    sys.exit(0 if not any(one.wrong for one in figures) else 1)


if __name__ == "__main__":
    app()
