"""How the command speaks: tables and sentences on stdout, progress and faults on stderr.

Rule: colour and bars only on a terminal; elsewhere the same words as plain lines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from stream.domain.errors import ConfigError, DeliveryError, PackError, StateError

DONE, NO, WRONG, BROKEN = 0, 1, 2, 70
"""Exit codes; 70 (EX_SOFTWARE) is also a worker that ended itself because an outcome was unknown."""
WIDTH = 140
"""Columns where there is no terminal to ask."""


def out() -> Console:
    """Where answers go. Made when needed, so that whoever redirects stdout is heard."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def err() -> Console:
    """Where progress goes."""
    return Console(stderr=True, highlight=False)


def table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` hold numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def fail(faults: Iterable[str]) -> None:
    """Say what is wrong, one fault a line, never wrapped: editors jump to ``file:line``."""
    for fault in faults:
        typer.echo(fault, err=True)


@contextmanager
def plainly() -> Iterator[None]:
    """What the person at the terminal can mend is said without a traceback. Raises typer.Exit with the code for it."""
    try:
        yield
    except PackError as error:
        fail(["error: the pack cannot be used", *error.faults])
        raise typer.Exit(WRONG) from None
    except (ConfigError, StateError) as error:
        fail([f"error: {error}"])
        raise typer.Exit(WRONG) from None
    except DeliveryError as error:
        fail([f"error: {error}"])
        raise typer.Exit(BROKEN) from None


def note(text: str) -> None:
    """A sentence for the person, not for whoever reads stdout."""
    typer.echo(text, err=True)
