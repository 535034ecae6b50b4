"""Law: what the README shows is what the command prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = ["-c", "from stream.shell.cli import main; main()", "demo", "--customers", "300", "--days", "60", "--seed", "7"]


def shown(text: str) -> str:
    """Lines as the README has them: without the rate, which differs from run to run, and up to the files."""
    lines = [line.rstrip() for line in text.splitlines()]
    end = lines.index("Files")
    return "\n".join(line for line in lines[:end] if "events/s" not in line).strip("\n")


def test_readme_shows_what_demo_prints(tmp_path: Path) -> None:
    """The block between the marks, byte for byte."""
    environment = {**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, *COMMAND, "--out", str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    block = (ROOT / "README.md").read_text().partition("<!-- demo -->\n")[2].partition("<!-- /demo -->")[0]

    assert block == f"```text\n{shown(said)}\n```\n"
