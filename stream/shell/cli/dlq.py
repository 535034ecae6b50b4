"""`kairos dlq`: dead letters looked through, shown, and sent back once they may be accepted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from stream.domain.days import stamp
from stream.domain.reasons import RejectCode
from stream.shell.cli.meter import meter
from stream.shell.cli.options import settings_of
from stream.shell.cli.screen import fail, note, out, table
from stream.wire.registry import SOURCES

if TYPE_CHECKING:
    from stream.shell.kafka.deadletters import Wanted

app = typer.Typer(
    help="Look through dead letters, and send them back.\n\n"
    "[bold]Examples[/bold]:\n"
    "  kairos dlq list\n"
    "  kairos dlq show 3/17\n"
    "  kairos dlq redrive --code UNKNOWN_CURRENCY --dry-run",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def codes(incomplete: str) -> list[str]:
    """Completion."""
    return [code.value for code in RejectCode if code.startswith(incomplete.upper())]


def sources(incomplete: str) -> list[str]:
    """Completion."""
    return [topic for topic in SOURCES if topic.startswith(incomplete)]


Code = Annotated[RejectCode | None, typer.Option("--code", help="Only of this reason.", autocompletion=codes)]
Topic = Annotated[str | None, typer.Option("--topic", help="Only from this source topic.", autocompletion=sources)]
Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="PARTITION/OFFSET", help="Only these, as `list --each` names them.", show_default=False),
]


def asked(code: RejectCode | None, topic: str | None, places: list[str] | None = None) -> Wanted:
    """The selection. Raises BadParameter for a source topic that is none."""
    from stream.shell.kafka import deadletters

    if topic is not None and topic not in SOURCES:
        raise typer.BadParameter(f"expected one of {', '.join(SOURCES)}, got {topic!r}", param_hint="--topic")
    chosen = frozenset(map(deadletters.place_of, places)) if places else None
    return deadletters.Wanted(None if code is None else code.value, topic, chosen)


@app.command("list")
def list_(
    ctx: typer.Context,
    code: Code = None,
    topic: Topic = None,
    each: Annotated[bool, typer.Option("--each", help="One line a letter instead of one a reason.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines.")] = False,
) -> None:
    """Count dead letters by reason, path and source topic; or list each.

    [bold]Examples[/bold]:
      kairos dlq list
      kairos dlq list --topic in.txn --each
    """
    from stream.shell.kafka import deadletters

    found = deadletters.letters(settings_of(ctx), asked(code, topic))
    if each:
        for letter in found:
            about = {"letter": letter.name, "died": stamp(letter.at), "origin": letter.origin, **letter.about}
            words = (about.get(name, "") for name in ("letter", "died", "origin", "code", "path", "text"))
            typer.echo(msgspec.json.encode(about).decode() if as_json else "  ".join(words))
        return
    counts: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], int] = {}
    last: dict[tuple[str, str, str], int] = {}
    for letter in found:
        kind = (letter.about.get("code", ""), letter.about.get("path", ""), letter.about.get("topic", ""))
        counts[kind] += 1
        first[kind] = min(letter.at, first.get(kind, letter.at))
        last[kind] = max(letter.at, last.get(kind, letter.at))
    made = table("Dead letters", "reason", "path", "source", "letters", "first", "last", right=("letters",))
    for kind, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        row = dict(zip(("code", "path", "topic"), kind, strict=True))
        if as_json:
            told = {**row, "letters": number, "first": stamp(first[kind]), "last": stamp(last[kind])}
            typer.echo(msgspec.json.encode(told).decode())
        made.add_row(*kind, f"{number:,}", stamp(first[kind]), stamp(last[kind]))
    if not as_json:
        out().print(made)


@app.command()
def show(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="PARTITION/OFFSET", help="As `list --each` names it.")],
    value: Annotated[
        bool, typer.Option("--value", help="Show key, headers and value, too: they may hold personal data.")
    ] = False,
) -> None:
    """Show one dead letter: why it died, where it came from, what it was.

    [bold]Examples[/bold]:
      kairos dlq show 3/17
      kairos dlq show 3/17 --value
    """
    from stream.shell.kafka import deadletters

    place = deadletters.place_of(letter)
    found = next(deadletters.letters(settings_of(ctx), deadletters.Wanted(places=frozenset({place}))), None)
    if found is None:
        fail([f"no dead letter {letter}: its retention may have taken it"])
        raise typer.Exit(1)
    typer.echo(f"died       {stamp(found.at)}")
    for name in ("code", "path", "text", "stage"):
        typer.echo(f"{name:<10} {found.about.get(name, '')}")
    typer.echo(f"origin     {found.origin}")
    typer.echo(f"headers    {', '.join(name for name, _ in found.headers)}")
    typer.echo(f"value      {len(found.value or b''):,} bytes")
    if value:
        typer.echo(f"key        {(found.key or b'').decode(errors='replace')}")
        for name, content in found.headers:
            typer.echo(f"{name}: {(content or b'').decode(errors='replace')}")
        typer.echo((found.value or b"").decode(errors="replace"))


@app.command()
def redrive(
    ctx: typer.Context,
    letters: Places = None,
    code: Code = None,
    topic: Topic = None,
    everything: Annotated[bool, typer.Option("--all", help="Without a selection: really all of them.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
) -> None:
    """Send dead letters back through the topic in.redrive, each once.

    They are judged as any other record: accepted, or dead again. What was
    redriven before is left out, so the command may be started again. Exit code 1
    when a letter was too large.

    [bold]Examples[/bold]:
      kairos dlq redrive --code UNKNOWN_CURRENCY --dry-run
      kairos dlq redrive 3/17 3/18
    """
    from stream.shell.kafka import deadletters

    if not (letters or code or topic or everything):
        raise typer.BadParameter("expected a selection (letters, --code, --topic), or --all")
    wanted = asked(code, topic, letters)
    with meter("redrive", None) as told:
        redriven = deadletters.redrive(settings_of(ctx), wanted, dry, lambda done: told.at(done, done))
    typer.echo(f"{redriven.sent:,} {'would be sent' if dry else 'sent'} to {deadletters.BACK}")
    if redriven.known:
        note(f"{redriven.known:,} had been redriven before")
    if redriven.refused:
        fail(f"{name} is too large for {deadletters.BACK}, not sent" for name in redriven.refused)
        raise typer.Exit(1)
