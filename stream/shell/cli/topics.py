"""`kairos topics`: make the topics of a deployment, and check them."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.shell.cli.options import pairs, settings_of
from stream.shell.cli.screen import fail

app = typer.Typer(
    help="Make the topics of a deployment, or check them.\n\n"
    "[bold]Example[/bold]:\n  kairos topics create && kairos topics check",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command()
def create(
    ctx: typer.Context,
    partitions: Annotated[
        list[str] | None,
        typer.Option("--partitions", metavar="TOPIC=N", help="Partitions of one source topic; may be given again."),
    ] = None,
) -> None:
    """Make the topics that are missing; those that exist are left as they are.

    Partitions, copies and retention come from the settings
    ([bold]kairos settings[/bold]).

    [bold]Examples[/bold]:
      kairos topics create
      KAIROS_TOPIC_PREFIX=bank1. kairos topics create --partitions in.txn=24
    """
    from stream.shell.kafka import topics
    from stream.wire.registry import SOURCES

    settings, counts = settings_of(ctx), pairs(partitions or [], "--partitions")
    unknown = sorted(counts.keys() - set(SOURCES))
    if unknown:
        raise typer.BadParameter(f"expected source topics, got {', '.join(unknown)}", param_hint="--partitions")
    created = topics.create(settings, counts)
    for name in created.made:
        typer.echo(f"made {name}")
    typer.echo(f"{len(created.made)} made, {len(created.there)} were there")


@app.command()
def check(ctx: typer.Context) -> None:
    """Compare the cluster with the settings.

    Exit code 1 when a difference would lose or distort something.

    [bold]Example[/bold]:
      kairos topics check
    """
    from stream.shell.kafka import topics

    faults = topics.check(settings_of(ctx))
    fail(faults)
    if faults:
        raise typer.Exit(1)
    typer.echo("all topics are as they should be")
