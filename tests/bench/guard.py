"""What an event costs the engine, in bytecodes by stage, against what was recorded: exact, whatever else the machine does.

    python -m tests.bench.guard             print every change of more than a tenth, with its stage
    python -m tests.bench.guard --record    keep today's figures

Rule: it tells and never fails, for a change may be worth its cost. Work inside C (JSON, hashes, the codec) is no
bytecode: the ratio to `orjson.loads` below the table has it, as far as a shared machine allows.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from stream.packs import loader
from stream.shell.cli import collect_rarely
from stream.simulator import Bank
from tests.bench.engine import parse_seconds, replay_seconds, replaying
from tests.bench.stages import REST, STAGES, stage

RECORDED = Path(__file__).with_name("recorded.json")
PACK = "retail_bank"
CUSTOMERS, DAYS = 300, 30
NOTICED = 0.1
"""Share of change from which on it is told."""


class Cost(NamedTuple):
    """Bytecodes an event.

    Attributes:
        python: Version whose bytecode it is.
    """

    python: str
    events: int
    stages: dict[str, float]


class Change(NamedTuple):
    """A stage that costs something else than it did; `before` is 0 for a new one."""

    stage: str
    before: float
    now: float

    @property
    def share(self) -> float:
        """Of what it was."""
        return self.now / self.before - 1 if self.before else 1.0


def measured(lines: list[bytes]) -> Cost:
    """Replay these lines under a count of every bytecode."""
    counts: Counter[CodeType] = Counter()
    run = replaying(loader.load(PACK), lines)
    with counting(counts):
        run()
    stages: Counter[str] = Counter()
    for code, times in counts.items():
        stages[stage(code.co_filename)] += times
    return Cost(version(), len(lines), {name: round(stages[name] / len(lines), 1) for name in (*STAGES, REST)})


@contextmanager
def counting(counts: Counter[CodeType]) -> Iterator[None]:
    """Count bytecodes by code object while this is open."""

    def within(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            counts[frame.f_code] += 1
        return within

    def entered(frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return within

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield
    finally:
        sys.settrace(before)


def version() -> str:
    """Of Python, as far as bytecode depends on it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def changes(before: Mapping[str, float], now: Mapping[str, float]) -> list[Change]:
    """The stages that changed by more than a tenth, as well as the sum."""
    both = [Change(name, before.get(name, 0.0), now.get(name, 0.0)) for name in {**before, **now}]
    both.append(Change("all", sum(before.values()), sum(now.values())))
    return [each for each in both if each.before != each.now and abs(each.share) > NOTICED]


def main() -> None:
    """Print the table, or keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="keep today's figures")
    options = parser.parse_args()
    console = Console()
    collect_rarely()
    lines = list(Bank(CUSTOMERS, DAYS, 1).events())
    now = measured(lines)
    if options.record:
        RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(now._asdict())) + b"\n")
    recorded = Cost(**msgspec.json.decode(RECORDED.read_bytes()))
    told = "changed: {} from {:,.1f} to {:,.1f} bytecodes an event ({:+.1%})"
    table = Table("stage", "recorded", "now", "change", title=f"bytecodes an event, {now.events:,} events, pack {PACK}")
    for name, figure in now.stages.items():
        was = recorded.stages.get(name, 0.0)
        table.add_row(name, f"{was:,.1f}", f"{figure:,.1f}", f"{Change(name, was, figure).share:+.1%}" if was != figure else "")
    console.print(table)
    if recorded.python != now.python:
        console.print(f"recorded with Python {recorded.python}, measured with {now.python}: the figures do not compare")
    for each in changes(recorded.stages, now.stages):
        console.print(told.format(*each, each.share))
    ratio = replay_seconds(loader.load(PACK), lines) / parse_seconds(lines)
    console.print(f"replay {ratio:.0f} x orjson.loads of the same lines, on this machine")


if __name__ == "__main__":
    main()
