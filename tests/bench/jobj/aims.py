"""What was to be reached, held against what was measured: job J's ratios to peers of the same run, and its delays; replay,
growth, memory and restore.

Rule: an aim whose figures are missing is not told; a missed one is told like a reached one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.bench.jobj.restore import Restored
from tests.bench.jobj.results import Summary
from tests.bench.jobj.sections import markdown

RATES = (
    ("kairos-part", "faust", 30.0),
    ("kairos", "streams-eos", 2.0),
    ("kairos", "quix", 3.0),
    ("kairos-ingest", "streams-re", 1.3),
)
"""How many times the rate of a peer."""
CPU = ("kairos", "streams-eos", 1 / 3)
"""At most this share of a peer's CPU an event."""
SLOW, MORE, HALF = (15.0, 40.0), 15.0, 250.0
"""Milliseconds: p50 and p99 at 1,000 a second; what ingest may add to both; p99 at half of the own rate."""
REPLAY = {"retail_bank": 8.0, "60 that listen": 20.0}
"""Times `orjson.loads` of the same line, by pack."""
GROWN = (("customers", 10_000, 1_000_000, 0.15), ("other", 10, 500, 0.10))
"""By curve, from so many to so many, what may be added to the cost of an event."""
LESS = ("own", "same")
"""Curves that are to grow less than in proportion."""
MEMORY, RESTORED, LONGEST = 1500.0, 1_000_000, 30.0
"""Bytes of memory a customer among the most; customers that are restored in so many seconds."""
SECTION = """
## Aims

{table}
"""


class Aim(NamedTuple):
    """One of them: what of which contender, what was wanted, what was found."""

    what: str
    wanted: str
    found: str
    reached: bool


def held(summaries: Iterable[Summary]) -> list[Aim]:
    """Those for which there are figures."""
    known = {each.contender: each for each in summaries}
    return [*_rates(known), *_delays(known)]


def alone(engine: Iterable[dict[str, Any]], grown: dict[str, Any] | None, restored: Iterable[Restored]) -> list[Aim]:
    """Those of the engine without Kafka, and of a restore, for which there are figures."""
    found = [*_replays(engine), *(_growth(grown) if grown else ())]
    for each in restored:
        if each.contender == "kairos" and each.customers == RESTORED:
            what = f"restore of {each.customers:,} rows, alone"
            found.append(Aim(what, f"<= {LONGEST:g} s", f"{each.reading:.1f} s", each.reading <= LONGEST))
    return found


def section(found: Iterable[dict[str, Any]]) -> str:
    """As a part of the page."""
    rows = [(one["what"], one["wanted"], one["found"], "yes" if one["reached"] else "**no**") for one in found]
    return SECTION.format(table=markdown(("aim", "wanted", "measured", "reached"), rows))


def _rates(known: dict[str, Summary]) -> list[Aim]:
    found = []
    for own, peer, least in RATES:
        if own in known and peer in known:
            ratio = known[own].rate / known[peer].rate
            found.append(Aim(f"rate of {own} to {peer}", f">= {least:g}", f"{ratio:.2f}", ratio >= least))
    own, peer, most = CPU
    if own in known and peer in known:
        ratio = known[own].cpu_us / known[peer].cpu_us
        found.append(Aim(f"CPU an event of {own} to {peer}", f"<= {most:.2f}", f"{ratio:.2f}", ratio <= most))
    return found


def _delays(known: dict[str, Summary]) -> list[Aim]:
    keyed, ingesting = known.get("kairos"), known.get("kairos-ingest")
    found = []
    if keyed is not None and keyed.slow is not None:
        p50, p99 = keyed.slow.p50, keyed.slow.p99
        found.append(_pair("kairos at 1,000/s", *SLOW, p50, p99))
        if ingesting is not None and ingesting.slow is not None:
            more = (ingesting.slow.p50 - p50, ingesting.slow.p99 - p99)
            found.append(_pair("what ingest adds at 1,000/s", MORE, MORE, *more))
    for one in (keyed, ingesting):
        if one is not None and one.half is not None:
            p99 = one.half.p99
            found.append(Aim(f"{one.contender} at half its rate, p99", f"<= {HALF:g} ms", f"{p99:,.0f} ms", p99 <= HALF))
    return found


def _pair(what: str, most50: float, most99: float, p50: float, p99: float) -> Aim:
    reached = p50 <= most50 and p99 <= most99
    return Aim(f"{what}, p50 / p99", f"<= {most50:g} / {most99:g} ms", f"{p50:,.1f} / {p99:,.1f} ms", reached)


def _replays(engine: Iterable[dict[str, Any]]) -> list[Aim]:
    measured = [(f"replay of {pack['name']}, {one['core']}", pack) for one in engine for pack in one["packs"]]
    return [
        Aim(what, f"<= {most:g} x orjson.loads", f"{pack['ratio']:.0f}", pack["ratio"] <= most)
        for what, pack in measured
        if (most := REPLAY.get(pack["name"])) is not None
    ]


def _growth(grown: dict[str, Any]) -> list[Aim]:
    found = []
    curves = {curve["name"]: (curve["what"], {each["of"]: each["us"] for each in curve["points"]}) for curve in grown["curves"]}
    for name, first, last, most in GROWN:
        what, us = curves.get(name, ("", {}))
        if first in us and last in us:
            more = us[last] / us[first] - 1
            found.append(Aim(f"{what}, {first:,} to {last:,}", f"<= {most:+.0%}", f"{more:+.1%}", more <= most))
    for name in LESS:
        if name in curves:
            slope = next(curve["slope"] for curve in grown["curves"] if curve["name"] == name)
            found.append(Aim(f"{curves[name][0]}, exponent of the growth", "< 1", f"{slope:.2f}", slope < 1))
    if grown["customer"]["rss"]:
        most_of, each = max((int(number), each) for number, each in grown["customer"]["rss"].items())
        what = f"memory of a customer among {most_of:,}"
        found.append(Aim(what, f"<= {MEMORY:,.0f} bytes", f"{each:,.0f}", each <= MEMORY))
    return found
