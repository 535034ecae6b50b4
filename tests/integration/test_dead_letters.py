"""Law: bad input of any amount kills nothing but itself; what was mended comes back through the same door, once."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from kafka import KafkaProducer

from stream.domain.reasons import RejectCode
from stream.engine.decision import Output
from stream.shell.kafka import topics
from stream.shell.kafka.failstop import EXIT_CODE
from stream.shell.kafka.publish import publish
from stream.shell.logfile import Numbered, recorded
from stream.shell.settings import Clock, Settings
from stream.simulator import Bank, poison
from tests.builders import START, posting
from tests.integration import cluster
from tests.rig.letters import faults, letters, sources

PACKS = Path(__file__).parents[2] / "stream" / "packs"
ERRORS = "__kairos.errors."
LIMIT = 60


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Settings], cluster.Workers]]:
    made: list[cluster.Workers] = []

    def start(settings: Settings) -> cluster.Workers:
        made.append(cluster.Workers(settings, tmp_path / str(len(made))))
        made[-1].start("a")
        return made[-1]

    yield start
    for workers in made:
        workers.destroy()


def lines(texts: list[bytes]) -> list[tuple[int, bytes, int]]:
    return [(number, text, START) for number, text in enumerate(texts, 1)]


def dead(settings: Settings) -> list[dict[str, bytes]]:
    return [dict(output.headers) | {"value": output.value or b""} for output in said(settings)]


def said(settings: Settings) -> list[Output]:
    return [output for output in cluster.said(settings) if output.topic == topics.DEAD]


def eventually(what: Callable[[], Any], wanted: Any, patience: float = 30.0) -> None:
    until = time.monotonic() + patience
    while (got := what()) != wanted:
        assert time.monotonic() < until, f"expected {wanted}, got {got}"
        time.sleep(0.3)


def kairos(settings: Settings, *words: str) -> str:
    command = [*cluster.KAIROS[:-1], "dlq", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=cluster.environment(settings), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_topic_of_nothing_but_poison_is_buried_line_by_line(
    configured: Callable[..., Settings], started: Callable[[Settings], cluster.Workers]
) -> None:
    """100 % of eight kinds: every line is dead with its bytes, for its reason; the worker lives."""
    settings = configured(journal_partitions=2, clock=Clock.RECORDED)
    topics.create(settings)
    bad = [(code, line) for code, line in poison(Bank(300, 8, seed=4).events(), 1.0, seed=2) if code is not None][:800]
    log = recorded(Numbered("bad.jsonl", number, line) for number, (_, line) in enumerate(bad, 1))
    workers = started(settings)
    publish(settings, [(line.number, line.line, line.at) for line in log], "bad.jsonl")

    eventually(lambda: len(said(settings)), len(bad))
    codes = {f"bad.jsonl:{number}": str(code) for number, (code, _) in enumerate(bad, 1)}
    assert len(set(codes.values())) == 8, "all kinds are among them"
    personal = [f"C{number:07d}" for number in range(300)] + ["POISON", "P2-", "99999999999999999"]
    assert faults(list(letters(settings)), sources(settings, "in.txn"), codes, personal) == []
    assert workers.terminate() == {"a": 0}, workers.logs()


def test_letters_sent_back_in_bulk_are_accepted_or_die_again_and_never_both(
    configured: Callable[..., Settings], started: Callable[[Settings], cluster.Workers]
) -> None:
    """Under a larger limit what was too large is accepted; the other seven kinds die again, each once, as they were."""
    settings = configured(journal_partitions=2)
    topics.create(settings)
    bad = [(code, line) for code, line in poison(Bank(300, 8, seed=4).events(), 1.0, seed=2) if code is not None][:400]
    workers = started(settings)
    publish(settings, lines([line for _, line in bad]), "bad.jsonl")
    eventually(lambda: len(said(settings)), len(bad))
    assert workers.terminate() == {"a": 0}, workers.logs()

    larger = settings.model_copy(update={"max_event_bytes": 600_000})
    workers = started(larger)
    assert kairos(larger, "redrive", "--all").startswith("400 sent")
    again = {f"bad.jsonl:{number}": str(code) for number, (code, _) in enumerate(bad, 1) if code != RejectCode.OVERSIZE}
    eventually(lambda: _decided_from(larger, "in.redrive"), len(bad))
    second = [one for one in letters(larger) if one.place[0] == "in.redrive"]
    assert len(again) == 350
    assert faults(second, sources(larger, "in.redrive"), again, []) == []
    assert kairos(larger, "redrive", "--topic", "in.txn").startswith("0 sent"), "each once"
    first, *_, last = kairos(larger, "list", "--each").splitlines()
    for line in (first, last):
        assert "died" in kairos(larger, "show", line.split()[0])
    assert workers.terminate() == {"a": 0}, workers.logs()


def test_a_breaker_stops_the_worker_until_an_operator_lets_it_go_on(
    configured: Callable[..., Settings], started: Callable[[Settings], cluster.Workers]
) -> None:
    """More dead letters in a row than the limit: one line, exit 70, nothing of that chunk; the same after a restart."""
    settings = configured(journal_partitions=1, source_partitions=1, dead_letter_limit=LIMIT)
    topics.create(settings)
    publish(settings, lines([b"not json"] * 3 * LIMIT), "bad.jsonl")
    workers = started(settings)

    assert workers.processes["a"].wait(40) == EXIT_CODE, workers.logs()
    first = len(said(settings))
    assert first <= LIMIT
    assert workers.log("a").read_text().count("nothing but dead letters") == 1
    workers.start("a")
    assert workers.processes["a"].wait(40) == EXIT_CODE
    assert len(said(settings)) <= LIMIT, "a restart is no way around"
    going_on = started(settings.model_copy(update={"dead_letter_limit": 0}))
    eventually(lambda: len(said(settings)), 3 * LIMIT)
    assert going_on.terminate() == {"a": 0}


def test_a_mended_letter_is_accepted_and_a_bad_one_dies_again_once(
    configured: Callable[..., Settings], started: Callable[[Settings], cluster.Workers], tmp_path: Path
) -> None:
    """A currency without a rate: dead; redriven to the same pack: dead again, once; to a pack with the rate: accepted."""
    settings = configured(journal_partitions=2)
    topics.create(settings)
    foreign = [_in("XAU", number) for number in range(5)]
    publish(settings, lines([*foreign, b"not json"]), "bank.jsonl")
    workers = started(settings)
    eventually(lambda: len(said(settings)), 6)

    assert "UNKNOWN_CURRENCY" in kairos(settings, "list")
    assert kairos(settings, "redrive", "--code", "UNKNOWN_CURRENCY", "--dry-run").startswith("5 would be sent")
    assert kairos(settings, "redrive", "--code", "UNKNOWN_CURRENCY").startswith("5 sent")
    assert kairos(settings, "redrive", "--topic", "in.txn").startswith("1 sent"), "the five were redriven before"
    eventually(lambda: len(said(settings)), 12)
    again = [letter for letter in dead(settings) if letter[f"{ERRORS}topic"] == b"in.redrive"]
    assert Counter(letter[f"{ERRORS}code"] for letter in again) == {b"UNKNOWN_CURRENCY": 5, b"NOT_JSON": 1}
    assert {letter["ce_kairosorigin"] for letter in again} == {b"bank.jsonl:%d" % number for number in range(1, 7)}

    assert workers.terminate() == {"a": 0}
    mended = settings.model_copy(update={"pack": str(_with_rate("XAU", tmp_path))})
    workers = started(mended)
    workers.opened("a")
    assert kairos(mended, "redrive", "--code", "UNKNOWN_CURRENCY", "--topic", "in.redrive").startswith("5 sent")
    eventually(lambda: _decided_from(mended, "in.redrive"), 11)
    assert len(said(mended)) == 12, "none of the five died"
    place = kairos(mended, "list", "--each").split()[0]
    assert "origin     in.txn/" in kairos(mended, "show", place)
    assert workers.terminate() == {"a": 0}, workers.logs()


def _in(currency: str, number: int) -> bytes:
    event = posting(START, id=f"X{number}", subject=f"C{number}")
    return replace(event, data={**event.data, "amount": {"amount": "5.00", "ccy": currency}}).line()


def _with_rate(currency: str, where: Path) -> Path:
    folder = Path(copytree(PACKS / "retail_bank", where / "retail_bank"))
    text = (folder / "pack.yaml").read_text()
    (folder / "pack.yaml").write_text(text.replace("\nrates:\n", f'\nrates:\n  {currency}: "600.00"\n'))
    return folder


def _decided_from(settings: Settings, topic: str) -> int:
    """Records of this source that the committed ledgers have passed."""
    ledgers = next(iter(cluster.ledgers(settings)))
    highs: Counter[str] = Counter()
    for ledger in ledgers.values():
        for source, offset in ledger.high.items():
            if source.startswith(f"{topic}|"):
                highs[source] = max(highs[source], offset)
    # offsets of a transactional writer have holes: control records, which are not counted
    return sum(1 for place in _journaled(settings) if place[0] == topic and place[1] <= highs[place[2]])


def _journaled(settings: Settings) -> list[tuple[str, int, str]]:
    from tests.integration import worker_trial as trial

    found = []
    for message in trial.read(settings, "journal"):
        place = dict(message.headers() or ()).get("kairos_src")
        if place is not None:
            source, offset, _, _ = place.decode().rsplit("|", 3)
            found.append((source.partition("|")[0], int(offset), source))
    return found


def test_a_value_that_shrinks_well_is_buried_whole(
    configured: Callable[..., Settings], started: Callable[[Settings], cluster.Workers]
) -> None:
    """A few KB on their way here and in the journal; the client that writes the letter looks at them unpacked."""
    settings = configured(journal_partitions=1)
    topics.create(settings)
    workers = started(settings)
    value = bytes(3 * 1024 * 1024)
    producer = KafkaProducer(bootstrap_servers=settings.brokers, compression_type="gzip", max_request_size=2 * len(value))
    producer.send(settings.topic("in.txn"), value, b"C1")
    producer.close()

    eventually(lambda: [(one["value"] == value, one[f"{ERRORS}code"]) for one in dead(settings)], [(True, b"OVERSIZE")])
    assert workers.terminate() == {"a": 0}, workers.logs()
