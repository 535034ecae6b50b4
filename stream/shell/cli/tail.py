"""`kairos tail`: triggers as they come."""

from __future__ import annotations

import sys
from typing import Annotated

import orjson
import typer

from stream.shell.cli.options import settings_of
from stream.wire.lines import from_line, texts
from stream.wire.outputs import FAMILIES, topic_of
from stream.wire.registry import MAJOR

OTHERS = {"suppressed": "out.suppressed", "dlq": "dlq"}


def families(incomplete: str) -> list[str]:
    """Completion."""
    return [name for name in (*FAMILIES, *OTHERS) if name.startswith(incomplete)]


def tail(
    ctx: typer.Context,
    family: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join((*FAMILIES, *OTHERS))}; all triggers when absent.",
            autocompletion=families,
            show_default=False,
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Leave out what is there already; implies --follow.")] = False,
    raw: Annotated[bool, typer.Option("--json", help="Whole events also on a terminal, as in a pipe.")] = False,
) -> None:
    """Show committed triggers, as sentences on a terminal, as JSON in a pipe.

    [bold]Examples[/bold]:
      kairos tail --follow
      kairos tail tier --new
      kairos tail suppressed | wc -l
    """
    from stream.shell.kafka import record

    speak = sentence if sys.stdout.isatty() and not raw else bytes.decode
    for line in record.tail(settings_of(ctx), topics_of(family), follow or new, not new):
        typer.echo(speak(line))


def topics_of(family: str | None) -> list[str]:
    """The logical topics of what was asked for. Raises BadParameter for a family that is none."""
    if family is None:
        return [topic_of(each) for each in FAMILIES]
    if family not in (*FAMILIES, *OTHERS):
        raise typer.BadParameter(f"expected one of {', '.join((*FAMILIES, *OTHERS))}, got {family!r}")
    return [OTHERS[family] if family in OTHERS else topic_of(family)]


def sentence(line: bytes) -> str:
    """An output as a person reads it: when, what, who, why."""
    read = from_line(line)
    named = {name.removeprefix("ce_"): text for name, text in texts(line).items()}
    code = named.get("__kairos.errors.code")
    if code is not None:
        place = "/".join(named.get(f"__kairos.errors.{part}", "") for part in ("topic", "partition", "offset"))
        return f"{place}  {code}  {named.get('__kairos.errors.path', '')}  {named.get('__kairos.errors.text', '')}"
    data = orjson.loads(read.value or b"{}")
    kind = named.get("type", "").removesuffix(MAJOR)
    if "trigger_type" in data:
        kind = f"{data['trigger_type']} suppressed ({', '.join(data['reasons'])})"
    return f"{named.get('time', '')}  {kind}  {named.get('subject', '')}  {data['message']['reason_text_zh']}"
