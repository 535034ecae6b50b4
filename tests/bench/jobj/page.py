"""docs/speed.md, its figures as docs/speed.json and its charts, from what was measured last.

python -m tests.bench.jobj.page
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.bench import growth
from tests.bench.jobj import latency, log, report, restore
from tests.bench.jobj import rounds as rounds_of
from tests.bench.jobj.contenders import RESTORING
from tests.bench.jobj.contenders.contender import ROOT, venv
from tests.bench.jobj.restore import Restored
from tests.bench.jobj.results import Results, machine
from tests.bench.jobj.trial import RATE

DOCS = ROOT / "docs"
HERE = Path(__file__).parent
INTRO = """# Speed

Figures of one machine, and how to get your own: `make bench-peers` (job J against its peers, one broker, alternating
rounds), `make bench-restore` (its recovery) and `make bench-growth` (the engine alone), then `make bench-page`, which writes
this page: do not edit it.

Machine: {machine}, Apache Kafka 4.1 on the same cores.

## Job J

One customer's posting comes in as JSON; in- and outflows that fade over 30 and 90 days, mean and variance of the logarithm
of the amounts and a tier with hysteresis are kept for each of {customers:,} customers; changes of tier and extreme credits
go out. State survives a crash, positions are kept. Input: two partitions, lz4, keyed by customer unless the row says
otherwise. One process each, as it comes; Kafka Streams has 1 GiB of heap. Every row told exactly the triggers of the
reference ({triggers:,} over the whole log, digest {digest}), and the state of 1,000 sampled customers, read from where it
would be restored, agrees with the reference to 1e-9.

{rates}

A rate is the median of {rounds} rounds. CPU is that of the process tree, without the broker. Delays are from the producer's
hands to a reader's, of committed records where the contender is exactly once, with up to {warm:,} events behind it. A
contender that would need more than {long} s for the log gets its first part only: `events` says how much.
"""
RECOVERY = """
## Recovery

Job J again, one run: every customer has come at least once, then the contender was stopped. **Cold**: started without local
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

The engine alone (`retail_bank`, {events:,} events), CPU time. Rules beyond the pack's own never tell anything: what is
measured is what it costs to have them. The exponent is that of the best fit: 0 is no growth, 1 is in proportion.

{tables}

A row of a customer has {p50:,} bytes (p50), {p99:,} (p99); in memory, with its key and its place among the others: {rss}.
{left_out}"""


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


def figures(results: Results, grown: dict[str, Any] | None, restored: Iterable[Restored] = ()) -> dict[str, Any]:
    """Everything the page says, as plain data."""
    contenders = []
    for each in sorted(results.summaries(), key=lambda each: -each.rate):
        plain = each._asdict() | {"title": report.TITLES[each.contender]}
        plain |= {name: getattr(each, name) and getattr(each, name)._asdict() for name in ("slow", "half")}
        contenders.append(plain)
    found = {"machine": machine(), "contenders": contenders, "left_out": results.skipped, "growth": grown}
    return found | {"restored": [each._asdict() for each in restored]}


def page(found: dict[str, Any], results: Results, customers: int) -> str:
    """The page's text."""
    whole = max(found["contenders"], key=lambda each: each["size"])
    first = results.figures[whole["contender"]][0]
    rates = markdown(report.HEAD, report.rows(results)) + "\n\n![Job J](speed-rates.svg)"
    for name, why in found["left_out"].items():
        rates += f"\n\nLeft out: {report.TITLES[name]}: {why.splitlines()[0]}"
    rounds = min(each["rounds"] for each in found["contenders"])
    said = {"machine": found["machine"], "customers": customers, "rates": rates, "rounds": rounds}
    said |= {"digest": first.digest, "triggers": first.triggers}
    text = INTRO.format(**said, warm=latency.WARM, long=rounds_of.LONG)
    text += recovery(found["restored"]) if found["restored"] else ""
    return text + grown(found["growth"]) if found["growth"] else text


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
        tables.append(f"{curve['what'].capitalize()}; exponent {curve['slope']:.3f}:\n\n{markdown(head, cells)}")
    taken = found["customer"]
    rss = ", ".join(f"{each:,.0f} bytes among {int(number):,}" for number, each in taken["rss"].items())
    missing = ", ".join(f"{number:,}" for number in taken["left_out"])
    return GROWTH.format(
        events=found["events"],
        tables="\n\n".join([*tables, "![Growth](speed-growth.svg)"]),
        p50=taken["row_p50"],
        p99=taken["row_p99"],
        rss=rss,
        left_out=f"Not measured, for want of memory: {missing} customers.\n" if missing else "",
    )


def draw(data: Path) -> None:
    """The charts; said loudly when they cannot be drawn."""
    try:
        python = venv("chart", HERE / "chart.txt")
    except RuntimeError as error:
        print(f"\n*** no charts: {error}\n", file=sys.stderr)
        return
    charts = [str(DOCS / f"speed-{name}.svg") for name in ("rates", "growth")]
    subprocess.run([str(python), str(HERE / "chart.py"), str(data), *charts], check=True)


def main() -> None:
    """Write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=log.HOME / "jobj-results.jsonl")
    parser.add_argument("--growth", type=Path, default=growth.HOME / "growth.json")
    parser.add_argument("--restored", type=Path, default=restore.RESULTS)
    parser.add_argument("--customers", type=int, default=100_000)
    options = parser.parse_args()
    results = Results(options.results)
    if not results.summaries():
        raise SystemExit(f"{options.results} holds no figures: run `make bench-peers` first")
    growing = json.loads(options.growth.read_text()) if options.growth.exists() else None
    found = figures(results, growing, restore.kept(options.restored))
    data = DOCS / "speed.json"
    data.write_text(json.dumps(found, indent=1) + "\n")
    draw(data)
    (DOCS / "speed.md").write_text(page(found, results, options.customers))


if __name__ == "__main__":
    main()
