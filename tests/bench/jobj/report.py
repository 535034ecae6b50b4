"""The table of what was measured: on the screen, as JSON, and as the page docs/speed.md."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.bench.jobj.contenders import ALL
from tests.bench.jobj.latency import SLOW, Delays
from tests.bench.jobj.results import Results, Summary

TITLES = {contender.name: contender.title for contender in ALL}
HEAD = (
    "contender",
    "events",
    "events/s",
    "least to most",
    "CPU us an event",
    "peak memory, MiB",
    "at 1,000/s, p50 / p99 ms",
    "at half its rate, p50 / p99 ms",
)


def rows(results: Results) -> list[tuple[str, ...]]:
    """One a contender, the fastest first."""
    return [row(each) for each in sorted(results.summaries(), key=lambda each: -each.rate)]


def row(one: Summary) -> tuple[str, ...]:
    """Its cells."""
    return (
        TITLES[one.contender],
        f"{one.size:,}",
        f"{one.rate:,.0f}",
        f"{one.spread[0]:,.0f} to {one.spread[1]:,.0f}",
        f"{one.cpu_us:.1f}",
        f"{one.peak / 2**20:,.0f}",
        shown(one.slow),
        shown(one.half, with_rate=True),
    )


def shown(delays: Delays | None, with_rate: bool = False) -> str:
    """Two quantiles, and the pace where it is the contender's own."""
    if delays is None:
        return ""
    pace = f" ({delays.rate:,}/s)" if with_rate or delays.rate != SLOW else ""
    return f"{delays.p50:,.0f} / {delays.p99:,.0f}{pace}"


def table(results: Results) -> None:
    """On the screen."""
    drawn = Table(title="Job J")
    for place, heading in enumerate(HEAD):
        drawn.add_column(heading, justify="left" if place == 0 else "right")
    for cells in rows(results):
        drawn.add_row(*cells)
    console = Console()
    console.print(drawn)
    for name, why in results.skipped.items():
        console.print(f"left out: {name}: {why}", highlight=False, markup=False)
