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
    """Events a second, CPU an event and delays: three panels, a bar a contender, the fastest on top."""
    rows = sorted(rows, key=lambda row: row["rate"])
    names = [row["title"] for row in rows]
    colours = [OURS if row["contender"].startswith("kairos") else THEIRS for row in rows]
    figure, (rate, cpu, delay) = plt.subplots(1, 3, figsize=(13, 0.42 * len(rows) + 1.4), sharey=True)
    places = range(len(rows))
    rate.barh(places, [row["rate"] for row in rows], color=colours)
    cpu.barh(places, [row["cpu_us"] for row in rows], color=colours)
    for place, row in enumerate(rows):
        rate.text(row["rate"], place, f" {row['rate']:,.0f}", va="center", fontsize=8)
        cpu.text(row["cpu_us"], place, f" {row['cpu_us']:,.1f}", va="center", fontsize=8)
        if row["slow"]:
            delay.barh(place, row["slow"]["p99"], color=SECOND)
            delay.barh(place, row["slow"]["p50"], color=colours[place])
            delay.text(
                row["slow"]["p99"], place, f" {row['slow']['p50']:,.0f} / {row['slow']['p99']:,.0f}", va="center", fontsize=8
            )
    delay.set_xscale("log")
    rate.set_yticks(list(places), names, fontsize=9)
    for panel, title in (
        (rate, "events/s"),
        (cpu, "CPU us an event"),
        (delay, "ms from event to trigger at 1,000/s: p50 / p99"),
    ):
        panel.set_title(title, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.25)
    save(figure, path)


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
