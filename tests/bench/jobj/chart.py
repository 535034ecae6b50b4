"""The charts of docs/speed.md, from docs/speed.json. Runs in an environment of its own that has matplotlib.

python chart.py SPEED.JSON RATES.SVG GROWTH.SVG
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "kairos"
mpl.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first)

OURS, THEIRS, SECOND = "#0b6e4f", "#8a95a5", "#c8cfd8"
METADATA = {"Date": None, "Creator": None}


def rates(rows: list[dict[str, Any]], path: Path) -> None:
    """Events a second, CPU an event, memory and delays: a panel each, a bar a contender, the fastest on top."""
    rows = sorted(rows, key=lambda row: row["rate"])
    colours = [OURS if row["contender"].startswith("kairos") else THEIRS for row in rows]
    figure, panels = plt.subplots(1, 5, figsize=(18, 0.42 * len(rows) + 1.4), sharey=True)
    bars(panels[0], "events/s", [row["rate"] for row in rows], colours, "{:,.0f}")
    bars(panels[1], "CPU us an event", [row["cpu_us"] for row in rows], colours, "{:,.1f}")
    bars(panels[2], "peak memory, MiB", [row["peak"] / 2**20 for row in rows], colours, "{:,.0f}")
    delays(panels[3], "ms to a trigger at 1,000/s: p50 / p99", [row["slow"] for row in rows], colours)
    delays(panels[4], "ms at half its rate: p50 / p99", [row["half"] for row in rows], colours)
    panels[0].set_yticks(range(len(rows)), [row["title"] for row in rows], fontsize=9)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.3)
    save(figure, path)


def bars(panel: Any, title: str, values: list[float], colours: list[str], shown: str) -> None:
    """A panel of one figure a contender."""
    panel.set_title(title, fontsize=10)
    panel.barh(range(len(values)), values, color=colours)
    for place, value in enumerate(values):
        panel.text(value, place, f" {shown.format(value)}", va="center", fontsize=8)


def delays(panel: Any, title: str, of: list[dict[str, Any] | None], colours: list[str]) -> None:
    """A panel of two quantiles a contender, none where nothing was measured."""
    panel.set_title(title, fontsize=10)
    for place, one in enumerate(of):
        if one:
            panel.barh(place, one["p99"], color=SECOND)
            panel.barh(place, one["p50"], color=colours[place])
            panel.text(one["p99"], place, f" {one['p50']:,.0f} / {one['p99']:,.0f}", va="center", fontsize=8)
    panel.set_xscale("log")


def growth(curves: list[dict[str, Any]], path: Path) -> None:
    """Cost of an event by customers, and by rules; both axes logarithmic."""
    figure, panels = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
    for curve in curves:
        panel = panels[0] if curve["name"] == "customers" else panels[1]
        points = curve["points"]
        says = f"{curve['what']}: exponent {curve['slope']:.3f}"
        panel.plot([point["of"] for point in points], [point["us"] for point in points], marker="o", label=says)
    for panel, title in zip(panels, ("customers", "rules in the pack"), strict=True):
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel(title)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize=8, frameon=False)
    panels[0].set_ylabel("CPU us an event")
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """The same bytes for the same figures."""
    figure.tight_layout()
    figure.savefig(path, metadata=METADATA)


def main() -> None:
    """Draw what there is."""
    found = json.loads(Path(sys.argv[1]).read_text())
    if found["contenders"]:
        rates(found["contenders"], Path(sys.argv[2]))
    if found["growth"]:
        growth(found["growth"]["curves"], Path(sys.argv[3]))


if __name__ == "__main__":
    main()
