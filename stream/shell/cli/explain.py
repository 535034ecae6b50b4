"""`kairos explain`: one trigger, with everything needed to check it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from stream.engine.engine import Engine
from stream.engine.work import Trace
from stream.packs import loader
from stream.shell.cli import options
from stream.shell.cli.logs import Logs
from stream.shell.cli.offline import Job, checked, drive, snapshot
from stream.shell.cli.screen import fail, out, table
from stream.shell.cli.story import Deed, Found, Seeker, causes, deeds

LONGEST, RECENT = 30, 10
"""Moments of a story that are shown, and events: the last ones."""


def explain(
    ctx: typer.Context,
    ident: Annotated[
        str, typer.Argument(metavar="TRIGGER_ID", help="Its id, or the first eight characters; a refusal's, too.")
    ],
    log: Annotated[list[str], typer.Option("--log", "-l", metavar="LOG", help=options.LOG + " May be given again.")],
    pack: options.PackOption = None,
    state: options.StateOption = None,
) -> None:
    """Say why a trigger came, or was refused: everything to check it by hand.

    Shows the reason in both languages, the evidence with its source
    coordinates, the conditions, the gates, the customer's story and last
    events, and the source lines of the causes. Replays the logs until the
    trigger comes; exit code 1 when it never does.

    [bold]Examples[/bold]:
      kairos explain 6d505b2e-439c-550e-96a0-a128231edca9 --log events.jsonl
      kairos explain 6d505b2e --log core.jsonl.gz --log app.jsonl.gz
      kairos explain 6d505b2e --log journal.jsonl --state snapshot.jsonl
    """
    settings = options.settings_of(ctx)
    traces: list[Trace] = []
    engine = Engine(loader.load(pack or settings.pack), "replay", settings.max_event_bytes, traces)
    seeker = Seeker(ident, traces)
    logs = Logs(log)
    logs.only(seeker.until_found)
    drive(checked(Job(engine, logs, snapshot(state) if state else ())), seeker, "explain")
    found = seeker.answer()
    if found is None:
        fail([f"no trigger {ident} comes of {', '.join(log)}"])
        raise typer.Exit(1)
    show(found, log)


def show(found: Found, paths: Sequence[str]) -> None:
    """All there is to say, most important first."""
    console, data = out(), found.event["data"]
    head(console, found)
    console.print(features(data["evidence"]["features"]))
    console.print(conditions(data["evidence"]["conditions"]))
    console.print(gates(data["gates"]))
    console.print(story(found))
    console.print(doings(deeds(paths, found.event["subject"], found.event["time"], RECENT)))
    origins = data["evidence"]["causes"]
    console.print("[bold]Source lines of the causes[/bold]")
    lines = causes(paths, origins)
    for origin in origins:
        console.print(origin, style="cyan", markup=False)
        text = lines[origin].decode(errors="replace") if origin in lines else "(not in these logs)"
        console.print(text, soft_wrap=True, markup=False)


def head(console: Console, found: Found) -> None:
    """Who, what, when, and the reason in both languages."""
    event, data = found.event, found.event["data"]
    message, lineage = data["message"], data["lineage"]
    verdict = f"[red]suppressed: {', '.join(data['reasons'])}[/red]" if found.suppressed else "[green]fired[/green]"
    body = f"{message['reason_text_zh']}\n{message['reason_text_en']}"
    console.print(Panel(body, title=f"{found.kind}  {event['subject']}", title_align="left", expand=False))
    console.print(f"{verdict} at {data['context']['event_time']}, expires {data['channel']['expires_at'] or 'never'}")
    episode = data["episode"]
    console.print(f"id {event['id']}    episode {episode['phase']} since {episode['opened_at']}, key {episode['key']}")
    console.print(f"pack {lineage['pack']} {lineage['pack_digest'][:12]}, engine {lineage['engine']}\n")


def features(given: list[dict[str, Any]]) -> Table:
    """The figures it was judged by."""
    made = table("Evidence", "feature", "value", "as of", "from", right=("value",))
    for each in given:
        made.add_row(each["name"], figure(each["value"]), each["as_of"], "\n".join(each["offsets"]))
    return made


def conditions(given: list[dict[str, Any]]) -> Table:
    """What held, to be checked by hand."""
    numbers = ("actual", "threshold", "distance")
    made = table("Conditions", "condition", *numbers, right=numbers)
    for each in given:
        made.add_row(each["text"], *(figure(each[name]) for name in numbers))
    return made


def gates(given: list[dict[str, Any]]) -> Table:
    """What each gate answered."""
    made = table("Gates", "gate", "result", "reason")
    for each in given:
        made.add_row(each["name"], each["result"], each["reason_code"] or "")
    return made


def story(found: Found) -> Table:
    """How it came to this."""
    told = found.story[-LONGEST:]
    before = len(found.story) - len(told)
    title = f"Story of {found.event['subject']}" + (f" ({before} earlier moments not shown)" if before else "")
    made = table(title, "rule", "what", "when", "detail")
    for moment in told:
        times = f" ×{moment.times}" if moment.times > 1 else ""
        made.add_row(moment.rule, moment.what + times, moment.when, moment.detail)
    return made


def doings(given: list[Deed]) -> Table:
    """What the customer did before."""
    made = table(f"Their last {RECENT} events until then", "event", "time", "source")
    for deed in given:
        made.add_row(deed.type, deed.at, deed.origin)
    return made


def figure(value: Any) -> str:
    """A figure of the wire as text.

    >>> figure({"amount": "48000.00", "ccy": "CNY"}), figure(None)
    ('48000.00 CNY', '—')
    """
    if value is None:
        return "—"
    return f"{value['amount']} {value['ccy']}" if isinstance(value, dict) else str(value)
