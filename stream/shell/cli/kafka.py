"""`kairos publish`, `record` and `snapshot`: logs into Kafka, and out of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from stream.domain.errors import ConfigError
from stream.shell.cli import options
from stream.shell.cli.logs import Logs
from stream.shell.cli.meter import meter, metered
from stream.shell.cli.outlet import outlet
from stream.shell.cli.screen import fail, note


def publish(
    ctx: typer.Context,
    log: Annotated[str, typer.Argument(metavar="LOG", help=options.LOG)],
    rate: Annotated[float | None, typer.Option("--rate", min=0.001, help="Events per second at most.")] = None,
) -> None:
    """Send a log into the source topics: by type, keyed by customer.

    With KAIROS_CLOCK=recorded (an old log) every event carries its recorded
    time, and every partition ends with an end-of-log marker, so that workers
    know the log's time and not today's. Exit code 1 when a line was too large.

    [bold]Examples[/bold]:
      kairos publish events.jsonl.zst
      KAIROS_CLOCK=recorded kairos publish last_year.jsonl
      kairos publish events.jsonl --rate 500
    """
    from stream.shell.kafka import publish as kafka

    settings, logs = options.settings_of(ctx), Logs([log])
    name = "stdin" if log == "-" else log.rpartition("/")[2]
    with meter("publish", logs.size) as told:
        lines = ((each.number, each.line, each.at) for each in metered(logs.recorded(), told))
        published = kafka.publish(settings, lines, name, rate=rate)
    for topic, number in sorted(published.sent.items()):
        typer.echo(f"{settings.topic(topic)}: {number:,}")
    if published.ticks:
        typer.echo(f"{published.ticks:,} ticks left out: workers make their own")
    if published.refused:
        fail(f"{name}:{number} too large for a source topic, not sent" for number in published.refused)
        raise typer.Exit(1)


def record(
    ctx: typer.Context,
    topic: Annotated[str, typer.Argument(help="Logical name, without the deployment's prefix: journal, in.txn, dlq ...")],
    out: options.OutFile = None,
    partition: Annotated[int | None, typer.Option("--partition", "-p", min=0, help="Only this one.")] = None,
    first: Annotated[int | None, typer.Option("--from", min=0, help="First offset; needs --partition.")] = None,
    end: Annotated[int | None, typer.Option("--to", min=0, help="First offset left out; needs --partition.")] = None,
) -> None:
    """Write what a topic holds as a log.

    The journal, replayed, decides exactly what the workers decided.

    [bold]Examples[/bold]:
      kairos record journal --out journal.jsonl.zst
      kairos record in.txn --partition 3 --from 100 --to 200 --out some.jsonl
      kairos record journal | kairos replay - --out report
    """
    from stream.shell.kafka import record as kafka

    if partition is None and (first is not None or end is not None):
        raise typer.BadParameter("--from and --to are offsets of one partition: name it", param_hint="--partition")
    ranges = None if partition is None else {partition: kafka.Range(first, end)}
    with outlet(out) as file:
        recorded = kafka.record(options.settings_of(ctx), topic, file, ranges)
    for number, (low, high) in sorted(recorded.ranges.items()):
        note(f"{topic}/{number}: offsets {low} to {high}")
    note(f"{recorded.lines:,} lines")


def snapshot(
    ctx: typer.Context,
    out: options.OutFile = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="PARTITION=OFFSET", help="Journal offset of a partition; all of them or none."),
    ] = None,
) -> None:
    """Write the workers' state, now or as it was at an offset of the journal.

    Says the offset per partition at which a recorded range has to begin that
    is replayed from it ([bold]kairos replay --state[/bold]).

    [bold]Examples[/bold]:
      kairos snapshot --out state.jsonl.zst
      kairos snapshot --at 0=15000 --at 1=14800 --out state.jsonl
    """
    from stream.shell.kafka import snapshot as kafka

    asked = options.numbered(at, "--at") if at else None
    with outlet(out) as file:
        reached = kafka.snapshot(options.settings_of(ctx), file, position, asked)
    for partition, offset in sorted(reached.items()):
        note(f"journal/{partition}: continue with kairos record journal --partition {partition} --from {offset}")


class _Ledger(msgspec.Struct):
    next: int


def position(ledger: bytes) -> int:
    """The journal offset a ledger says to read on at. Raises ConfigError for what is none."""
    try:
        return msgspec.json.decode(ledger, type=_Ledger).next
    except msgspec.MsgspecError as error:
        raise ConfigError(f"expected a ledger in the state topic: {error}") from error
