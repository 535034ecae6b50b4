"""What the bench of the engine found, as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

SAMPLED = "{name}: by stage from {samples:,} samples of CPU time, in a replay of its own that took {sampled_us:.2f} us an event"
MARGINAL = (
    "a rule more that hears the event: {us_heard:.2f} us, {ratio_heard:.1f} x orjson.loads, with what it waits for and tells\n"
    "a rule more in the pack, which hears its part of this log: {us_rule:.2f} us\n"
    "the line through {packs} rules begins at {us_without:.1f} us without any"
)


def show(found: dict[str, Any], console: Console) -> None:
    """All of it."""
    looked_into = [row for row in found["packs"] if "stages" in row]
    inside = (stages(looked_into), *map(profile, looked_into)) if looked_into else ()
    for table in (costs(found), hearing(found), *inside):
        console.print(table)
    for row in looked_into:
        console.print(SAMPLED.format(**row))
    packs = ", ".join(str(row["rules"]) for row in found["packs"][1:])
    console.print(MARGINAL.format(**found["marginal"], packs=packs))


def costs(found: dict[str, Any]) -> Table:
    """What an event costs."""
    title = f"{found['core']}: {found['events']:,} events, {found['customers']:,} customers, {found['days']} days"
    table = _table(title, "what", "us an event", "events/s", "x orjson.loads")
    for name, us, ratio in [
        ("orjson.loads", found["parse_us"], 1.0),
        *((f"replay, {_named(row)}", row["us"], row["ratio"]) for row in found["packs"]),
    ]:
        table.add_row(name, f"{us:.2f}", f"{1e6 / us:,.0f}", f"{ratio:.1f}")
    return table


def hearing(found: dict[str, Any]) -> Table:
    """How much the packs have to do."""
    table = _table("who hears an event", "pack", "rules", "hear it", "at most", "triggers an event", "refused")
    for row in found["packs"]:
        heard = (f"{row['rules']}", f"{row['heard']:.2f}", f"{row['heard_most']}")
        table.add_row(row["name"], *heard, f"{row['triggers']:.3f}", f"{row['refused']:.3f}")
    return table


def stages(rows: list[dict[str, Any]]) -> Table:
    """Where the time goes, of the packs that were looked into."""
    heads = [head for row in rows for head in (f"{_named(row)}: us", "x orjson.loads")]
    table = _table("by stage, an event", "stage", *heads)
    for name in rows[0]["stages"]:
        table.add_row(name, *_figures([row["stages"][name] for row in rows]))
    table.add_row("all", *_figures(rows), style="bold")
    return table


def profile(row: dict[str, Any]) -> Table:
    """The functions in which most samples fell; what they call in C is theirs."""
    table = _table(f"profile, {_named(row)}", "function", "share", "stage")
    for each in row["hottest"]:
        table.add_row(each["where"], f"{each['share']:.1%}", each["stage"])
    return table


def _figures(rows: list[dict[str, float]]) -> list[str]:
    return [text for row in rows for text in (f"{row['us']:.2f}", f"{row['ratio']:.1f}")]


def _named(row: dict[str, Any]) -> str:
    return f"{row['name']} ({row['rules']})" if "listen" not in row["name"] else str(row["name"])


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(first, title=title)
    for head in others:
        table.add_column(head, justify="right")
    return table
