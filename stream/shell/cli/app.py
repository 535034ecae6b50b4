"""The command `kairos`: what there is, in which order help shows it, and what an exit code means.

Rule: a command turns options into calls of the library and prints what comes back; it decides nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stream import __version__
from stream.shell.cli import demo, dlq, explain, kafka, lint, replay, rows, settings, simulate, tail, topics, worker
from stream.shell.cli.screen import DONE, plainly


class Kairos(TyperGroup):
    """The group of all commands: the one place where our exceptions become messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run. No traceback for what the person at the terminal can mend."""
        try:
            with plainly():
                return super().invoke(ctx)
        except BrokenPipeError:
            # whoever read our output has had enough; what Python still holds must not complain at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None


app = typer.Typer(
    name="kairos",
    cls=Kairos,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def version(asked: bool) -> None:
    """Say it and end."""
    if asked:
        typer.echo(f"kairos {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def root(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file (TOML); else the one KAIROS_CONFIG names, if any.", dir_okay=False),
    ] = None,
    shown: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Kairos turns a bank's events into marketing triggers: once, on time, explained.

    [bold]Start here[/bold], no broker needed:
      kairos demo                              a bank, its triggers, and why
      kairos replay events.jsonl --out report  your own log of events
      kairos explain ID --log events.jsonl     one trigger, checked by hand

    [bold]With Kafka[/bold]:
      kairos topics create && kairos run       a worker; start several
      kairos publish events.jsonl              a log into the source topics

    [bold]Exit codes[/bold]:
       0  done
       1  the answer is no: faults found by lint or test, topics that differ,
          rejects in a strict replay, an unknown trigger, a line too large
       2  wrong use: options, files, pack, settings, topics; no broker
          answers, or it refuses the login; what is wrong is said
      70  the world failed: Kafka did not take a record, a worker that
          could not know an outcome ended itself
     130  interrupted
    """
    ctx.obj = config


OFFLINE, PACKS, KAFKA, ABOUT = "Without a broker", "Packs", "With Kafka", "About this installation"

app.command("demo", rich_help_panel=OFFLINE)(demo.demo)
app.command("simulate", rich_help_panel=OFFLINE)(simulate.simulate)
app.command("replay", rich_help_panel=OFFLINE)(replay.replay)
app.command("explain", rich_help_panel=OFFLINE)(explain.explain)
app.command("lint", rich_help_panel=PACKS)(lint.lint)
app.command("test", rich_help_panel=PACKS)(lint.scenarios)
app.command("run", rich_help_panel=KAFKA)(worker.run)
app.add_typer(topics.app, name="topics", rich_help_panel=KAFKA)
app.command("publish", rich_help_panel=KAFKA)(kafka.publish)
app.command("record", rich_help_panel=KAFKA)(kafka.record)
app.command("snapshot", rich_help_panel=KAFKA)(kafka.snapshot)
app.command("tail", rich_help_panel=KAFKA)(tail.tail)
app.command("rows", rich_help_panel=KAFKA)(rows.rows)
app.add_typer(dlq.app, name="dlq", rich_help_panel=KAFKA)
app.command("settings", rich_help_panel=ABOUT)(settings.settings)
