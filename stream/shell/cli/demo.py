"""`kairos demo`: a bank simulated, replayed and explained in a minute, without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from stream.engine.engine import Engine
from stream.packs import loader
from stream.shell.cli.logs import Logs
from stream.shell.cli.offline import Job, report
from stream.shell.cli.options import OutFolder
from stream.shell.cli.screen import out as screen
from stream.shell.cli.simulate import Customers, Days, Seed, write
from stream.shell.cli.tables import by_type, ending, files
from stream.shell.reports import Tally
from stream.simulator import Bank

LOG = "events.jsonl"
SHOWN = ("payroll.missed", "tier.approaching", "funds.significant_inflow")
"""What tells most about the product; others take their place where a small bank has none."""


def demo(
    customers: Customers = 2000,
    days: Days = 90,
    seed: Seed = 7,
    out: OutFolder = Path("build/demo"),
) -> None:
    """Simulate a bank, replay its events, show which triggers came and why.

    Needs no broker. The same seed gives the same table.

    [bold]Examples[/bold]:
      kairos demo
      kairos demo --customers 200 --days 60 --seed 42 --out somewhere
    """
    out.mkdir(parents=True, exist_ok=True)
    log, pack = str(out / LOG), loader.load()
    write(Bank(customers, days, seed), 0, seed, log)
    reported = report(Job(Engine(pack, "replay"), Logs([log])), pack, out)
    screen().print(by_type(reported.tally))
    shown = list(examples(reported.tally))
    for trigger in shown:
        tell(trigger)
    ending(reported.summary)
    files(out, reported.summary, log)
    following(log, shown)


def tell(trigger: dict[str, Any]) -> None:
    """A trigger in four lines."""
    message, console = trigger["data"]["message"], screen()
    console.print(f"[bold]{kind(trigger)}[/bold]  {trigger['subject']}  {trigger['time']}  {trigger['id']}")
    for language in ("zh", "en"):
        console.print(f"  {message[f'reason_text_{language}']}", markup=False, soft_wrap=True)
    console.print()


def kind(trigger: dict[str, Any]) -> str:
    """Its type without the version."""
    return str(trigger["type"]).removesuffix(".v1")


def examples(tally: Tally) -> Iterator[dict[str, Any]]:
    """Three triggers of different types."""
    ranked = sorted(tally.examples, key=lambda name: (SHOWN.index(name) if name in SHOWN else len(SHOWN), name))
    for name in ranked[: len(SHOWN)]:
        yield orjson.loads(tally.examples[name])


def following(log: str, shown: list[dict[str, Any]]) -> None:
    """What to try next."""
    steps = [f"kairos explain {each['id']} --log {log}" for each in shown[:1]]
    steps += [f"kairos replay {log} --out again    # the same digest", "kairos lint && kairos test"]
    console = screen()
    console.print("[bold]Next[/bold]")
    for step in steps:
        console.print(f"  {step}", markup=False, soft_wrap=True)
