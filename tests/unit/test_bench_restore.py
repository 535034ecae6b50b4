"""The benchmark's recovery: what is published around a stop is known in full, and what it measures is read rightly."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from tests.bench.jobj import log, page, restore, trial
from tests.bench.jobj.contenders import RESTORING
from tests.bench.jobj.log import Log
from tests.bench.jobj.restore import Restored
from tests.bench.jobj.results import Results
from tests.bench.jobj.rounds import Figure
from tests.bench.jobj.wires import Seen

EVENTS, CUSTOMERS, FILL = 900, 300, 600


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A small log in which everyone comes."""
    found = Log(tmp_path_factory.mktemp("log") / "small.jsonl", EVENTS, CUSTOMERS, everyone=True)
    log.write(found)
    return found


def published(made: Log, stop: int) -> list[bytes]:
    """What comes after the fill when the bank stops after so many lines."""
    over, found = Event(), []
    for number, line in enumerate(trial.coming(made, FILL, over), 1):
        found.append(line)
        if number == stop:
            over.set()
    return found


def test_everyone_comes_before_anyone_comes_twice(made: Log) -> None:
    """So that the state has a row of each."""
    subjects = [line[log.SUBJECT] for line in made.lines()]

    assert len(set(subjects[:CUSTOMERS])) == CUSTOMERS
    assert len(set(subjects)) == CUSTOMERS


def test_a_bank_that_stops_closes_every_partition(made: Log) -> None:
    """Lines that are sure of a trigger come first, last, and among the others."""
    closers = len(log.closers())
    found = [line[log.SUBJECT].decode() for line in published(made, 100)]

    assert found[:closers] == log.closers(trial.COLD)
    assert found[-closers:] == log.closers(trial.END)
    assert len(found) == 100 + closers
    assert sum(subject.startswith("Z1") for subject in found) == pytest.approx(100 / (trial.EVERY + 1), abs=1)
    assert {log.partition(subject.encode()) for subject in log.closers(trial.END)} == set(range(log.PARTITIONS))


def test_all_that_is_published_is_expected(made: Log) -> None:
    """Triggers of the log's lines as far as they went, and one of each customer who was put among them; no event twice."""
    more = published(made, 100)
    wanted = made.reference(FILL, more)
    sure = {line[log.SUBJECT].decode() for line in more if line[log.SUBJECT].startswith(b"Z")}
    own = [line for line in more if line[log.SUBJECT].startswith(b"C")]
    before = made.reference(FILL + len(own))

    assert own == list(made.lines(FILL, FILL + len(own)))
    told = {ident.split("|")[1] for ident in wanted.ids}
    assert sure <= told
    assert {ident for ident in before.ids if "|C" in ident} == {ident for ident in wanted.ids if "|C" in ident}
    assert wanted.told == before.told + len(sure)
    ids = [orjson.loads(line)["id"] for line in (*made.run(FILL), *more)]
    assert len(set(ids)) == len(ids)


def test_a_trigger_counts_in_its_partition_from_when_it_was_first_read() -> None:
    """Of those asked for."""
    wanted = {subject.encode() for subject in log.closers()}
    messages: list[Any] = [SimpleNamespace(key=lambda key=key: key) for key in (b"C0000001", *sorted(wanted), *sorted(wanted))]
    found = trial.firsts([Seen(float(at), message) for at, message in enumerate(messages)], wanted)

    places = [log.partition(key) for key in sorted(wanted)]
    assert found == {place: 1.0 + places.index(place) for place in range(log.PARTITIONS)}


def test_a_restore_lasts_from_the_first_that_begins_to_the_last_that_ends() -> None:
    """Of the last assignment; what else stands in a log is passed over."""
    line = '{"event": "partition restored", "time": "2025-01-01T00:00:%sZ", "partition": %d, "records": %d, "seconds": %s}'
    lines = [
        line % ("01.000", 0, 7, 0.5),
        line % ("10.500", 0, 100, 1.5),
        'INFO "partition restored"',
        line % ("12.000", 1, 50, 1),
    ]
    found = restore.restores(text.encode() for text in lines)

    assert (found.records, found.ended - found.began) == (150, 3.0)
    assert restore.restores([b"nothing"]).records == 0


def test_results_of_a_recovery_are_kept_and_shown(tmp_path: Path) -> None:
    """A line each; the page has a section for them, with the smaller size first."""
    path = tmp_path / "restore.json"
    one = Restored("streams-eos", 1000, 1200, 4.0, 3.0, 2.0, 5.0, 6.0, 80, 4.5, 2**20, 900)
    path.write_bytes(b"".join(orjson.dumps(each._asdict()) + b"\n" for each in (one, one._replace(customers=10))))
    results = Results(tmp_path / "results.jsonl")
    results.figure(Figure("kairos", 1100, 1000.0, 2.0, 1.0, 0.1, 3 * 2**20, 7, "abcd"))
    text = page.page(page.figures(results, None, restore.kept(path)), results, 50)

    assert "| streams-eos | 1,000 | 1,200 | 3.0 | 4.0 | 300 | 2.0 | 600 | 5.0 | 6.0 | 80 | 1 |" in text
    assert text.index("| streams-eos | 10 |") < text.index("| streams-eos | 1,000 |")
    assert next(each.title for each in RESTORING if each.name == "streams-eos") in text
    assert restore.kept(tmp_path / "none.json") == []
