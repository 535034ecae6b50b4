"""The command `kairos`. `app.app` is the list of commands; each other module holds one of them, or two that belong together.

Rule: no decision is taken here; what a command does can be called from Python without it.
"""

import gc


def collect_rarely() -> None:
    """What is alive by now stays, and rows hold no cycles: collecting garbage less often saves a fifth of the time."""
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 1000)


def main() -> None:
    """The entry point."""
    # a fifth of the start would be garbage sought in vain while modules are read
    gc.disable()
    from stream.shell.cli.app import app

    gc.enable()
    collect_rarely()
    app(prog_name="kairos")
