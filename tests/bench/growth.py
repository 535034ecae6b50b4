"""How the cost of an event grows: with customers, and with the rules of a pack. The engine alone, no broker.

CPU time of decoding and deciding in chunks, as a worker does it; the smallest of some tries, since others only add to it. The
customers are copies of simulated ones, so that a million rows do not need a million histories.

    python -m tests.bench.growth --customers 10000,100000,1000000 --rules 10,100,500,2000
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from math import log
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from stream.domain.events import Record
from stream.engine.engine import SOURCE, Engine
from stream.engine.partition import LEDGER, Partition
from stream.packs import loader
from stream.packs.spec import Pack
from stream.shell.cli import collect_rarely
from stream.shell.logfile import Numbered, recorded
from stream.simulator import Bank
from tests.bench import rules
from tests.bench.fits import line_through
from tests.bench.jobj.log import HOME
from tests.rig.core import core

PEOPLE, DAYS, SEED = 400, 60, 1
"""Whom the log is about that all of this is measured with."""
CHUNK = 4000
NEED = 2500
"""Bytes a customer must find free in memory before so many are tried."""
PARTS = 0.5
"""Share of the log that the customers have behind them; the rest is what is measured."""


class Point(NamedTuple):
    """One measurement: of so many, microseconds of CPU an event."""

    of: int
    us: float


class Curve(NamedTuple):
    """Measurements that belong together. `slope` is the exponent of the growth between neighbours at best fit; 0 is none."""

    name: str
    what: str
    points: list[Point]

    @property
    def slope(self) -> float:
        """Of the logarithms, by least squares."""
        return slope([(each.of, each.us) for each in self.points])


def slope(pairs: list[tuple[float, float]]) -> float:
    """The exponent b of y = a x^b that fits best; 0 for a single pair.

    >>> round(slope([(10, 5), (100, 50), (1000, 500)]), 3), slope([(10, 5)])
    (1.0, 0.0)
    """
    return line_through([(log(x), log(y)) for x, y in pairs])[0] if len(pairs) > 1 else 0.0


class Story:
    """A simulated log as journal records: what customers have behind them, and what comes then."""

    def __init__(self, people: int = PEOPLE, days: int = DAYS) -> None:
        lines = list(Bank(people, days, SEED).events())
        # of wall order: nothing is held back, only ticks move time
        log = [(each.line, each.at) for each in recorded(Numbered("log.jsonl", n, line) for n, line in enumerate(lines, 1))]
        cut = int(len(log) * PARTS)
        self.before, self.after = log[:cut], log[cut:]


def journaled(lines: list[tuple[bytes, int]], first: int, rename: Callable[[str], str] = str) -> Iterator[Record]:
    """Structured events with the coordinates ingest would have stamped on them; their customers renamed."""
    for offset, (line, at) in enumerate(lines, first):
        subject = orjson.loads(line)["subject"]
        other = rename(subject)
        value = line if other == subject else line.replace(b'"%b"' % subject.encode(), b'"%b"' % other.encode())
        yield Record(offset, other.encode(), value, [(SOURCE, f"in.txn|0|0|{offset}|{at}|w".encode())])


def fed(partition: Partition, records: list[Record]) -> float:
    """CPU seconds of deciding them."""
    began = time.process_time()
    for start in range(0, len(records), CHUNK):
        partition.accept(partition.decide(records[start : start + CHUNK]))
    return time.process_time() - began


def lived(engine: Engine, story: Story) -> Partition:
    """The simulated customers, with their past."""
    partition = Partition(engine, 0)
    fed(partition, list(journaled(story.before, 0)))
    return partition


# --- customers


def customers(pack: Pack, story: Story, numbers: list[int], tries: int) -> tuple[Curve, dict[str, Any]]:
    """Cost by number of customers; and what a customer takes."""
    engine = Engine(pack, "live")
    rows = [row for row in lived(engine, story).dump() if row[0] != LEDGER]
    sizes = sorted(len(raw) for _, raw in rows)
    taken = {"row_p50": sizes[len(sizes) // 2], "row_p99": sizes[int(len(sizes) * 0.99)], "rss": {}, "left_out": []}
    points = []
    for number in numbers:
        if number * NEED > free():
            taken["left_out"].append(number)
            continue
        us, resident = crowd(engine, rows, story, number, tries)
        points.append(Point(number, us))
        taken["rss"][number] = resident / number
        gc.collect()
    return Curve("customers", f"events of a pack of {len(pack.spec.rules)} rules, by customers", points), taken


def crowd(engine: Engine, rows: list[tuple[bytes, bytes]], story: Story, number: int, tries: int) -> tuple[float, int]:
    """Microseconds an event among so many customers, and the resident bytes they brought."""
    before = resident()
    partition = Partition(engine, 0)
    for place, (_, raw) in zip(range(number), cycle(rows), strict=False):
        # bytes of its own, as a restore would have them
        partition.restore(b"N%08d" % place, bytes(bytearray(raw)))
    grown = resident() - before
    place_of = {key.decode(): place for place, (key, _) in enumerate(rows)}
    dice, best, offset = Random(SEED), float("inf"), 0

    def anybody(subject: str) -> str:
        """Each event meets a random one of those who have this customer's past."""
        place = place_of.get(subject)
        return subject if place is None else f"N{place + dice.randrange(number // len(rows)) * len(rows):08d}"

    for _ in range(tries):
        records = list(journaled(story.after, offset, anybody))
        offset += len(records)
        best = min(best, fed(partition, records) / len(records) * 1e6)
    return best, grown


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free() -> int:
    """Bytes that may still be taken."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


# --- rules


def by_rules(story: Story, numbers: list[int], kind: str, tries: int, most: float) -> Curve:
    """Cost by number of rules of one kind beside those of the default pack; a try takes ``most`` seconds at most."""
    points = []
    for number in numbers:
        engine = Engine(rules.pack(number, kind), "live")
        best, events = float("inf"), story.after
        for _ in range(tries):
            partition = lived(engine, shortened(story, len(events)))
            records = list(journaled(events, len(story.before)))
            seconds = fed(partition, records)
            best = min(best, seconds / len(records) * 1e6)
            events = events[: max(int(len(events) * min(1.0, most / max(seconds, 1e-9))), 200)]
        points.append(Point(number, best))
    return Curve(kind, rules.SAYS[kind], points)


def shortened(story: Story, events: int) -> Story:
    """The same story with a shorter past where its future is cut short."""
    if events == len(story.after):
        return story
    short = object.__new__(Story)
    short.before, short.after = story.before[-events:], story.after
    return short


# --- all of it


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as plain data."""
    story = Story(options.people, options.days)
    numbers = [int(each) for each in options.customers.split(",") if each]
    crowded, taken = customers(loader.load("retail_bank"), story, numbers, options.tries)
    counts = [int(each) for each in options.rules.split(",") if each]
    curves = [crowded] if numbers else []
    if counts:
        curves += [by_rules(story, counts, kind, options.tries, options.most) for kind in rules.SAYS]
    found = [{**each._asdict(), "slope": each.slope, "points": [point._asdict() for point in each.points]} for each in curves]
    return {"curves": found, "customer": taken, "events": len(story.after), "core": core()}


