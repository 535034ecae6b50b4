"""The tables that a report is shown as.

Rule: nothing here counts; every figure is in `summary.json`. What depends on the machine stands outside the tables.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from rich.table import Table

from stream.shell.cli.offline import Reported
from stream.shell.cli.screen import out, table
from stream.shell.reports import DEAD, SUMMARY, SUPPRESSED, TRIGGERS, Tally

MAIN = 3
"""Reasons shown per type."""


def figures(reported: Reported, folder: Path) -> None:
    """What a replay brought about, for a person."""
    console, found = out(), reported.summary
    console.print(by_type(reported.tally))
    if found["rejects"]:
        console.print(rejects(found))
    ending(found)
    files(folder, found)


def by_type(tally: Tally) -> Table:
    """One row per trigger type."""
    made = table("Triggers by type", "type", "fired", "suppressed", "main reasons", right=("fired", "suppressed"))
    for kind in tally.types:
        reasons = main_reasons(tally.reasons.get(kind, Counter()))
        made.add_row(kind, f"{tally.triggers[kind]:,}", f"{tally.suppressed[kind]:,}", reasons)
    made.add_section()
    made.add_row("all", f"{sum(tally.triggers.values()):,}", f"{sum(tally.suppressed.values()):,}", "")
    return made


def main_reasons(reasons: Counter[str]) -> str:
    """The most frequent ones; ties by name, so that equal runs read equal.

    >>> main_reasons(Counter(COOLDOWN=3, OPT_OUT_ALL=1, EXPIRED=1))
    'COOLDOWN 3, EXPIRED 1, OPT_OUT_ALL 1'
    """
    ranked = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = f", {len(ranked) - MAIN} more" if len(ranked) > MAIN else ""
    return ", ".join(f"{reason} {number:,}" for reason, number in ranked[:MAIN]) + rest


def rejects(found: dict[str, Any]) -> Table:
    """Dead letters by reason."""
    made = table("Dead letters", "reason", "records", right=("records",))
    for code, number in found["rejects"].items():
        made.add_row(code, f"{number:,}")
    return made


def outcomes(found: dict[str, Any]) -> str:
    """One line that adds up."""
    parts = [f"{number:,} {name}" for name, number in found["outcomes"].items() if number or name == "processed"]
    return f"{found['events']:,} events of {found['customers']:,} customers = {' + '.join(parts)}"


def files(folder: Path, found: dict[str, Any], log: str = "") -> None:
    """Where everything is."""
    lines = {TRIGGERS: found["triggers"], SUPPRESSED: found["suppressed"], DEAD: found["dead_letters"]}
    console = out()
    console.print("[bold]Files[/bold]")
    if log:
        console.print(f"  {log}  {found['events']:,} lines", markup=False, soft_wrap=True)
    for name, number in lines.items():
        console.print(f"  {folder / name}  {number:,} lines", markup=False, soft_wrap=True)
    console.print(f"  {folder / SUMMARY}", markup=False, soft_wrap=True)


def ending(found: dict[str, Any]) -> None:
    """What adds up, how fast it was, and the digest."""
    console = out()
    console.print(outcomes(found))
    console.print(f"{found['events_per_second']:,} events/s ({found['seconds']:.1f} s)")
    console.print(f"digest {found['digest']}")
