"""How long it takes until job J goes on: a cold start without local state, and a process killed and started again at once.

Each contender works off a log in which every customer has come, so that the topic it restores from has a row of each, and is
stopped. Then, each time until a reader of committed records has a trigger of a new event in every partition:

- it starts on an empty disk, after its group has forgotten it: counted from the start of the process;
- with the bank going on, SIGKILL and the same command again, its disk as it is: counted from the kill, of events sent after it.

In the end all triggers and the state of sampled customers must be those of the reference.

    python -m tests.bench.jobj.restore --customers 100000,1000000
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby, product
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_END
from rich.console import Console
from rich.table import Table

from tests.bench.jobj import log, rounds, watch
from tests.bench.jobj.contenders import RESTORING, Contender
from tests.bench.jobj.contenders.contender import lose
from tests.bench.jobj.rounds import FailedError
from tests.bench.jobj.run import broker, chosen
from tests.bench.jobj.trial import COLD, END, SPARE, Trial
from tests.bench.jobj.wires import Reader

RESULTS = log.HOME / "restore.json"
EACH = 1.3
"""Events of a customer before it is stopped, in the mean."""
STEADY = 6.0
"""Seconds of load before the kill, and after it is back."""
HEAD = (
    "contender",
    "customers",
    "rows read",
    "cold start to ready, s",
    "to triggers, s",
    "rows/s until then",
    "restore alone, s",
    "rows/s in it",
    "kill to a trigger, s",
    "to all partitions, s",
    "rows read again",
    "peak memory, MiB",
)


class Said(NamedTuple):
    """What a contender's log says of its restore: records, when the first partition began and the last one ended (UTC s)."""

    records: int
    began: float
    ended: float


class Restored(NamedTuple):
    """What one contender showed.

    Attributes:
        rows: Records that it read at its cold start, as it says itself: some customers have two.
        cold: From the start of the process to a trigger in every partition, s.
        ready, reading: From the start until all is restored, and the restore alone, as it says itself, s.
        again, back: From the kill to a trigger in the first partition, and in all, s.
        reread, restored: Records read after the kill, and from the kill until all is restored, s; zeros when nothing was.
        peak: Bytes of memory at most until the triggers after the cold start.
        triggers: Different ids told over all of it.
    """

    contender: str
    customers: int
    rows: int
    cold: float
    ready: float
    reading: float
    again: float
    back: float
    reread: int
    restored: float
    peak: int
    triggers: int


def restores(lines: Iterable[bytes]) -> Said:
    """The last restore of each partition in a log."""
    found: dict[int, dict[str, Any]] = {}
    for line in lines:
        if line.startswith(b"{") and b'"partition restored"' in line:
            one = json.loads(line)
            found[one["partition"]] = one
    if not found:
        return Said(0, 0.0, 0.0)
    ends = {number: datetime.fromisoformat(one["time"]).timestamp() for number, one in found.items()}
    began = min(end - found[number]["seconds"] for number, end in ends.items())
    return Said(sum(one["records"] for one in found.values()), began, max(ends.values()))


Figures = dict[str, float]


def cold(trial: Trial, reader: Reader) -> Figures:
    """Start it on an empty disk, with new events waiting."""
    lose(trial.run)
    trial.load(len(log.closers()))
    wall, began = time.time(), time.perf_counter()
    trial.start()
    told = trial.until(reader, {subject.encode() for subject in log.closers(COLD)})
    own = restores(trial.said())
    if not own.records:
        raise FailedError(f"it did not restore\n{rounds.tail(trial.run)}")
    figures = {"cold": max(told.values()) - began, "ready": own.ended - wall, "reading": own.ended - own.began}
    return {"rows": own.records, **figures, "peak": watch.peak(trial.process.pid)}


