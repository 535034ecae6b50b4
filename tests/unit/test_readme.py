"""Law: what the README shows is what the command prints."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- demo -->\n", "<!-- /demo -->"
COMMAND = ["-c", "from stream.shell.cli import main; main()", "demo", "--customers", "300", "--days", "60", "--seed", "7"]


def shown(text: str) -> str:
    """Lines as the README has them: without the rate, which differs from run to run, and up to the files."""
    lines = [line.rstrip() for line in text.splitlines()]
    end = lines.index("Files")
    return "\n".join(line for line in lines[:end] if "events/s" not in line).strip("\n")


def printed(out: Path) -> str:
    """What the command prints now, as the README has it."""
    environment = {**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, *COMMAND, "--out", str(out)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return f"```text\n{shown(said)}\n```\n"


def test_readme_shows_what_demo_prints(tmp_path: Path) -> None:
    """The block between the marks, byte for byte; `make readme` writes it anew."""
    block = README.read_text().partition(BEGIN)[2].partition(END)[0]

    assert block == printed(tmp_path)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(before + BEGIN + printed(Path(where)) + END + rest.partition(END)[2])
