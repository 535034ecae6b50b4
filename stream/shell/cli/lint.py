"""`kairos lint` and `kairos test`: what must pass before a pack is used."""

from __future__ import annotations

from itertools import groupby

import typer

from stream.packs import loader
from stream.shell.cli.options import PackArgument
from stream.shell.cli.screen import fail
from stream.shell.scenarios import run


def lint(pack: PackArgument = loader.DEFAULT) -> None:
    """Check a pack and its scenario files; every fault with its file and line.

    Exit code 1 when there is a fault, also one that a worker would start with
    (something unused, a trigger type without a scenario).

    [bold]Examples[/bold]:
      kairos lint              the pack that ships with Kairos
      kairos lint ./my_pack    a folder with pack.yaml or pack.toml
    """
    faults = loader.lint(pack)
    for fault in faults:
        typer.echo(str(fault))
    typer.echo(f"{pack}: {len(faults)} fault{'' if len(faults) == 1 else 's'}" if faults else f"{pack}: no faults")
    if faults:
        raise typer.Exit(1)


def scenarios(pack: PackArgument = loader.DEFAULT) -> None:
    """Tell a pack's scenarios to the engine; say every difference.

    A scenario passes when triggers, refusals and dead letters are exactly
    those it names. Exit code 1 when one does not, and when there are none.

    [bold]Examples[/bold]:
      kairos test              the pack that ships with Kairos
      kairos test ./my_pack    its scenarios are in my_pack/scenarios
    """
    results = run(pack)
    failed = [result for result in results if result.failures]
    for file, group in groupby(results, key=lambda result: result.file):
        each = list(group)
        typer.echo(f"{file}: {sum(not result.failures for result in each)} of {len(each)} passed")
    fail(text for result in failed for text in result.failures)
    typer.echo(f"{pack}: {len(results) - len(failed)} of {len(results)} scenarios passed")
    if failed or not results:
        raise typer.Exit(1)
