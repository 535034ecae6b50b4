"""The benchmark's own words: job J by the engine is job J by the reference, and what it measures is added up rightly."""

from __future__ import annotations

import os
import subprocess
import sys
from math import isclose
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import orjson
import pytest

from stream.domain.events import Record
from stream.engine.partition import LEDGER, Partition
from stream.packs import loader
from stream.packs.faults import SOFT
from tests.bench import growth, rules
from tests.bench.jobj import aims, judge, latency, log, logic, page, watch
from tests.bench.jobj.contenders import ALL
from tests.bench.jobj.contenders.kairos import PACK, Kairos, engine, figures
from tests.bench.jobj.latency import Delays
from tests.bench.jobj.log import Log
from tests.bench.jobj.restore import Restored
from tests.bench.jobj.results import Results
from tests.bench.jobj.rounds import Figure

EVENTS, CUSTOMERS = 6000, 300


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A small log, twenty events a customer."""
    found = Log(tmp_path_factory.mktemp("log") / "small.jsonl", EVENTS, CUSTOMERS)
    log.write(found)
    return found


def decided(made: Log, size: int) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Trigger ids and figures of the engine over so many lines, in chunks."""
    parts = [Partition(engine(), number) for number in range(log.PARTITIONS)]
    records: list[list[Record]] = [[] for _ in parts]
    for each in Kairos("kairos", "").records(made.run(size)):
        own = records[each.partition]
        own.append(Record(len(own), each.key, each.value, each.headers or ()))
    told = []
    for part, own in zip(parts, records, strict=True):
        for start in range(0, len(own), 700):
            decision = part.decide(own[start : start + 700])
            part.accept(decision)
            told += [output for output in decision.outputs if output.topic != "out.suppressed"]
    kinds = [dict(output.headers)["ce_type"].decode().removesuffix(".v1") for output in told]
    ids = [
        f"{kind}|{(output.key or b'').decode()}|{orjson.loads(output.value or b'')['episode']['key']}"
        for kind, output in zip(kinds, told, strict=True)
    ]
    return ids, {key.decode(): figures(raw) for part in parts for key, raw in part.dump() if key != LEDGER}


