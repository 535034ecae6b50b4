"""`kairos replay`, `explain` and `demo`: reports that add up, digests that compare, triggers that can be checked."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from stream.engine.engine import Engine
from stream.engine.partition import LEDGER
from stream.packs import loader
from stream.shell import reports
from stream.shell.cli.app import app
from stream.shell.cli.story import causes, deeds
from stream.shell.kafka.snapshot import Cut, write
from stream.shell.logfile import merged
from stream.shell.replay import Collected, Replay
from stream.simulator import Bank, poison
from stream.wire.instants import Instants
from stream.wire.lines import from_line, stamps, to_binary, to_line

CUSTOMERS, DAYS, SEED = 40, 60, 7


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No KAIROS_ variable of the machine reaches these tests, and none of them writes into the working directory."""
    for name in list(os.environ):
        if name.startswith("KAIROS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """A small bank's events."""
    return list(Bank(CUSTOMERS, DAYS, SEED).events())


@pytest.fixture
def log(lines: list[bytes], tmp_path: Path) -> str:
    """The same as a file of the working directory."""
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return "events.jsonl"


def kairos(*arguments: str, given: bytes | None = None) -> Result:
    """One call, in this process."""
    return CliRunner().invoke(app, list(arguments), input=given, catch_exceptions=False)


class Report(NamedTuple):
    """A folder that a replay wrote, read back."""

    summary: dict[str, Any]
    triggers: list[dict[str, Any]]
    suppressed: list[dict[str, Any]]
    dead: list[dict[str, Any]]


def replayed(*arguments: str, given: bytes | None = None) -> Report:
    """A successful replay."""
    result = kairos("replay", *arguments, "--out", "report", given=given)
    assert result.exit_code == 0, result.output
    return report()


def report(folder: str = "report") -> Report:
    """What stands there."""
    texts = [Path(folder, name).read_text() for name in ("triggers.jsonl", "suppressed.jsonl", "dead_letters.jsonl")]
    triggers, suppressed, dead = ([json.loads(line) for line in text.splitlines()] for text in texts)
    return Report(json.loads(Path(folder, "summary.json").read_text()), triggers, suppressed, dead)


def journal(lines: Iterable[bytes], start: int = 0) -> list[bytes]:
    """Events as a recorded journal of one partition, each followed by a tick of its time."""
    found: list[bytes] = []
    for number, line in enumerate(lines, start):
        key, headers, value = to_binary(line)
        recorded = Instants().parse(stamps(line).recordedtime or "")
        place = {"kairossource": f"in.txn|3|0|{number}|{recorded}|w", "kairosjournal": f"0/{len(found) + start * 2}"}
        found.append(to_line(key, headers, value, place))
        tick = json.dumps({"clock": {"in.txn": recorded}, "idle": []})
        found.append(to_line(None, [], b"", {"kairostick": tick, "kairosjournal": f"0/{len(found) + start * 2}"}))
    return found


# The report


def test_summary_adds_up_with_the_files(log: str) -> None:
    """Counts of the summary are counts of lines; every record has one outcome."""
    found = replayed(log)
    outcomes = found.summary["outcomes"]

    assert found.summary["triggers_by_type"] == Counter(each["type"].removesuffix(".v1") for each in found.triggers)
    assert found.summary["suppressed"] == len(found.suppressed) == found.summary["candidates"] - len(found.triggers)
    assert found.summary["reconciled"] is True
    assert sum(outcomes.values()) == found.summary["events"] == len(Path(log).read_text().splitlines())
    assert outcomes["processed"] > 0 < found.summary["customers"]
    assert all(each["kairosmode"] == "replay" for each in found.triggers)


def test_digest_is_over_sorted_triggers_without_the_mode(log: str) -> None:
    """It can be computed by hand, and by the function that takes consumed records."""
    found = replayed(log)
    ranked = []
    for line in Path("report/triggers.jsonl").read_bytes().splitlines():
        event = json.loads(line)
        ranked.append((event["subject"], event["time"], event["id"], line.replace(b'"kairosmode":"replay",', b"")))
    by_hand = hashlib.sha256(b"".join(each[3] + b"\n" for each in sorted(ranked))).hexdigest()
    live = [from_line(line.replace(b'"kairosmode":"replay"', b'"kairosmode":"live"')) for _, _, _, line in ranked]

    assert found.summary["digest"] == by_hand == reports.digest(reversed(live))


def test_digest_does_not_depend_on_how_the_log_is_given(log: str, lines: list[bytes]) -> None:
    """Packed or from standard input, in one file or several, on one partition or many."""
    expected = replayed(log).summary["digest"]
    Path("packed").mkdir()
    Path("packed/events.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines)))

    assert replayed(log, "--partitions", "5").summary["digest"] == expected
    same = replayed("packed/events.jsonl.gz")
    assert [each["id"] for each in same.triggers] == [each["id"] for each in replayed(log).triggers]
    assert [each["id"] for each in replayed("-", given=b"\n".join(lines)).triggers] == [each["id"] for each in same.triggers]


def test_several_logs_are_merged_by_recorded_time(lines: list[bytes]) -> None:
    """Two files of one bank bring about what the one did."""
    for name, part in (("a", lines[::2]), ("b", lines[1::2])):
        Path(f"{name}.jsonl").write_bytes(b"\n".join(part))
    Path("all.jsonl").write_bytes(b"\n".join(lines))

    assert {each["id"] for each in replayed("a.jsonl", "b.jsonl").triggers} == {
        each["id"] for each in replayed("all.jsonl").triggers
    }


def test_until_lets_deadlines_pass_after_the_last_line(log: str) -> None:
    """In half a year without events everybody falls dormant."""
    before = replayed(log).summary["triggers_by_type"].get("dormancy.entering", 0)

    assert replayed(log, "--until", "2026-09-01").summary["triggers_by_type"]["dormancy.entering"] > before
    assert kairos("replay", log, "--until", "soon", "--out", "report").exit_code == 2


def test_dead_letters_hold_every_byte(lines: list[bytes]) -> None:
    """1 % of bad input: all of it in the dead letters, the rest unharmed, and a strict replay answers no."""
    import base64

    mixed = list(poison(lines, 0.02, 1))
    Path("events.jsonl").write_bytes(b"\n".join(line for _, line in mixed) + b"\n")
    wanted = sorted((str(code), line) for code, line in mixed if code is not None)

    result = kairos("replay", "events.jsonl", "--out", "report", "--strict")
    found = report()

    assert result.exit_code == 1
    assert sorted((each["error"]["code"], base64.b64decode(each["value"])) for each in found.dead) == wanted
    assert found.summary["rejects"] == Counter(code for code, _ in wanted)
    assert found.dead[0]["origin"] == f"events.jsonl:{next(n for n, (code, _) in enumerate(mixed, 1) if code)}"
    assert sum(found.summary["outcomes"].values()) == len(mixed)


def test_strict_is_content_without_dead_letters(log: str) -> None:
    """Exit code 0."""
    assert kairos("replay", log, "--out", "report", "--strict").exit_code == 0


def test_an_empty_log_gives_an_empty_report() -> None:
    """Nothing is no fault."""
    Path("empty.jsonl").touch()
    found = replayed("empty.jsonl")

    assert (found.summary["events"], found.triggers) == (0, [])


# A recorded journal


def test_a_journal_is_known_by_its_first_line_and_keeps_the_source_coordinates(lines: list[bytes]) -> None:
    """Evidence names the source topic, never the journal."""
    Path("journal.jsonl").write_bytes(b"\n".join(journal(lines)))
    found = replayed("journal.jsonl")

    assert found.summary["events"] == len(lines) == sum(found.summary["outcomes"].values())
    assert found.triggers
    assert all(each["causationid"].startswith("in.txn/3@") for each in found.triggers)


def test_a_delivery_that_came_twice_is_counted_as_such(lines: list[bytes]) -> None:
    """Who is killed between acknowledgement and commit journals records again: they are filtered, and the books balance."""
    once = journal(lines[:300])
    again = [line.replace(b'"0/%d"' % number, b'"0/%d"' % (number + 600)) for number, line in enumerate(once[:40])]
    found = replayed("-", given=b"\n".join([*once, *again]) + b"\n")

    assert found.summary["filtered"] == {"DUPLICATE_DELIVERY": 20}
    assert found.summary["events"] == 320
    assert (found.summary["reconciled"], found.summary["outcomes"]["waiting"]) == (True, 0)


def test_a_range_from_the_middle_needs_the_state_before_it(lines: list[bytes]) -> None:
    """Refused without a snapshot; with it, both halves together decide what the whole did."""
    half = len(lines) // 2
    Path("whole.jsonl").write_bytes(b"\n".join(journal(lines)))
    Path("first.jsonl").write_bytes(b"\n".join(journal(lines[:half])))
    Path("second.jsonl").write_bytes(b"\n".join(journal(lines[half:], half)))
    whole, first = replayed("whole.jsonl").triggers, replayed("first.jsonl").triggers
    state(lines[:half], "state.jsonl")

    refused = kairos("replay", "second.jsonl", "--out", "refused")
    second = replayed("second.jsonl", "--state", "state.jsonl").triggers

    assert (refused.exit_code, "kairos snapshot" in refused.stderr) == (2, True)
    assert not Path("refused/summary.json").exists()
    assert len(first) > 9 < len(second)
    assert first + second == whole


def state(lines: list[bytes], path: str) -> None:
    """The snapshot after a journal of these lines."""
    rows: dict[bytes, bytes] = {}
    replay = Replay(Engine(loader.load(), "replay"), Collected())
    partition = replay.partitions[0]
    accept = partition.accept

    def keep(decision: Any) -> None:
        rows.update(decision.rows)
        accept(decision)

    partition.accept = keep  # type: ignore[method-assign]
    Path("upto.jsonl").write_bytes(b"\n".join(journal(lines)))
    from stream.shell.logfile import lines as read

    replay.journal(read("upto.jsonl"))
    assert LEDGER in rows
    with open(path, "wb") as file:
        write(file, {0: Cut(partition.next_offset, 0, True, rows)})


def test_what_does_not_go_together_is_refused_before_anything_is_written(log: str, lines: list[bytes]) -> None:
    """A journal has its own clock and partitions; a source log has no state before it; the two do not mix."""
    Path("journal.jsonl").write_bytes(b"\n".join(journal(lines[:9])))
    state(lines[:9], "state.jsonl")
    for arguments in (
        ["journal.jsonl", "--until", "2026-09-01"],
        ["journal.jsonl", "--partitions", "2"],
        [log, "journal.jsonl"],
        [log, "--state", "state.jsonl"],
        ["journal.jsonl", "--state", log],
    ):
        result = kairos("replay", *arguments, "--out", "fresh")

        assert result.exit_code == 2, arguments
        assert not Path("fresh").exists(), arguments


# Explain


def explained(ident: str, *logs: str) -> Result:
    """The command."""
    return kairos("explain", ident, *(part for log in logs for part in ("--log", log)))


def test_explain_shows_everything_needed_to_check_a_trigger(log: str, lines: list[bytes]) -> None:
    """Reasons, evidence with coordinates, conditions, gates, the story, and the very source lines; one of each family."""
    for trigger in {each["type"].partition(".")[0]: each for each in replayed(log).triggers}.values():
        result = explained(trigger["id"], log)
        shown = "".join(result.stdout.split())

        assert result.exit_code == 0
        assert "".join(trigger["data"]["message"]["reason_text_zh"].split()) in shown
        assert f"Storyof{trigger['subject']}" in shown
        for origin in trigger["data"]["evidence"]["causes"]:
            assert lines[int(origin.rpartition(":")[2]) - 1].decode() in result.stdout
        for condition in trigger["data"]["evidence"]["conditions"]:
            assert "".join(condition["text"].split()) in shown


def test_explain_takes_the_first_eight_characters_and_refusals(log: str) -> None:
    """A refusal says which gate, and why."""
    refused = replayed(log).suppressed[0]
    result = explained(refused["id"][:8], log)

    assert result.exit_code == 0
    assert f"suppressed: {', '.join(refused['data']['reasons'])}" in result.stdout


def test_explain_of_an_unknown_trigger_answers_no(log: str) -> None:
    """Exit code 1; a log that is not there is wrong use."""
    assert explained("00000000-0000-0000-0000-000000000000", log).exit_code == 1
    assert explained("00000000", "nowhere.jsonl").exit_code == 2


def test_explain_finds_the_lines_of_a_recorded_journal(lines: list[bytes]) -> None:
    """By the source coordinates that ingest gave them."""
    Path("journal.jsonl").write_bytes(b"\n".join(journal(lines)))
    trigger = replayed("journal.jsonl").triggers[0]
    wanted = trigger["data"]["evidence"]["causes"]
    found = causes(["journal.jsonl"], wanted)

    assert set(found) == set(wanted)
    assert all(trigger["subject"].encode() in line for line in found.values())
    assert explained(trigger["id"], "journal.jsonl").exit_code == 0


def test_lines_that_bring_their_own_coordinates_are_found_by_them(lines: list[bytes]) -> None:
    """What `publish` stamped is what evidence shows."""
    event = json.loads(lines[0]) | {"kairosorigin": "old.jsonl:17"}
    Path("log.jsonl").write_text(json.dumps(event, separators=(",", ":")) + "\n")

    assert list(causes(["log.jsonl", "-"], ["old.jsonl:17"])) == ["old.jsonl:17"]
    assert causes(["log.jsonl"], []) == {}


def test_deeds_are_the_last_events_before_the_trigger(log: str, lines: list[bytes]) -> None:
    """Of this customer, none later, in order."""
    events = [json.loads(line) for line in lines if b'"C0000017"' in line]
    middle = events[len(events) // 2]["time"]
    found = deeds([log], "C0000017", middle, 4)

    assert len(found) == 4
    assert {deed.at for deed in found} <= {event["time"] for event in events if event["time"] <= middle}


# Demo


def test_demo_shows_the_same_table_for_the_same_seed() -> None:
    """Simulate, replay, explain: only the rate may differ."""
    first, second = (kairos("demo", "-n", "50", "-d", "40", "--out", "demo") for _ in range(2))
    told = [[line for line in each.stdout.splitlines() if "events/s" not in line] for each in (first, second)]

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert told[0] == told[1]
    assert {path.name for path in Path("demo").iterdir()} == {
        "events.jsonl", "triggers.jsonl", "suppressed.jsonl", "dead_letters.jsonl", "summary.json"
    }  # fmt: skip


def test_demo_hints_work() -> None:
    """What it says to try next can be tried."""
    shown = kairos("demo", "-n", "50", "-d", "40", "--out", "demo").stdout
    hints = [line.split()[1:] for line in shown.splitlines() if line.startswith("  kairos ")]
    explain, replay = hints[0], hints[1]

    assert kairos(*explain).exit_code == 0
    assert kairos(*replay[: replay.index("#")]).exit_code == 0
    assert report("again").summary["digest"] == report("demo").summary["digest"]


def test_demo_shows_three_triggers_in_both_languages() -> None:
    """Of different types, when there are so many."""
    shown = kairos("demo", "-n", "50", "-d", "40", "--out", "demo").stdout
    texts = [(each["data"]["message"], each["type"]) for each in report("demo").triggers]
    told = {kind for message, kind in texts if message["reason_text_zh"] in shown and message["reason_text_en"] in shown}

    assert len(told) == 3


def test_replay_needs_no_more_than_its_sink(log: str) -> None:
    """The report is a sink like any other: the engine decides the same for both."""
    sink = Collected()
    Replay(Engine(loader.load(), "replay"), sink).run(merged([log]))
    triggers = [output for output in sink.outputs if output.topic.startswith("out.trigger")]

    assert reports.digest(triggers) == replayed(log).summary["digest"]
