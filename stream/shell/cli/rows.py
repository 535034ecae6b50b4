"""`kairos rows`: the largest customer rows."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.shell.cli.options import settings_of
from stream.shell.cli.screen import out, table


def rows(
    ctx: typer.Context,
    most: Annotated[int, typer.Option("--most", help="How many.", min=1)] = 10,
    named: Annotated[bool, typer.Option("--key", help="Show the customers, too: personal data.")] = False,
) -> None:
    """Show the largest customer rows in the state topic.

    A worker ends itself rather than write one of more than
    KAIROS_MAX_ROW_BYTES; its log names the customer by the same hash.

    [bold]Examples[/bold]:
      kairos rows
      kairos rows --most 3 --key
    """
    from stream.shell.kafka.rows import key_hash, largest

    settings = settings_of(ctx)
    made = table(
        f"Largest rows; at most {settings.max_row_bytes:,} bytes are written",
        *("hash of the customer", "partition", "bytes", "of the limit", *(["customer"] if named else [])),
        right=("partition", "bytes", "of the limit"),
    )
    for size, partition, key in largest(settings, most):
        shown = [key.decode(errors="replace")] if named else []
        made.add_row(key_hash(key), str(partition), f"{size:,}", f"{size / settings.max_row_bytes:.0%}", *shown)
    out().print(made)
