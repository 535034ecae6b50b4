"""The engine in replay against `orjson.loads` of the same lines: CPU time, alternating, medians of three."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import orjson
from rich.console import Console
from rich.table import Table

from stream.engine.decision import Output
from stream.engine.engine import Engine
from stream.packs import loader
from stream.shell.cli import collect_rarely
from stream.shell.logfile import Numbered, recorded
from stream.shell.replay import Replay
from stream.simulator import Bank


class Nowhere:
    """A sink that forgets."""

    def take(self, outputs: list[Output]) -> None:
        """Forget."""


def replaying(pack_name: str, lines: list[bytes]) -> Callable[[], None]:
    """A replay that only needs to be started."""
    driver = Replay(Engine(loader.load(pack_name), "replay"), Nowhere())
    return lambda: driver.run(recorded(Numbered("log.jsonl", number, line) for number, line in enumerate(lines, 1)))


def replay_seconds(pack_name: str, lines: list[bytes]) -> float:
    """CPU seconds of one replay."""
    run = replaying(pack_name, lines)
    began = time.process_time()
    run()
    return time.process_time() - began


def parse_seconds(lines: list[bytes]) -> float:
    """CPU seconds of parsing the same lines as JSON."""
    began = time.process_time()
    for line in lines:
        orjson.loads(line)
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", default="retail_bank")
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--days", type=int, default=60)
    options = parser.parse_args()
    lines = list(Bank(options.customers, options.days, 1).events())
    collect_rarely()
    pairs = [(parse_seconds(lines), replay_seconds(options.pack, lines)) for _ in range(3)]
    parsed, replayed = (statistics.median(column) for column in zip(*pairs, strict=True))
    table = Table(title=f"{len(lines):,} events, {options.customers:,} customers, pack {options.pack}")
    for heading in ("what", "us an event", "events/s", "ratio"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for what, seconds in (("orjson.loads", parsed), ("replay", replayed)):
        each = seconds / len(lines) * 1e6
        table.add_row(what, f"{each:.2f}", f"{1e6 / each:,.0f}", f"{seconds / parsed:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
