"""`python -m tests.simulation --seeds 20000`: many seeds on all cores; coverage, and the least of what fails.

    --seed N     one seed, with what its workers log
    --bugs       the planted bugs: by which seed each is caught

Exit code 1 when an invariant is broken, or a planted bug is not caught.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.bugs import BUGS
from tests.simulation.scenario import LEAST_EVENTS, LEAST_FAULTS, Scenario
from tests.simulation.trial import Verdict, apart, shrunk, sown, verdicts

PIECE = 50
"""Seeds that a process takes at a time."""
WITHIN = 25
"""Seeds within which a planted bug must be caught."""
SHOWN = 5
console = Console()


class Piece(NamedTuple):
    """What some seeds showed.

    Attributes:
        hits: Least number of faults that happened in one of them.
        events: Least number of events.
    """

    seeds: int
    seen: Counter[str]
    failed: list[Verdict]
    hits: int
    events: int


def piece(first: int, seeds: int) -> Piece:
    """Run these."""
    seen: Counter[str] = Counter()
    failed, hits, events = [], [], []
    for verdict in verdicts(range(first, first + seeds)):
        seen.update(verdict.seen.keys())
        hits.append(verdict.hits)
        events.append(verdict.scenario.events)
        if verdict.faults:
            failed.append(verdict)
    return Piece(seeds, seen, failed, min(hits), min(events))


def main(seeds: int = 1000, first: int = 0, seed: int | None = None, bugs: bool = False) -> None:
    """Run simulations."""
    if seed is not None:
        sys.exit(one(seed))
    sys.exit(planted() if bugs else many(first, seeds))


def many(first: int, seeds: int) -> int:
    """Seeds on all cores."""
    began = time.monotonic()
    done: list[Piece] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool, Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("seeds", total=seeds)
        pieces = [pool.submit(piece, at, min(PIECE, first + seeds - at)) for at in range(first, first + seeds, PIECE)]
        for one in as_completed(pieces):
            done.append(one.result())
            bar.advance(task, done[-1].seeds)
    console.print(coverage(sum((each.seen for each in done), Counter()), seeds))
    failed, hits, events = [v for each in done for v in each.failed], min(p.hits for p in done), min(p.events for p in done)
    for verdict in failed[:SHOWN]:
        tell(verdict)
    if failed:
        console.print(f"failed: {sorted(verdict.scenario.seed for verdict in failed)}", highlight=False)
    console.print(f"in each seed at least {events} events sent and {hits} faults that happened")
    console.print(f"{seeds} seeds in {time.monotonic() - began:.0f} s, {len(failed)} failed")
    return 1 if failed or hits < LEAST_FAULTS or events < LEAST_EVENTS else 0


def coverage(seen: Counter[str], seeds: int) -> Table:
    """In how many seeds each thing happened."""
    table = Table("what happened", "seeds", "of all", title="coverage")
    for name, times in seen.most_common():
        table.add_row(name, str(times), f"{times / seeds:.0%}")
    return table


def tell(verdict: Verdict) -> None:
    """A failing seed and the least of it, also as data for `kept`."""
    console.print(f"seed {verdict.scenario.seed} failed: {verdict.faults[0][:1000]}", style="red", highlight=False)
    least = shrunk(verdict.scenario)
    console.print(f"  still fails with {described(least)}", highlight=False)
    console.print(f"  {least}", highlight=False, soft_wrap=True)


def described(scenario: Scenario) -> str:
    """A scenario in words."""
    faults = ", ".join(f"{fault.kind} at {fault.at:.2f} s" for fault in scenario.faults) or "no faults"
    kind = "static" if scenario.static else "dynamic"
    return f"{scenario.events} events, {scenario.workers} {kind} workers: {faults}"


def one(seed: int) -> int:
    """One seed, told at length."""
    with apart(loud=True):
        verdict = sown(seed)
    console.print(described(verdict.scenario), dict(verdict.seen))
    for fault in verdict.faults:
        console.print(fault, style="red", highlight=False)
    return 1 if verdict.faults else 0


def caught(bug: str) -> tuple[int | None, str]:
    """The first seed that notices a planted bug, and by what."""
    for verdict in verdicts(range(WITHIN), bug):
        if verdict.faults:
            return verdict.scenario.seed, verdict.faults[0]
    return None, ""


def planted() -> int:
    """All planted bugs."""
    table = Table("planted bug", "caught by seed", "as", title=f"planted bugs, within {WITHIN} seeds")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(caught, BUGS))
    for bug, (seed, by) in zip(BUGS, found, strict=True):
        table.add_row(bug, "NOT CAUGHT" if seed is None else str(seed), by[:90])
    console.print(table)
    return sum(seed is None for seed, _ in found) and 1


if __name__ == "__main__":
    typer.run(main)
