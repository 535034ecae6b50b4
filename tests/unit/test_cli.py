"""The command: help that teaches, exit codes that mean something, and every command that needs no broker."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from typer.main import get_command
from typer.testing import CliRunner, Result

from stream.domain.errors import DeliveryError
from stream.shell.cli import kafka, options, tail
from stream.shell.cli.app import app
from stream.shell.cli.meter import Plain
from stream.wire.lines import to_line
from stream.wire.outputs import FAMILIES

COMMANDS = (
    *("demo", "simulate", "replay", "explain", "lint", "test", "settings"),
    *("run", "publish", "record", "snapshot", "tail", "topics", "topics create", "topics check"),
    *("rows", "dlq", "dlq list", "dlq show", "dlq redrive"),
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No KAIROS_ variable of the machine reaches these tests, and none of them writes into the working directory."""
    for name in list(os.environ):
        if name.startswith("KAIROS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def kairos(*arguments: str, given: bytes | None = None) -> Result:
    """One call, in this process."""
    return CliRunner().invoke(app, list(arguments), input=given, catch_exceptions=False)


def broken_pack(folder: Path) -> Path:
    """A pack with a fault on its third line."""
    path = folder / "pack.yaml"
    path.write_text("name: broken\nversion: 1\nzone: Asia/Nowhere\ncurrency: CNY\nrules: {}\n")
    return path


# Help


def test_the_list_of_commands_is_complete() -> None:
    """A command without a test of its help is a command nobody looked at."""
    group = get_command(app)

    assert {name for name in COMMANDS if " " not in name} == set(group.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(command: str) -> None:
    """Help teaches: an example that begins with `kairos` and names the command."""
    shown = kairos(*command.split(), "--help")

    assert shown.exit_code == 0
    assert re.search(rf"Examples?:\s.*\bkairos {command}", shown.output, re.DOTALL)


def test_help_fits_a_terminal_of_eighty_columns() -> None:
    """No line of a help text is broken over two; the first paragraph is one line by itself."""
    for command in COMMANDS:
        node = get_command(app)
        for part in command.split():
            node = node.commands[part]  # type: ignore[attr-defined]
        _, *lines = re.sub(r"\[/?bold\]", "", node.help or "").splitlines()
        shown = {line.strip() for line in kairos(*command.split(), "--help").output.splitlines()}

        assert {line.strip() for line in lines} <= shown, command


def test_root_help_documents_the_exit_codes() -> None:
    """Scripts can rely on what help says."""
    shown = kairos("--help").output

    assert all(
        text in shown for text in ("Exit codes", "0  done", "1  the answer is no", "2  wrong use", "70  the world failed")
    )


def test_completion_is_offered_for_the_shell() -> None:
    """Typer's completion is switched on."""
    environment = {**os.environ, "_KAIROS_COMPLETE": "source_bash"}
    code = "from stream.shell.cli import main; main()"
    shown = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert "_kairos_completion" in shown.stdout
    assert options.pack_names("retail") == ["retail_bank"]
    assert tail.families("pay") == ["payroll"]


# Wrong use


def test_wrong_options_are_wrong_use() -> None:
    """Exit code 2, with the reason."""
    for arguments in (
        ["nosuch"],
        ["replay"],
        ["simulate", "--customers", "none"],
        ["topics", "create", "--partitions", "in.txn"],
        ["topics", "create", "--partitions", "in.nosuch=3"],
        ["snapshot", "--at", "x=3"],
        ["record", "journal", "--from", "3"],
        ["tail", "nosuch"],
        ["run", "--log-level", "LOUD"],
    ):
        result = kairos(*arguments)

        assert result.exit_code == 2, arguments
        assert result.stderr.strip(), arguments


def test_a_missing_log_is_wrong_use_and_writes_nothing(tmp_path: Path) -> None:
    """All missing ones are named, before any work begins."""
    result = kairos("replay", "a.jsonl", "b.jsonl", "--out", "report")

    assert result.exit_code == 2
    assert result.stderr == "error: no such log: a.jsonl\nno such log: b.jsonl\n"
    assert not (tmp_path / "report").exists()


def test_a_faulty_pack_is_told_with_its_lines_and_no_traceback(tmp_path: Path) -> None:
    """The same text wherever a pack is loaded."""
    broken_pack(tmp_path)
    (tmp_path / "log.jsonl").write_text("{}\n")

    result = kairos("replay", "log.jsonl", "--pack", ".", "--out", "report")

    assert result.exit_code == 2
    assert "pack.yaml:3 expected a zone of the IANA database, got 'Asia/Nowhere' [BAD_ZONE]" in result.stderr
    assert "Traceback" not in result.output


def test_faulty_settings_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its variable."""
    monkeypatch.setenv("KAIROS_CHUNK", "none")
    monkeypatch.setenv("KAIROS_BROKRS", "x:1")

    result = kairos("settings")

    assert result.exit_code == 2
    assert "KAIROS_CHUNK" in result.stderr
    assert "did you mean 'KAIROS_BROKERS'?" in result.stderr


def test_a_failed_delivery_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A script can tell a broker that failed from a wrong option."""
    (tmp_path / "log.jsonl").write_text("{}\n")

    def failing(*_: object, **__: object) -> None:
        raise DeliveryError("3 records were not acknowledged")

    monkeypatch.setattr("stream.shell.kafka.publish.publish", failing)
    result = kairos("publish", "log.jsonl")

    assert (result.exit_code, result.stderr) == (70, "error: 3 records were not acknowledged\n")


# Simulate


def test_simulate_writes_the_same_bytes_however_they_are_packed() -> None:
    """Plain, gzip, Zstandard and stdout; twice the same file."""
    plain = kairos("simulate", "-n", "3", "-d", "5", "--seed", "4").stdout_bytes
    for ending in ("jsonl", "jsonl.gz", "jsonl.zst"):
        assert kairos("simulate", "-n", "3", "-d", "5", "-s", "4", "--out", f"a.{ending}").exit_code == 0
        kairos("simulate", "-n", "3", "-d", "5", "-s", "4", "--out", f"b.{ending}")

        assert Path(f"a.{ending}").read_bytes() == Path(f"b.{ending}").read_bytes()

    assert plain.startswith(b'{"specversion":"1.0"')
    assert Path("a.jsonl").read_bytes() == plain
    assert gzip.decompress(Path("a.jsonl.gz").read_bytes()) == plain
    with Path("a.jsonl.zst").open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file).read() == plain
    assert not list(Path().glob("*.part"))


def test_simulate_says_where_it_cannot_write() -> None:
    """A folder that is not there."""
    result = kairos("simulate", "-n", "1", "-d", "1", "--out", "nowhere/log.jsonl")

    assert result.exit_code == 2
    assert "nowhere/log.jsonl" in result.stderr


def test_an_output_nobody_reads_to_the_end_is_no_fault() -> None:
    """`kairos simulate | head -1` ends in peace."""
    code = "from stream.shell.cli import main; main()"
    command = [sys.executable, "-c", code, "simulate", "-n", "300", "-d", "9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (0, b"")


# Packs


def test_lint_passes_the_pack_that_ships() -> None:
    """The default pack is free of faults."""
    result = kairos("lint")

    assert (result.exit_code, result.stdout) == (0, "retail_bank: no faults\n")


def test_lint_says_every_fault_and_answers_no(tmp_path: Path) -> None:
    """Exit code 1: the question was understood, the answer is no."""
    result = kairos("lint", str(broken_pack(tmp_path)))

    assert result.exit_code == 1
    assert result.stdout.startswith("pack.yaml:3 ")
    assert kairos("lint", "no_such_pack").exit_code == 2


def test_test_passes_the_pack_that_ships() -> None:
    """Its scenarios hold."""
    result = kairos("test")

    assert (result.exit_code, result.stderr) == (0, "")
    assert re.search(r"retail_bank: (\d+) of \1 scenarios passed", result.stdout)


def test_test_says_how_a_scenario_differs(tmp_path: Path) -> None:
    """Exit code 1, with file and line."""
    (tmp_path / "pack.yaml").write_text(POINTS)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "double.yaml").write_text(STORY)

    result = kairos("test", ".")

    assert result.exit_code == 1
    assert "double.yaml: 0 of 1 passed" in result.stdout
    assert re.search(r"double\.yaml:\d+ one posting: expected points\.double_earned", result.stderr)


def test_a_pack_without_scenarios_does_not_pass(tmp_path: Path) -> None:
    """Nothing was shown."""
    (tmp_path / "pack.yaml").write_text(POINTS)

    assert kairos("test", ".").exit_code == 1


POINTS = """\
name: one
version: 1
zone: Asia/Shanghai
currency: CNY
rules:
  points:
    mechanism: count
    inputs: [{on: points.accrued}]
    period: month
    targets: [{moment: earned, number: 2}]
    emits:
      earned:
        type: points.double_earned
        topic: points
        purpose: service
        talk_track: points
        zh: "{count}"
        en: "{count}"
"""
STORY = """\
scenarios:
  - name: one posting
    events:
      - {type: points.accrued, at: "2026-01-05 09:30", data: {points: 3, balance: 3}}
    until: "2026-01-06 00:00"
    expect: [{type: points.double_earned, at: "2026-01-05 09:30"}]
"""


# Settings


def test_settings_shows_values_and_hides_the_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A setting of the file is shown as set; a password never."""
    (tmp_path / "kairos.toml").write_text("chunk = 17\n")
    monkeypatch.setenv("KAIROS_SASL_PASSWORD", "secret-word")

    result = kairos("--config", "kairos.toml", "settings")

    assert result.exit_code == 0
    assert re.search(r"KAIROS_CHUNK\s+17\s+4000", result.stdout)
    assert "secret-word" not in result.output


# What Kafka commands print


def test_a_ledger_says_where_to_read_on() -> None:
    """The only field of it that a snapshot asks for."""
    assert kafka.position(b'{"next": 1188, "order": "w"}') == 1188


def test_tail_speaks_in_sentences() -> None:
    """A trigger, a refusal, a dead letter."""
    message = {"reason_text_zh": "因为", "reason_text_en": "because"}
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"T1"),
        ("ce_type", b"tier.upgraded.v1"),
        ("ce_subject", b"C1"),
        ("ce_time", b"2026-01-05T01:30:00.000Z"),
    ]
    fired = to_line(b"C1", headers, json.dumps({"message": message}).encode())
    refused = {"message": message, "trigger_type": "tier.upgraded", "reasons": ["COOLDOWN", "EXPIRED"]}
    errors = {"code": "NOT_JSON", "path": "$", "text": "expected JSON", "topic": "in.txn", "partition": "3", "offset": "7"}
    suppressed = to_line(b"C1", headers, json.dumps(refused).encode())
    null: Any = ("trace", None)
    dead = to_line(None, [null, *((f"__kairos.errors.{name}", text.encode()) for name, text in errors.items())], b"{")

    assert tail.sentence(fired) == "2026-01-05T01:30:00.000Z  tier.upgraded  C1  因为"
    assert "tier.upgraded suppressed (COOLDOWN, EXPIRED)" in tail.sentence(suppressed)
    assert tail.sentence(dead) == "in.txn/3/7  NOT_JSON  $  expected JSON"


def test_tail_names_the_topics_of_a_family() -> None:
    """One, all, or those beside the triggers."""
    assert tail.topics_of("tier") == ["out.trigger.tier"]
    assert tail.topics_of("dlq") == ["dlq"]
    assert len(tail.topics_of(None)) == len(FAMILIES)


def test_progress_is_plain_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line every few seconds, with the share where the whole is known."""
    now = [0.0]
    monkeypatch.setattr("stream.shell.cli.meter.time.monotonic", lambda: now[0])
    told = Plain("replay", 1000)
    told.at(5, 10)
    now[0] = 10.0
    told.at(100, 250)
    told.at(101, 251)

    assert capsys.readouterr().err == "replay: 100 lines (25%), 10/s\n"
