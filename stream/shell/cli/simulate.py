"""`kairos simulate`: a seeded bank's events as a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from stream.domain.days import DAY, EPOCH
from stream.shell.cli.meter import OFTEN, meter
from stream.shell.cli.options import OutFile
from stream.shell.cli.outlet import outlet
from stream.shell.cli.screen import note
from stream.simulator import Bank, poison
from stream.wire.instants import Instants
from stream.wire.lines import stamps

Customers = Annotated[int, typer.Option("--customers", "-n", min=1, help="How many customers.")]
Days = Annotated[int, typer.Option("--days", "-d", min=1, help="How many days of business.")]
Seed = Annotated[int, typer.Option("--seed", "-s", help="Any number; the same seed gives the same bytes.")]


def simulate(
    customers: Customers = 1000,
    days: Days = 90,
    seed: Seed = 7,
    out: OutFile = None,
    bad: Annotated[
        float, typer.Option("--poison", min=0, max=1, metavar="SHARE", help="Put in so many bad lines per good one.")
    ] = 0.0,
) -> None:
    """Write the events of a simulated bank: salaries, spending, app visits.

    Customers have a persona, a payday, habits, silences and windfalls; the
    log is in recorded order, one structured CloudEvent a line.

    [bold]Examples[/bold]:
      kairos simulate --customers 5000 --days 120 --seed 1 --out log.jsonl.zst
      kairos simulate -n 20 -d 30 | kairos replay - --out report
      kairos simulate --poison 0.01 --out dirty.jsonl    1 % bad input
    """
    written = write(Bank(customers, days, seed), bad, seed, out)
    if out not in (None, "-"):
        note(f"{out}: {written:,} events of {customers:,} customers in {days} days (seed {seed})")


def write(bank: Bank, bad: float, seed: int, out: str | None) -> int:
    """All events into a file; how many lines there are."""
    lines: Iterable[bytes] = bank.events()
    if bad:
        lines = (line for _, line in poison(lines, bad, seed))
    number = 0
    with outlet(out) as file:
        for number, line in enumerate(watched(lines, bank), 1):  # noqa: B007
            file.write(line + b"\n")
    return number


def watched(lines: Iterable[bytes], bank: Bank) -> Iterator[bytes]:
    """The same lines, with a meter in days of the bank."""
    parse, start = Instants().parse, (bank.start - EPOCH) * DAY
    with meter("simulate", bank.days) as told:
        for number, line in enumerate(lines):
            if number % OFTEN == 0 and (at := stamps(line).recordedtime):
                told.at(number, (parse(at) - start) // DAY)
            yield line
