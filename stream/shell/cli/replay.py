"""`kairos replay`: logs through the engine, and a report of what came of them."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.engine.engine import Engine
from stream.packs import loader
from stream.shell.cli import options
from stream.shell.cli.logs import Logs
from stream.shell.cli.offline import Job, checked, report, snapshot
from stream.shell.cli.tables import figures


def replay(
    ctx: typer.Context,
    log: options.LogPaths,
    out: options.OutFolder,
    pack: options.PackOption = None,
    state: options.StateOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when there is a dead letter.")] = False,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", min=1, max=1000, help="Spread customers as a worker would; the result is the same."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Let the clock run on to then: deadlines after the log's last line."),
    ] = None,
) -> None:
    """Run logs through the engine and write triggers, refusals, dead letters and a summary.

    Several source logs are merged by recorded time. A log written by
    [bold]kairos record journal[/bold] is replayed in its own order, tick by tick,
    and decides exactly what the worker decided.

    [bold]Examples[/bold]:
      kairos replay events.jsonl --out report
      kairos replay core.jsonl.gz app.jsonl.zst --pack ./mine --out r --strict
      kairos replay journal.jsonl --state snapshot.jsonl --out report
      kairos replay events.jsonl --until 2026-06-30 --out report

    DIR then holds triggers.jsonl, suppressed.jsonl, dead_letters.jsonl and
    summary.json. Its digest is the SHA-256 of all triggers (without the
    attribute kairosmode) sorted by subject, event time and id: equal digests,
    equal triggers.
    """
    settings = options.settings_of(ctx)
    chosen = loader.load(pack or settings.pack)
    end = options.instant(until, chosen.spec.zone, "--until")
    engine = Engine(chosen, "replay", settings.max_event_bytes)
    job = checked(Job(engine, Logs(log), snapshot(state) if state else (), partitions, end))
    reported = report(job, chosen, out)
    figures(reported, out)
    if strict and reported.summary["dead_letters"]:
        raise typer.Exit(1)