@pytest.mark.parametrize("size", [EVENTS, EVENTS * 2 // 3])
def test_the_pack_says_what_the_reference_says(made: Log, size: int) -> None:
    """The same triggers, each once, and the same figures of every sampled customer."""
    ids, states = decided(made, size)
    wanted = made.reference(size)

    assert sorted(ids) == sorted(wanted.ids)
    assert {"funds.significant_inflow", "tier.upgraded", "tier.downgraded"} == {ident.partition("|")[0] for ident in ids}
    assert len(wanted.states) == len(states)
    for subject, state in wanted.states.items():
        for name in ("at", *logic.FIGURES):
            assert isclose(states[subject][name], state[name], rel_tol=1e-9, abs_tol=1e-9), (subject, name)


def test_the_pack_of_the_job_has_no_fault() -> None:
    """Its stories are told by `kairos test`."""
    assert [fault for fault in loader.lint(PACK) if fault.code not in SOFT] == []


def test_a_log_is_the_same_whenever_it_is_made(made: Log, tmp_path: Path) -> None:
    """Byte for byte; a customer's name stands where it is looked for."""
    again = made._replace(path=tmp_path / "again.jsonl")
    log.write(again)

    assert again.path.read_bytes() == made.path.read_bytes()
    lines = list(made.run(EVENTS))
    assert len(lines) == EVENTS + log.PARTITIONS**2
    assert all(line[log.SUBJECT].decode() == orjson.loads(line)["subject"] for line in lines)


@pytest.mark.parametrize("keyed", [True, False])
def test_a_run_ends_in_every_partition_with_a_trigger(made: Log, keyed: bool) -> None:
    """The last line of each, by customer and by account: whoever has told these has read everything."""
    contender = next(each for each in ALL if each.keyed is keyed and each.name.startswith("streams"))
    last = {record.partition: record.value for record in contender.records(made.run(EVENTS))}

    subjects = {value[log.SUBJECT].decode() for value in last.values()}
    assert len(last) == log.PARTITIONS
    assert subjects <= set(log.closers())
    assert {f"tier.upgraded|{subject}|4|-" for subject in log.closers()} <= {
        ident.rpartition("|")[0] for ident in made.reference(EVENTS).ids
    }


def test_triggers_of_a_part_are_those_of_its_lines(made: Log) -> None:
    """Two parts are the whole."""
    assert made.triggers(0, 1000) + made.triggers(1000, EVENTS) == made.triggers(0, EVENTS)


@pytest.mark.parametrize("size", [EVENTS, EVENTS // 2])
def test_what_was_worked_off_goes_by_the_lines_of_triggers(made: Log, size: int) -> None:
    """Triggers are dense at first, so half of them are told before half of the lines are worked off."""
    told = made.triggers(0, size)
    reached = [made.begun(size, early, len(told)) for early in range(len(told))]

    assert reached == [line for line, _ in told]
    assert made.begun(size, 1, 2) < size / 2
    assert made.begun(size, 7, 7) == size


class Told(NamedTuple):
    """A contender that has told these and kept this."""

    ids: list[str]
    kept: dict[str, dict[str, float]]
    once: bool = False

    def ident(self, message: str) -> str:
        """It is its own."""
        return message

    def states(self, run: object, subjects: object) -> dict[str, dict[str, float]]:
        """All of it."""
        return self.kept


def test_who_did_another_job_is_found_out(made: Log) -> None:
    """A trigger that is missing, wrong or told twice; a customer that is missing; a figure that is off by a little."""
    wanted = made.reference(EVENTS)
    ids = [ident for _, ident in made.triggers(0, EVENTS)] + [each for each in wanted.ids if "|Z" in each]
    states: dict[str, dict[str, float]] = {subject: dict(state) for subject, state in wanted.states.items()}
    subject = next(iter(states))
    off = {**states, subject: states[subject] | {"in30": states[subject]["in30"] * (1 + 1e-7) + 1e-7}}

    def found(ids: list[str], kept: dict[str, dict[str, float]], once: bool = False) -> list[str]:
        return judge.faults(cast(Any, Told(ids, kept, once)), cast(Any, None), cast(Any, ids), wanted)

    assert found(ids, states) == found(sorted(wanted.ids), states, once=True) == []
    assert "1 triggers of" in found(ids[1:], states)[0]
    assert "1 are wrong ['made up']" in found([*ids, "made up"], states)[0]
    assert "records of triggers" in found([*ids, ids[0]], states)[0]
    assert found(ids, {name: state for name, state in states.items() if name != subject}) == [f"{subject} has no state"]
    assert f"{subject}: expected in30" in found(ids, off)[0]


def test_delays_are_quantiles_of_what_came_after_the_ramp() -> None:
    """From the sending of a line to the first sight of its trigger, ms."""
    sent = [float(second) for second in range(9)]
    expected = {f"id{line}": 100 + line for line in range(9)}
    seen = {ident: sent[line - 100] + (0.5 if line - 100 < 8 else 2.0) for ident, line in expected.items()}
    found = latency.summed(cast(Any, SimpleNamespace(name="x")), 1, 100, sent, expected, seen)

    assert (found.triggers, found.p50, found.p99, found.most) == (6, 500.0, 2000.0, 2000.0)


def test_a_process_tree_is_counted_whole() -> None:
    """CPU and memory of a child count with those of its parent."""
    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint('spun', flush=True)\ntime.sleep(60)"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"spun\n"
        used, peak, members = watch.cpu(process.pid), watch.peak(process.pid), watch.members(process.pid)
        os.killpg(process.pid, 9)

    assert used >= 0.25
    assert len(members) == 2
    assert peak >= 2 * 4 * 2**20


def test_results_are_medians_and_outlive_the_run(tmp_path: Path) -> None:
    """A file that is added to; a contender that ran after all is not left out."""
    path = tmp_path / "results.jsonl"
    results = Results(path)
    results.skip("quix", "no environment")
    for seconds in (1.0, 4.0, 2.0):
        results.figure(Figure("quix", 1100, 1000.0, seconds, seconds / 2, 0.1, 2**20, 7, "d"))
    for rate, p50 in ((500, 9.0), (250, 3.0)):
        results.delay(Delays("quix", rate, 10, p50, 2 * p50, 3 * p50))

    (found,) = Results(path).summaries()
    assert (found.rate, found.spread, found.rounds, found.size) == (500.0, (250.0, 1000.0), 3, 1100)
    assert (found.cpu_us, found.broker_us, found.triggers) == (1000.0, 100.0, 7)
    assert found.slow is not None
    assert found.half is not None
    assert (found.slow.rate, found.half.rate) == (250, 500)
    assert Results(path).skipped == {}


def test_the_page_says_every_contender_and_what_is_left_out(tmp_path: Path) -> None:
    """With its figures, as a table."""
    results = Results(tmp_path / "results.jsonl")
    results.figure(Figure("kairos", 1100, 1000.0, 2.0, 1.0, 0.1, 3 * 2**20, 7, "abcd"))
    results.skip("faust", "rocksdict is not installed\nmore")

    text = page.page(page.figures(results), results, 50)

    assert "| Kairos, exactly once | 1,100 | 500 | 500 to 500 | 1000.0 | 3 |  |  |" in text
    assert "Left out: Faust as documented: rocksdict is not installed\n" in text
    assert "abcd" in text


@pytest.mark.parametrize(("rate", "said"), [(2000.0, "| yes |"), (1000.0, "| **no** |")])
def test_the_page_holds_aims_against_what_was_measured(tmp_path: Path, rate: float, said: str) -> None:
    """A missed aim is told like a reached one; one without figures is not told."""
    results = Results(tmp_path / "results.jsonl")
    results.figure(Figure("kairos", 1100, rate, 1.0, 1.0, 0.1, 3 * 2**20, 7, "abcd"))
    results.figure(Figure("streams-eos", 1100, 1000.0, 1.0, 1.0, 0.1, 3 * 2**20, 7, "abcd"))

    text = page.page(page.figures(results), results, 50)

    assert f"| rate of kairos to streams-eos | >= 2 | {rate / 1000:.2f} {said}" in text
    assert "faust" not in text.partition("## Aims")[2]


@pytest.mark.parametrize(("much", "said"), [(1.0, "| yes |"), (2.0, "| **no** |")])
def test_aims_of_the_engine_are_held_against_its_figures(much: float, said: str) -> None:
    """Replay, growth, memory and restore, each just reached and, doubled, missed."""
    engine = [
        {"core": "compiled", "packs": [{"name": "retail_bank", "ratio": 8.0 * much}, {"name": "15 that listen", "ratio": 1}]}
    ]
    points = [{"of": 10_000, "us": 10.0}, {"of": 1_000_000, "us": 11.0 * much}]
    curves = [
        {"name": "customers", "what": "by customers", "slope": 0.0, "points": points},
        {"name": "same", "what": "same", "slope": 0.9 * much, "points": []},
    ]
    grown = {"curves": curves, "customer": {"rss": {"100": 9000.0, "1000000": 1500.0 * much}}}
    restored = [
        Restored(each, 1_000_000, 1, 1.0, 1.0, 30.0 * much, 1.0, 1.0, 1, 1.0, 1, 1) for each in ("kairos", "streams-eos")
    ]

    text = aims.section(aim._asdict() for aim in aims.alone(engine, grown, restored))

    assert text.count(said) == len(text.strip().splitlines()) - 4 == 5


@pytest.mark.parametrize("kind", list(rules.SAYS))
def test_packs_of_many_rules_are_silent_but_for_the_default_ones(kind: str) -> None:
    """So many rules, and the triggers of the default pack alone."""
    plain, many = rules.pack(0, kind), rules.pack(40, kind)
    story = growth.Story(8, 20)
    told = []
    for pack in (plain, many):
        partition = Partition(growth.Engine(pack, "live"), 0)
        decision = partition.decide(list(growth.journaled(story.before + story.after, 0)))
        told.append({dict(output.headers)["ce_id"] for output in decision.outputs})

    assert len(many.spec.rules) == 40
    assert told[0] == told[1] != set()


def test_growth_is_measured_for_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """More customers than memory are left out, and it says which."""
    monkeypatch.setattr(growth, "free", lambda: 300 * growth.NEED)
    curve, taken = growth.customers(loader.load("retail_bank"), growth.Story(8, 20), [100, 200, 1000], 1)

    assert [point.of for point in curve.points] == [100, 200]
    assert taken["left_out"] == [1000]
    assert 0 < taken["row_p50"] <= taken["row_p99"]
    assert all(point.us > 0 for point in curve.points)
