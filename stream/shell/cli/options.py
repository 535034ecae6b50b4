"""Options that several commands share, and the reading of their texts.

Rule: what cannot be understood is wrong use, said before any work begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stream.packs.loader import bundled
from stream.shell import settings
from stream.shell.cli.offline import moment
from stream.shell.settings import Settings


def pack_names(incomplete: str) -> list[str]:
    """Completion: the packs that come with the product."""
    return [name for name in bundled() if name.startswith(incomplete)]


LOG = "A log: one structured CloudEvent a line; plain, .gz, .zst, or - for standard input."

LogPaths = Annotated[list[str], typer.Argument(metavar="LOG", help=LOG, show_default=False)]
PackOption = Annotated[
    str | None,
    typer.Option(
        "--pack",
        metavar="PACK",
        help="Name of a pack, or its file or folder; the setting KAIROS_PACK when absent.",
        autocompletion=pack_names,
        show_default=False,
    ),
]
PackArgument = Annotated[
    str, typer.Argument(metavar="PACK", help="Name of a pack, or its file or folder.", autocompletion=pack_names)
]
StateOption = Annotated[
    str | None,
    typer.Option("--state", metavar="SNAPSHOT", help="State before a journal range that starts in the middle."),
]
OutFile = Annotated[
    str | None, typer.Option("--out", "-o", metavar="FILE", help="Where to (.gz, .zst are packed); stdout when absent or -.")
]
OutFolder = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.", file_okay=False)]


def settings_of(ctx: typer.Context) -> Settings:
    """The settings of this call; ``--config`` before the command names their file. Raises ConfigError."""
    return settings.load(ctx.obj)


def instant(text: str | None, zone: str, option: str) -> int | None:
    """A date or time that was given."""
    try:
        return None if text is None else moment(text, zone)
    except ValueError:
        raise typer.BadParameter(
            f"expected a date or time such as 2026-03-01 or 2026-03-01T09:30, got {text!r}", param_hint=option
        ) from None


def pairs(texts: Sequence[str], option: str) -> dict[str, int]:
    """``NAME=NUMBER``, several times.

    >>> pairs(["in.txn=4", "in.app=2"], "--partitions")
    {'in.txn': 4, 'in.app': 2}
    """
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        if not name or not number.isdecimal():
            raise typer.BadParameter(f"expected NAME=NUMBER, got {text!r}", param_hint=option)
        found[name] = int(number)
    return found


def numbered(texts: Sequence[str], option: str) -> dict[int, int]:
    """``PARTITION=OFFSET``, several times.

    >>> numbered(["0=100", "1=7"], "--at")
    {0: 100, 1: 7}
    """
    found = pairs(texts, option)
    if not all(name.isdecimal() for name in found):
        raise typer.BadParameter("expected PARTITION=OFFSET", param_hint=option)
    return {int(name): number for name, number in found.items()}
