"""The command `kairos`. `app` is the list of commands; each module holds one of them, or two that belong together.

Rule: no decision is taken here; what a command does can be called from Python without it.
"""

from stream.shell.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """The entry point."""
    app(prog_name="kairos")
