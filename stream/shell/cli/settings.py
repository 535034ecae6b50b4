"""`kairos settings`: everything that can be set, and what is set."""

from __future__ import annotations

import typer

from stream.shell.cli.options import settings_of
from stream.shell.cli.screen import out, table
from stream.shell.settings import Settings, described


def settings(ctx: typer.Context) -> None:
    """Show every setting: its variable, its value here, its default, its meaning.

    A setting comes from the environment (KAIROS_BROKERS=...) or from a TOML
    file (brokers = "..."); the environment wins. Passwords stay hidden.

    [bold]Examples[/bold]:
      kairos settings
      KAIROS_CHUNK=500 kairos --config kairos.toml settings
    """
    current = values(settings_of(ctx))
    made = table("Settings", "variable", "value", "default", "meaning")
    for variable, default, meaning in described():
        value = current[variable]
        made.add_row(variable, f"[bold]{value}[/bold]" if value != default else value, default, meaning)
    out().print(made)


def values(current: Settings) -> dict[str, str]:
    """Each variable's value as text."""
    shown = {}
    for (variable, _, _), name in zip(described(), Settings.model_fields, strict=True):
        value = getattr(current, name)
        shown[variable] = "" if value in (None, "", {}) else str(value)
    return shown
