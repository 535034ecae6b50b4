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

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.bugs import BUGS
from tests.simulation.scenario import Scenario, planned
from tests.simulation.trial import Verdict, apart, shrunk, tried, verdicts

PIECE = 50
"""Seeds that a process takes at a time."""
WITHIN = 25
"""Seeds within which a planted bug must be caught."""
SHOWN = 5
console = Console()


def piece(first: int, seeds: int) -> tuple[int, Counter[str], list[Verdict]]:
    """How many were run, what happened in them, and those that failed."""
    seen: Counter[str] = Counter()
    failed = []
    for verdict in verdicts(range(first, first + seeds)):
        seen.update(verdict.seen.keys())
        if verdict.faults:
            failed.append(verdict)
    return seeds, seen, failed


def main(seeds: int = 1000, first: int = 0, seed: int | None = None, bugs: bool = False) -> None:
    """Run simulations."""
    if seed is not None:
        sys.exit(one(seed))
    sys.exit(planted() if bugs else many(first, seeds))


def many(first: int, seeds: int) -> int:
    """Seeds on all cores."""
    began = time.monotonic()
    seen: Counter[str] = Counter()
    failed: list[Verdict] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool, Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("seeds", total=seeds)
        pieces = [pool.submit(piece, at, min(PIECE, first + seeds - at)) for at in range(first, first + seeds, PIECE)]
        for done in as_completed(pieces):
            run, some, bad = done.result()
            seen.update(some)
            failed += bad
            bar.advance(task, run)
    console.print(coverage(seen, seeds))
    for verdict in failed[:SHOWN]:
        tell(verdict)
    if failed:
        console.print(f"failed: {sorted(verdict.scenario.seed for verdict in failed)}", highlight=False)
    console.print(f"{seeds} seeds in {time.monotonic() - began:.0f} s, {len(failed)} failed")
    return 1 if failed else 0


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
        verdict = tried(planned(seed))
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
