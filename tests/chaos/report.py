"""A chaos run as tables and as JSON."""

from __future__ import annotations

from collections import Counter

import msgspec
from rich.console import Console
from rich.table import Table

from tests.chaos.run import Outcome


def show(console: Console, outcome: Outcome) -> None:
    """Print it."""
    faults = Table("fault", "times", "longest pause of output, s", title="chaos on a real broker")
    times = Counter(
        f"{one.kind}, transaction open" if one.held and one.kind == "SIGKILL" else one.kind for one in outcome.happened
    )
    faults.add_row("none", "", f"{outcome.quiet:.1f}")
    for kind, pause in outcome.pauses.items():
        faults.add_row(kind, str(times[kind]), f"{pause:.1f}")
    console.print(faults)
    verdict = Table("what", "count", title=f"{outcome.events} events in {outcome.seconds:.0f} s")
    for name, count in outcome.verdict._asdict().items():
        verdict.add_row(name.replace("_", " "), str(count))
    for name, acts in outcome.acts.items():
        verdict.add_row(
            f"campaign engine reading {name}", ", ".join(f"{what} {count}" for what, count in acts._asdict().items())
        )
    verdict.add_row("upstream transactions aborted", str(outcome.aborted))
    verdict.add_row("workers that ended by themselves", str(len(outcome.ended)))
    console.print(verdict)
    for name, code, words in outcome.ended:
        console.print(f"worker {name} ended with {code}: {words}", highlight=False)
    for each in outcome.wrong:
        console.print(each, style="red", highlight=False)


def written(outcome: Outcome) -> bytes:
    """All figures."""
    return msgspec.json.format(msgspec.json.encode({
        "verdict": outcome.verdict._asdict(),
        "campaign_engines": {name: acts._asdict() for name, acts in outcome.acts.items()},
        "faults": [one._asdict() for one in outcome.happened],
        "ended": outcome.ended,
        "events": outcome.events,
        "aborted_upstream": outcome.aborted,
        "seconds": round(outcome.seconds, 1),
        "longest_pause_quiet": round(outcome.quiet, 2),
        "longest_pauses": {kind: round(pause, 2) for kind, pause in outcome.pauses.items()},
        "wrong": outcome.wrong,
    }))  # fmt: skip
