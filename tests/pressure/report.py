"""A pressure run as tables and as JSON."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table

from tests.pressure.poison import Figures
from tests.pressure.run import Outcome


def show(console: Console, outcome: Outcome) -> None:
    """Print it."""
    columns = (
        "stretch",
        "s",
        "sent/s",
        "done/s",
        "lag usual",
        "lag most",
        "lag end",
        "held most",
        "MiB most",
        "MiB end",
        "MiB/min",
    )
    table = Table(*columns, "loop p99", "rebalances", title="one worker under pressure")
    for name, seen in outcome.stretches.items():
        cells = (seen.seconds, outcome.pace[name], seen.rate, seen.lag_usual, seen.lag_most, seen.lag_end, seen.buffered_most)
        memory = (seen.rss_most, seen.rss_end, seen.growth, seen.loop_p99, seen.rebalances)
        table.add_row(name, *(f"{cell:,}" for cell in (*cells, *memory)))
    console.print(table)
    verdict = Table(
        "what", "count", title=f"{outcome.events:,} lines; highest sustainable rate {outcome.highest:,.0f} a second"
    )
    for what, count in outcome.verdict._asdict().items():
        verdict.add_row(what.replace("_", " "), f"{count:,}")
    verdict.add_row("ended by itself", str(outcome.ended or 0))
    console.print(verdict)
    for each in outcome.wrong:
        console.print(each, style="red", highlight=False)


def show_poison(console: Console, figures: list[Figures]) -> None:
    """Print runs of bad input."""
    table = Table("run", "lines", "bad", "MiB", "s", "lines/s", "RSS MiB", title="bad input at volume")
    for one in figures:
        table.add_row(one.name, *(f"{cell:,}" for cell in one[1:-1]))
    console.print(table)
    for one in figures:
        for each in one.wrong[:20]:
            console.print(f"{one.name}: {each}", style="red", highlight=False)


def written(outcome: Outcome) -> bytes:
    """All figures."""
    return msgspec.json.format(msgspec.json.encode({
        "highest": outcome.highest,
        "events": outcome.events,
        "stretches": {name: {"sent": outcome.pace[name], **seen._asdict()} for name, seen in outcome.stretches.items()},
        "ended": outcome.ended,
        "verdict": outcome.verdict._asdict(),
        "wrong": outcome.wrong,
    }))  # fmt: skip
