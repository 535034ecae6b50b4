"""Job J by all contenders: one broker, alternating rounds, then delays. See tests/bench/README.md.

python -m tests.bench.jobj.run --events 1500000 --customers 100000 --rounds 3
python -m tests.bench.jobj.run --events 60000 --customers 4000 --rounds 1 --contenders kairos,streams-eos
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.jobj import latency, log, report, rounds
from tests.bench.jobj.contenders import ALL, Contender
from tests.bench.jobj.contenders.contender import ROOT
from tests.bench.jobj.log import Log, Reference
from tests.bench.jobj.results import Results
from tests.bench.jobj.rounds import FailedError

BROKER = ROOT / "deploy" / "kafka" / "kafka.py"


@contextmanager
def broker() -> Iterator[tuple[str, int]]:
    """Address and process id of the broker named by KAIROS_TEST_BROKER (id 0), or of one of our own for this run."""
    given = os.environ.get("KAIROS_TEST_BROKER")
    if given:
        address, _, pid = given.partition("/")
        yield address, int(pid or 0)
        return
    where = tempfile.mkdtemp(prefix="kairos-bench-")
    command = [sys.executable, str(BROKER)]
    try:
        start = [*command, "start", "--dir", where, "--port", "0"]
        started = subprocess.run(start, check=True, capture_output=True, text=True)
        yield started.stdout.split()[-1], int((Path(where) / "pid").read_text())
    finally:
        subprocess.run([*command, "stop", "--dir", where], check=False, capture_output=True)
        shutil.rmtree(where, ignore_errors=True)


def chosen(names: str, among: Iterable[Contender] = ALL) -> list[Contender]:
    """Contenders by name. Raises SystemExit for one that there is not."""
    known = {contender.name: contender for contender in among}
    wanted = list(known) if names == "all" else names.split(",")
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"unknown contenders {unknown}; there are {', '.join(known)}")
    return [known[name] for name in wanted]


class Bench:
    """One run of the program."""

    def __init__(self, options: argparse.Namespace, results: Results) -> None:
        self._results = results
        self._log = log.have(options.events, options.customers)
        self._references: dict[int, Reference] = {}
        self._contenders = [each for each in chosen(options.contenders) if self._able(each)]

    def _able(self, contender: Contender) -> bool:
        why = contender.missing()
        if why is not None:
            self._leave(contender, why)
        return why is None

    def _leave(self, contender: Contender, why: str) -> None:
        print(f"\n*** {contender.name} is left out: {why}\n", file=sys.stderr, flush=True)
        self._results.skip(contender.name, why)

    def reference(self, size: int) -> Reference:
        """What must come of so many events, worked out once."""
        if size not in self._references:
            self._references[size] = self._log.reference(size)
        return self._references[size]

    def rounds(self, brokers: str, pid: int, number: int) -> None:
        """So many rounds; in each everyone has its turn."""
        for place in range(number):
            for contender in list(self._contenders):
                size = rounds.share(contender, self._log.events)
                try:
                    figure = rounds.once(brokers, pid, contender, self._log, self.reference(size), size)
                except FailedError as error:
                    self._leave(contender, str(error))
                    self._contenders.remove(contender)
                    continue
                self._results.figure(figure)
                cost = f"{figure.cpu / figure.events * 1e6:,.1f} us CPU"
                print(f"round {place + 1}: {contender.name} {figure.rate:,.0f} events/s, {cost} an event", flush=True)

    def delays(self, brokers: str) -> None:
        """Delays of each, at a thousand a second and at half of its own rate."""
        for contender in self._contenders:
            own = int(self._results.rate(contender.name) / 2)
            warm = min(latency.WARM, rounds.share(contender, self._log.events) // 2)
            try:
                found = latency.delays(brokers, contender, self._log, warm, paces(self._log, own, warm))
            except FailedError as error:
                self._leave(contender, str(error))
                continue
            for each in found:
                self._results.delay(each)
                print(f"{contender.name} at {each.rate:,}/s: p50 {each.p50:.1f} ms, p99 {each.p99:.1f} ms", flush=True)


def paces(source: Log, own: int, warm: int) -> list[int]:
    """A thousand a second; and half of its rate, or what the rest of the log lasts for."""
    left = (source.events - warm) // latency.LAST
    slow = min(latency.SLOW, left // 2)
    return [slow, min(own, left - slow)] if own > slow else [slow]


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", default="all", help="names with commas between; all")
    parser.add_argument("--no-delays", action="store_true", help="rates only")
    parser.add_argument("--results", type=Path, default=log.HOME / "jobj-results.jsonl", help="file that is added to")
    parser.add_argument("--add", action="store_true", help="keep what the file holds; else it begins anew")
    options = parser.parse_args()
    # ended from outside, it still ends its contender and its broker
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    log.HOME.mkdir(exist_ok=True)
    if not options.add:
        options.results.unlink(missing_ok=True)
    results = Results(options.results)
    bench = Bench(options, results)
    with broker() as (brokers, pid):
        bench.rounds(brokers, pid, options.rounds)
        if not options.no_delays:
            bench.delays(brokers)
    report.table(results)


if __name__ == "__main__":
    main()
