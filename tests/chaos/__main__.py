"""`python -m tests.chaos`: a fleet on a real broker that is killed, rolled, scaled, stopped and bounced, and must be exact.

    --short      3 kills and a broker killed, in a minute or two: what CI runs
    --json FILE  the figures

Exit code 1 when anything was lost, spurious, doubled or wrong.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import typer
from rich.console import Console

from tests.chaos.report import show, written
from tests.chaos.run import FULL, SHORT, chaos

console = Console()


def main(short: bool = False, json: Path | None = None, seed: int = 1) -> None:
    """Run chaos."""
    with tempfile.TemporaryDirectory(prefix="kairos-chaos-") as where:
        outcome = chaos(SHORT if short else FULL, Path(where), seed, lambda line: console.print(line, highlight=False))
    show(console, outcome)
    if json is not None:
        json.write_bytes(written(outcome))
    sys.exit(0 if not outcome.wrong else 1)


if __name__ == "__main__":
    typer.run(main)
