"""The parts of docs/speed.md that are not the table of job J: each of plain data, each only when it was measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.bench.jobj import restore
from tests.bench.jobj.contenders import RESTORING
from tests.bench.jobj.restore import Restored
from tests.bench.jobj.trial import RATE

RECOVERY = """
## Recovery

Job J again: every customer has come at least once, then the contender was stopped. **Cold**: started without local
state, after its group had forgotten it; from the start of the process until a reader of committed records has a trigger of a
new event in each of the two partitions. That includes the program's own start, joining the group, the restore and the
decision; the restore alone is what the contender's log says of it (Kairos counts fencing with it). **Kill**: SIGKILL with
{rate} events a second coming in, the same command again at once, its disk as it is; from the kill until a trigger of an event
sent after it. All triggers and the state of sampled customers were those of the reference.

{table}

{contenders}

A dynamic member that is killed is missed only when its session ends (as they come: Kairos 10 s, Kafka Streams 45 s); a static
one has its partitions back at once. `rows read again` is what was read after the kill: Kafka Streams 4.1 goes on from the
checkpoint that its last restore has left on the disk, here that of the cold start moments before. Kafka has that as a fault of
exactly once (KAFKA-20685); with its repair everything is read again.
"""
GROWTH = """
## Growth

The engine alone ({core}; `retail_bank`, {events:,} events), CPU time, the least of several tries. Rules beyond the pack's own
never tell anything: what is measured is what it costs to have them. The exponent is that of the best fit, of all that an event
costs: 0 is no growth, 1 is in proportion.

{tables}

A row of a customer has {p50:,} bytes (p50), {p99:,} (p99); in memory, with its key and its place among the others: {rss}.
{left_out}"""
ENGINE = """
## The engine by stage

The engine alone in replay ({events:,} events, {customers:,} customers), CPU time; ratios are to `orjson.loads` of the same
lines in the same round ({parse_us}). The rules of the packs of 15, 30 and 60 all listen to the log's events; `hear` is
how many rules hear an event in the mean.

{costs}
{stages}
{marginal}
"""
MARGINAL = (
    "A rule more that hears the event costs {us_heard:.1f} us, {ratio_heard:.1f} times `orjson.loads`; "
    "a rule more in the pack {us_rule:.1f} us ({core})."
)


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table, the first column to the left.

    >>> print(markdown(("a", "b"), [("x", "1")]))
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    head = tuple(head)
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *(tuple(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def engine(found: list[dict[str, Any]]) -> str:
    """The section on the engine by stage: the same lines by each core."""
    head = ("pack", "rules", "hear", *(f"{one['core']}: {unit}" for one in found for unit in ("us", "x orjson.loads")))
    costs = []
    for same in zip(*(one["packs"] for one in found), strict=True):
        figures = [text for pack in same for text in (f"{pack['us']:.1f}", f"{pack['ratio']:.0f}")]
        costs.append((same[0]["name"], f"{same[0]['rules']}", f"{same[0]['heard']:.1f}", *figures))
    said = {
        "parse_us": ", ".join(f"{one['core']}: {one['parse_us']:.2f} us" for one in found),
        "costs": markdown(head, costs),
        "stages": "".join(map(stages, found)),
        "marginal": "\n".join(MARGINAL.format(**one["marginal"], core=one["core"]) for one in found),
    }
    return ENGINE.format(**found[0] | said)


def stages(found: dict[str, Any]) -> str:
    """The table of the packs that were looked into; nothing where none was."""
    packs = [each for each in found["packs"] if "stages" in each]
    if not packs:
        return ""
    heads = [f"{each['rules']} rules: {unit}" for each in packs for unit in ("us", "x orjson.loads")]
    rows = []
    for name in packs[0]["stages"]:
        of_each = [each["stages"][name] for each in packs]
        rows.append((name, *(text for one in of_each for text in (f"{one['us']:.1f}", f"{one['ratio']:.1f}"))))
    return f"\n{markdown((found['core'], *heads), rows)}\n"


def recovery(found: list[dict[str, Any]]) -> str:
    """The section on recovery."""
    told = {each["contender"] for each in found}
    titles = "; ".join(f"`{each.name}`: {each.title}" for each in RESTORING if each.name in told) + "."
    table = markdown(restore.HEAD, restore.rows(Restored(**each) for each in found))
    return RECOVERY.format(rate=RATE, table=table, contenders=titles)


def grown(found: dict[str, Any]) -> str:
    """The section on growth."""
    tables = []
    for curve in found["curves"]:
        first = curve["points"][0]["us"]
        cells = [(f"{each['of']:,}", f"{each['us']:.1f}", f"{each['us'] / first - 1:+.1%}") for each in curve["points"]]
        head = ("customers" if curve["name"] == "customers" else "rules", "CPU us an event", "to the first")
        said = f"{curve['what'].capitalize()}; exponent {curve['slope']:.3f}{_at_last(curve)}"
        tables.append(f"{said}:\n\n{markdown(head, cells)}")
    taken = found["customer"]
    rss = ", ".join(f"{each:,.0f} bytes among {int(number):,}" for number, each in taken["rss"].items())
    missing = ", ".join(f"{number:,}" for number in taken["left_out"])
    return GROWTH.format(
        core=found["core"],
        events=found["events"],
        tables="\n\n".join([*tables, "![Growth](speed-growth.svg)"]),
        p50=taken["row_p50"],
        p99=taken["row_p99"],
        rss=rss,
        left_out=f"Not measured, for want of memory: {missing} customers.\n" if missing else "",
    )


def _at_last(curve: dict[str, Any]) -> str:
    """What one rule more costs at the end of the curve; nothing where it is of customers, or a single point."""
    if curve["name"] == "customers" or len(curve["points"]) < 2:
        return ""
    less, more = curve["points"][-2:]
    each = (more["us"] - less["us"]) / (more["of"] - less["of"]) * 1000
    return f", at the end {each:,.1f} ns a rule"
