"""The engine in replay against `orjson.loads` of the same lines: the default pack, and packs whose 15, 30, 60 rules all listen.

    python -m tests.bench.engine --customers 3000 --days 60

CPU time, alternating, medians of three rounds; ratios and slopes are of figures of one round. By stage from samples, which are
taken in replays of their own, and only from the sources: what is compiled has no frames. What a listening rule costs is the
slope over the packs of 15, 30 and 60.

Rule: microseconds are those of this machine in this hour; what compares is the ratio.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson
from rich.console import Console

from stream.domain.events import Coordinates, Event, Order
from stream.engine.decision import Counts, Output
from stream.engine.engine import Engine
from stream.packs import loader
from stream.packs.spec import Pack
from stream.shell.cli import collect_rarely
from stream.shell.logfile import Numbered, Recorded, recorded
from stream.shell.replay import Replay
from stream.simulator import Bank
from tests.bench import engine_shown, sixty
from tests.bench.fits import line_through
from tests.bench.jobj.log import HOME
from tests.bench.jobj.results import machine
from tests.bench.sampling import Samples, hottest, sampling, shares
from tests.rig.core import core

ROUNDS = 3
LISTENING = (15, 30, 60)
"""Rules of the packs whose slope is what one more costs."""
NOTED = 12
"""Functions named in the profile."""


class Nowhere:
    """A sink that forgets."""

    def take(self, outputs: list[Output]) -> None:
        """Forget."""


class Heard(NamedTuple):
    """How many rules hear an event of a log: on average, and at most."""

    mean: float
    most: int


class Case(NamedTuple):
    """One pack as it is measured.

    Attributes:
        seconds: CPU time of each replay.
        counts: What a replay told, the same in each.
    """

    name: str
    pack: Pack
    seconds: list[float]
    counts: Counts


def replaying(pack: Pack, lines: list[bytes]) -> Callable[[], Counts]:
    """A replay that only needs to be started."""
    driver = Replay(Engine(pack, "replay"), Nowhere())
    return lambda: driver.run(_log(lines))


def _log(lines: list[bytes]) -> Iterator[Recorded]:
    return recorded(Numbered("log.jsonl", number, line) for number, line in enumerate(lines, 1))


def replay_seconds(pack: Pack, lines: list[bytes]) -> float:
    """CPU seconds of one replay."""
    return _timed(replaying(pack, lines))[0]


def parse_seconds(lines: list[bytes]) -> float:
    """CPU seconds of parsing the same lines as JSON."""
    began = time.process_time()
    for line in lines:
        orjson.loads(line)
    return time.process_time() - began


def _timed(run: Callable[[], Counts]) -> tuple[float, Counts]:
    gc.collect()
    began = time.process_time()
    counts = run()
    return time.process_time() - began, counts


def heard(pack: Pack, lines: list[bytes]) -> Heard:
    """How many rules of a pack hear an event, its conditions met; an event that nothing listens to counts as well."""
    engine = Engine(pack, "replay")
    numbers = []
    for at, name, number, line in _log(lines):
        event = engine.decoder.from_json(line, Coordinates(name, 0, 0, number, at, Order.SEQUENCED))
        if isinstance(event, Event) and event.type in engine.plan.audiences:
            numbers.append(len(engine.plan.audiences[event.type].of(event.data).rules))
        else:
            numbers.append(0)
    return Heard(sum(numbers) / len(numbers), max(numbers))


def measured(name: str, lines: list[bytes], rounds: int = ROUNDS) -> dict[str, Any]:
    """Everything about these lines, as plain data: microseconds are CPU time an event."""
    packs = {name: loader.load(name), **{f"{number} that listen": sixty.pack(number) for number in LISTENING}}
    cases = [Case(each, pack, [], Counts()) for each, pack in packs.items()]
    parsed = [_round(cases, lines) for _ in range(rounds)]
    rows = [_row(case, lines, parsed) for case in cases]
    for place in (0, -1) if core() == "sources" else ():
        rows[place] |= inside(cases[place].pack, lines, rows[place])
    told = {"machine": machine(), "core": core(), "events": len(lines), "parse_us": _each(parsed, lines)}
    return {**told, "packs": rows, "marginal": marginal(rows[1:])}


def _round(cases: list[Case], lines: list[bytes]) -> float:
    """One replay of each; CPU seconds of a parse in between, which is short, so that one alone would be chance."""
    parsed = []
    for case in cases:
        parsed.append(parse_seconds(lines))
        seconds, counts = _timed(replaying(case.pack, lines))
        case.seconds.append(seconds)
        case.counts.clear()
        case.counts.update(counts)
    return median(parsed)


def _each(seconds: list[float], lines: list[bytes]) -> float:
    return median(seconds) / len(lines) * 1e6


def _row(case: Case, lines: list[bytes], parsed: list[float]) -> dict[str, Any]:
    hears = heard(case.pack, lines)
    ratios = [seconds / parse for seconds, parse in zip(case.seconds, parsed, strict=True)]
    candidates, triggers = (sum(n for key, n in case.counts.items() if key[0] == kind) for kind in ("candidate", "trigger"))
    row = {"name": case.name, "rules": len(case.pack.spec.rules), "heard": hears.mean, "heard_most": hears.most}
    row |= {"us": _each(case.seconds, lines), "us_rounds": [_each([each], lines) for each in case.seconds]}
    row |= {"ratio": median(ratios), "ratio_rounds": ratios}
    return {**row, "triggers": triggers / len(lines), "refused": (candidates - triggers) / len(lines)}


def inside(pack: Pack, lines: list[bytes], row: dict[str, Any]) -> dict[str, Any]:
    """Where a pack's time goes, from the samples of one more replay."""
    run, found = replaying(pack, lines), Samples()
    with sampling(found):
        seconds, _ = _timed(run)
    stages = {name: {"us": share * row["us"], "ratio": share * row["ratio"]} for name, share in shares(found).items()}
    hot = [each._asdict() for each in hottest(found, NOTED)]
    return {"samples": found.total(), "sampled_us": _each([seconds], lines), "stages": stages, "hottest": hot}


def marginal(rows: list[dict[str, Any]]) -> dict[str, float]:
    """What a rule more costs an event, one that hears it and one of the pack: medians of the lines of all rounds."""

    def fitted(over: str, what: str) -> tuple[float, float]:
        xs, rounds = [row[over] for row in rows], zip(*(row[what] for row in rows), strict=True)
        fits = [line_through(list(zip(xs, ys, strict=True))) for ys in rounds]
        return median(slope for slope, _ in fits), median(height for _, height in fits)

    hearing, without = fitted("heard", "us_rounds")
    ratio, _ = fitted("heard", "ratio_rounds")
    of_the_pack, _ = fitted("rules", "us_rounds")
    return {"us_heard": hearing, "ratio_heard": ratio, "us_rule": of_the_pack, "us_without": without}


def main() -> None:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", default=loader.DEFAULT)
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--json", type=Path, default=HOME / f"engine-{core()}.json", help="where the figures are kept")
    options = parser.parse_args()
    lines = list(Bank(options.customers, options.days, 1).events())
    collect_rarely()
    found = {"customers": options.customers, "days": options.days, **measured(options.pack, lines)}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    engine_shown.show(found, Console())


if __name__ == "__main__":
    main()
