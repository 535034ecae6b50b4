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

from tests.bench.jobj import aims, latency, log, report, restore, sections
from tests.bench.jobj.contenders.contender import ROOT, venv
from tests.bench.jobj.restore import Restored
from tests.bench.jobj.results import Results, machine

DOCS = ROOT / "docs"
HERE = Path(__file__).parent
CORES = ("sources", "compiled")
INTRO = """# Speed

Figures of one machine, and how to get your own: `make bench-peers` (job J against its peers, one broker, alternating
rounds), `make bench-restore` (its recovery), `make bench-engine` and `make bench-growth` (the engine alone), then `make
bench-page`, which writes this page: do not edit it.

Machine: {machine}, Apache Kafka 4.1 on the same cores.

## Job J

One customer's posting comes in as JSON; in- and outflows that fade over 30 and 90 days, mean and variance of the logarithm
of the amounts and a tier with hysteresis are kept for each of {customers:,} customers; changes of tier and extreme credits
go out. State survives a crash, positions are kept. Input: two partitions, lz4, keyed by customer unless the row says
otherwise. One process each, as it comes; Kairos with the core of `make compiled` unless the row says otherwise; Kafka Streams
with 1 GiB of heap. Every row told exactly the triggers of the
reference ({triggers:,} over the whole log, digest {digest}), and the state of 1,000 sampled customers, read from where it
would be restored, agrees with the reference to 1e-9.

{rates}

A rate is the median of {rounds} rounds or more. CPU is that of the process tree, without the broker. Delays are from the
producer's hands to a reader's, of committed records where the contender is exactly once, with up to {warm:,} events behind it;
of one stretch of {last} s each. Half of a rate below {slow:,}/s is not measured. A contender that would need much more than a
minute for the log gets its first part only: `events` says how much.{dense}{workers}
"""
DENSE = """ Customers come for the first time there, so more events bring a trigger:
{part:.2f} of the first {size:,}, {whole:.3f} of all. What has such a part is to be compared with what has the same: Faust with
Kairos over Faust's part."""
WORKERS = """

From one worker to two, on the same two cores, which the broker and the reader share: {ratio:.2f} times the rate,
{cpu:.2f} times the CPU an event."""
WHY = """
What an event's time goes into, why it is not less, and what was tried: [engine-cost.md](engine-cost.md).
"""


def figures(
    results: Results,
    grown: dict[str, Any] | None = None,
    restored: Iterable[Restored] = (),
    engine: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Everything the page says, as plain data."""
    contenders = []
    for each in sorted(results.summaries(), key=lambda each: -each.rate):
        plain = each._asdict() | {"title": report.TITLES[each.contender]}
        plain |= {name: getattr(each, name) and getattr(each, name)._asdict() for name in ("slow", "half")}
        contenders.append(plain)
    found = {
        "machine": machine(),
        "contenders": contenders,
        "left_out": results.skipped,
        "growth": grown,
        "engine": list(engine),
    }
    known = list(restored)
    held = [*aims.held(results.summaries()), *aims.alone(found["engine"], grown, known)]
    return found | {"aims": [aim._asdict() for aim in held], "restored": [each._asdict() for each in known]}


def page(found: dict[str, Any], results: Results, customers: int) -> str:
    """The page's text."""
    whole = max(found["contenders"], key=lambda each: each["size"])
    first = results.figures[whole["contender"]][0]
    rates = sections.markdown(report.HEAD, report.rows(results)) + "\n\n![Job J](speed-rates.svg)"
    for name, why in found["left_out"].items():
        rates += f"\n\nLeft out: {report.TITLES[name]}: {why.splitlines()[0]}"
    rounds = min(each["rounds"] for each in found["contenders"])
    said = {"machine": found["machine"], "customers": customers, "rates": rates, "rounds": rounds}
    said |= {"digest": first.digest, "triggers": first.triggers, "dense": dense(found), "workers": workers(found)}
    text = INTRO.format(**said, warm=latency.WARM, last=latency.LAST, slow=latency.SLOW)
    parts = {"aims": aims.section, "restored": sections.recovery, "engine": sections.engine, "growth": sections.grown}
    return text + "".join(part(found[name]) for name, part in parts.items() if found[name]) + WHY


def dense(found: dict[str, Any]) -> str:
    """How many triggers an event brings in the smallest part and in the whole; nothing where all had the whole."""
    sizes = sorted((each["size"], each["triggers"]) for each in found["contenders"])
    (size, some), (whole, all_of_it) = sizes[0], sizes[-1]
    return "" if size == whole else DENSE.format(part=some / size, size=size, whole=all_of_it / whole)


def workers(found: dict[str, Any]) -> str:
    """What a second worker brings; nothing where one of the two was not measured."""
    known = {each["contender"]: each for each in found["contenders"]}
    if not {"kairos", "kairos-2"} <= known.keys():
        return ""
    one, two = known["kairos"], known["kairos-2"]
    return WORKERS.format(ratio=two["rate"] / one["rate"], cpu=two["cpu_us"] / one["cpu_us"])


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
    parser.add_argument("--growth", type=Path, default=log.HOME / "growth.json")
    parser.add_argument("--engine", type=Path, nargs="*", default=[log.HOME / f"engine-{core}.json" for core in CORES])
    parser.add_argument("--restored", type=Path, default=restore.RESULTS)
    parser.add_argument("--customers", type=int, default=100_000)
    options = parser.parse_args()
    results = Results(options.results)
    if not results.summaries():
        raise SystemExit(f"{options.results} holds no figures: run `make bench-peers` first")
    growing, *cores = (json.loads(path.read_text()) if path.exists() else None for path in (options.growth, *options.engine))
    found = figures(results, growing, restore.kept(options.restored), filter(None, cores))
    data = DOCS / "speed.json"
    data.write_text(json.dumps(found, indent=1) + "\n")
    draw(data)
    (DOCS / "speed.md").write_text(page(found, results, options.customers))


if __name__ == "__main__":
    main()