def shown(found: dict[str, Any]) -> None:
    """The tables."""
    for curve in found["curves"]:
        table = Table(title=f"{curve['what']}: growth exponent {curve['slope']:.3f}")
        for heading in ("of", "us an event", "to the first"):
            table.add_column(heading, justify="right")
        first = curve["points"][0]["us"] if curve["points"] else 1
        for point in curve["points"]:
            table.add_row(f"{point['of']:,}", f"{point['us']:.1f}", f"{point['us'] / first - 1:+.1%}")
        Console().print(table)
    taken = found["customer"]
    print(f"bytes of a row: p50 {taken['row_p50']:,}, p99 {taken['row_p99']:,}")
    for number, each in taken["rss"].items():
        print(f"{number:,} customers: {each:,.0f} bytes of memory each")
    for number in taken["left_out"]:
        print(
            f"*** {number:,} customers are left out: they need {number * NEED / 2**30:,.0f} GiB, {free() / 2**30:,.0f} are free"
        )


def main() -> None:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default="10000,100000,1000000,10000000")
    parser.add_argument("--rules", default="10,100,500,2000")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--most", type=float, default=10.0, help="seconds of one try, about")
    parser.add_argument("--results", type=Path, default=HOME / "growth.json")
    options = parser.parse_args()
    options.results.parent.mkdir(exist_ok=True)
    collect_rarely()
    found = measured(options)
    options.results.write_text(json.dumps(found))
    shown(found)


if __name__ == "__main__":
    main()