def killed(trial: Trial, reader: Reader) -> Figures:
    """Kill it while the bank goes on, and start it again at once."""
    live = trial.live()
    time.sleep(STEADY)
    wall, began = time.time(), time.perf_counter()
    trial.kill()
    sure, seen = live.sure(), len(reader.seen)
    trial.start()
    told = trial.until(reader, sure, seen)
    own = restores(trial.said())
    time.sleep(STEADY)
    trial.over.set()
    live.join()
    trial.until(reader, {subject.encode() for subject in log.closers(END)}, seen)
    again, back = min(told.values()) - began, max(told.values()) - began
    return {"again": again, "back": back, "reread": own.records, "restored": own.ended - wall if own.records else 0.0}


def once(brokers: str, contender: Contender, customers: int) -> Restored:
    """All figures of one contender. Raises FailedError when it does not come back, or not rightly."""
    source = log.have(int(customers * EACH) + SPARE, customers, everyone=True)
    with rounds.stage(brokers, contender, True) as run:
        trial = Trial(brokers, contender, run, source)
        trial.fill()
        with trial.listening(begin=OFFSET_END) as reader:
            figures = cold(trial, reader) | killed(trial, reader)
        wanted = trial.wanted()
        if faults := trial.faults(wanted):
            raise FailedError("\n".join((*faults, rounds.tail(run))))
    return Restored(contender.name, customers, **figures, triggers=len(wanted.ids))  # type: ignore[arg-type]


def rows(found: Iterable[Restored]) -> list[tuple[str, ...]]:
    """A line of the table for each, the smaller sizes first."""
    return [row(each) for each in sorted(found, key=lambda each: each.customers)]


def row(one: Restored) -> tuple[str, ...]:
    """Its cells."""
    return (
        one.contender,
        f"{one.customers:,}",
        f"{one.rows:,}",
        f"{one.ready:.1f}",
        f"{one.cold:.1f}",
        f"{one.rows / one.cold:,.0f}",
        f"{one.reading:.1f}",
        f"{one.rows / max(one.reading, 1e-3):,.0f}",
        f"{one.again:.1f}",
        f"{one.back:.1f}",
        f"{one.reread:,}",
        f"{one.peak / 2**20:,.0f}",
    )


def table(found: Iterable[Restored]) -> None:
    """On the screen, one for each size: a column a contender."""
    for size, cells in groupby(rows(found), key=lambda cells: cells[1]):
        columns = list(cells)
        drawn = Table(title=f"Job J restored, {size} customers")
        for place, heading in enumerate(["", *(column[0] for column in columns)]):
            drawn.add_column(heading, justify="left" if place == 0 else "right")
        for what, *figures in list(zip(HEAD, *columns, strict=True))[2:]:
            drawn.add_row(what, *figures)
        Console().print(drawn)


def kept(path: Path) -> list[Restored]:
    """What a file of results holds: an object a line."""
    return [Restored(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def measured(sizes: list[int], contenders: list[Contender], results: Path) -> bool:
    """Everything on one broker, a line of the file each; whether anybody failed."""
    failed = False
    with broker() as (brokers, _):
        for customers, contender in product(sizes, contenders):
            try:
                if why := contender.missing():
                    raise FailedError(why)
                one = once(brokers, contender, customers)
            except FailedError as error:
                print(f"\n*** {contender.name} is left out: {error}\n", file=sys.stderr, flush=True)
                failed = True
                continue
            with results.open("a") as file:
                file.write(json.dumps(one._asdict()) + "\n")
            print(f"{contender.name}, {customers:,} customers: {one.cold:.1f} s; killed: {one.back:.1f} s", flush=True)
    return failed


def main() -> int:
    """Measure, keep, print; exit code 1 when anybody did not come back rightly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", default="100000,1000000", help="numbers with commas between")
    parser.add_argument("--contenders", default="all", help="names with commas between; all")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file that is written, a line a result")
    options = parser.parse_args()
    # ended from outside, it still ends its contender and its broker
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    log.HOME.mkdir(exist_ok=True)
    options.results.write_text("")
    sizes = [int(each) for each in options.customers.split(",")]
    failed = measured(sizes, chosen(options.contenders, RESTORING), options.results)
    table(kept(options.results))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
