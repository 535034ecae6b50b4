"""How the cost of an event grows: with customers, and with the rules of a pack. The engine alone, no broker.

CPU time of decoding and deciding in chunks, as a worker does it; the smallest of some tries, since others only add to it. What
is compared takes turns, for the machine is not as fast in one minute as in the next, and before each try everybody is as in the
first. The customers are copies of simulated ones, so that a million rows do not need a million histories.

    python -m tests.bench.growth --customers 10000,100000,1000000 --rules 10,100,500,2000
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from math import log
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from stream.domain.days import DAY
from stream.domain.events import Record, Tick
from stream.engine.engine import SOURCE, Engine, tick_header
from stream.engine.partition import LEDGER, Partition
from stream.packs import loader
from stream.packs.spec import Pack
from stream.shell.cli import collect_rarely
from stream.shell.logfile import Numbered, recorded
from stream.simulator import Bank
from stream.wire.registry import SOURCES
from tests.bench import rules
from tests.bench.fits import line_through
from tests.bench.jobj.log import HOME
from tests.rig.core import core

PEOPLE, DAYS, SEED = 400, 60, 1
"""Whom the log is about that all of this is measured with."""
CHUNK = 4000
NEED = 1500
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
    """Microseconds of CPU an event, deciding them."""
    began = time.process_time()
    for start in range(0, len(records), CHUNK):
        chunk = records[start : start + CHUNK]
        decision = partition.decide(chunk)
        assert decision.consumed == len(chunk), "a tick woke more than one decision has room for"
        partition.accept(decision)
    return (time.process_time() - began) / len(records) * 1e6


Rows = list[tuple[bytes, bytes]]


def lived(engine: Engine, story: Story) -> Rows:
    """The rows of the simulated customers, with their past, which is proven day by day."""
    partition, records = Partition(engine, 0), list[Record]()
    for _, day in groupby(story.before, key=lambda each: each[1] // DAY):
        lines = list(day)
        records += journaled(lines, len(records))
        tick = Tick(dict.fromkeys(SOURCES, lines[-1][1]), frozenset())
        records.append(Record(len(records), None, b"", [tick_header(tick)]))
    fed(partition, records)
    return [row for row in partition.dump() if row[0] != LEDGER]


class Crowd:
    """So many customers, each with the past of one of those that lived, and what they do next."""

    def __init__(self, engine: Engine, rows: Rows, story: Story, number: int) -> None:
        self._number, self.best = number, float("inf")
        self._rows, self._story, self._dice, self._offset = rows, story, Random(SEED), 0
        self._place_of = {key.decode(): place for place, (key, _) in enumerate(rows)}
        self._partition = Partition(engine, 0)
        for place in range(number):
            self._begin(place)

    def _begin(self, place: int) -> None:
        # bytes of its own, as a restore would have them
        self._partition.restore(b"N%08d" % place, bytes(bytearray(self._rows[place % len(self._rows)][1])))

    def _anybody(self, subject: str) -> str:
        """Each event meets a random one of those who have this customer's past; those without one are as they are."""
        place = self._place_of.get(subject)
        if place is None:
            return subject
        return f"N{place + self._dice.randrange(max(self._number // len(self._rows), 1)) * len(self._rows):08d}"

    def turn(self) -> None:
        """One try, over all the events; then everybody is again as before."""
        records = list(journaled(self._story.after, self._offset, self._anybody))
        self._offset += len(records)
        self.best = min(self.best, fed(self._partition, records))
        for key in {record.key for record in records}:
            if key is not None and key.startswith(b"N"):
                self._begin(int(key[1:]))
            elif key is not None:
                self._partition.restore(key, None)


def taking_turns(crowds: dict[int, Crowd], tries: int) -> list[Point]:
    """The smallest of so many tries each, by the number that is compared."""
    for _ in range(tries):
        for crowd in crowds.values():
            crowd.turn()
    return [Point(number, crowd.best) for number, crowd in crowds.items()]


# --- customers


def customers(pack: Pack, story: Story, numbers: list[int], tries: int) -> tuple[Curve, dict[str, Any]]:
    """Cost by number of customers; and what a customer takes."""
    engine = Engine(pack, "live")
    rows = lived(engine, story)
    sizes = sorted(len(raw) for _, raw in rows)
    taken: dict[str, Any] = {"row_p50": sizes[len(sizes) // 2], "row_p99": sizes[int(len(sizes) * 0.99)]}
    taken |= {"rss": {}, "left_out": []}
    crowds = {}
    for number in numbers:
        if number * NEED > free():
            taken["left_out"].append(number)
            continue
        before = resident()
        crowds[number] = Crowd(engine, rows, story, number)
        taken["rss"][number] = (resident() - before) / number
    points = taking_turns(crowds, tries)
    return Curve("customers", f"events of a pack of {len(pack.spec.rules)} rules, by customers", points), taken


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free() -> int:
    """Bytes that may still be taken."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


# --- rules


def by_rules(story: Story, numbers: list[int], kind: str, tries: int) -> Curve:
    """Cost by number of rules of one kind beside those of the default pack."""
    crowds = {}
    for number in numbers:
        engine = Engine(rules.pack(number, kind), "live")
        rows = lived(engine, story)
        crowds[number] = Crowd(engine, rows, story, len(rows))
    return Curve(kind, rules.SAYS[kind], taking_turns(crowds, tries))


# --- all of it


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as plain data."""
    story = Story(options.people, options.days)
    numbers = [int(each) for each in options.customers.split(",") if each]
    crowded, taken = customers(loader.load("retail_bank"), story, numbers, options.tries)
    counts = [int(each) for each in options.rules.split(",") if each]
    curves = [crowded] if numbers else []
    if counts:
        curves += [by_rules(story, counts, kind, options.tries) for kind in rules.SAYS]
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
    parser.add_argument("--tries", type=int, default=15)
    parser.add_argument("--results", type=Path, default=HOME / "growth.json")
    options = parser.parse_args()
    options.results.parent.mkdir(exist_ok=True)
    collect_rarely()
    found = measured(options)
    options.results.write_text(json.dumps(found))
    shown(found)


if __name__ == "__main__":
    main()
