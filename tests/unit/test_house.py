"""Laws of the house that no tool holds: the core in C meets no clock either, which the import contracts do not see; no code is
made of text."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPORTED = re.compile(r"^\s*(?:from|import)\s+(\w+)", re.MULTILINE)
CORE = [path for path in sorted((ROOT / "deploy" / "native").glob("*.p[yx][xd]")) if path.stem != "batches"]
"""Batches are of the transport: they know the client, and the clock of its errors."""


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.name)
def test_the_core_in_c_meets_no_clock_environment_or_socket(path: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [forbidden] = [each["forbidden_modules"] for each in contracts if each["type"] == "forbidden"]
    found = set(IMPORTED.findall(path.read_text()))

    assert {"time", "os", "socket"} < set(forbidden)
    assert found & set(forbidden) == set()


def test_the_law_reads_what_it_is_about() -> None:
    """A clock that is imported would be seen."""
    assert {"visit", "rules", "folds"} <= {path.stem for path in CORE}
    assert IMPORTED.findall("import sys\ncimport cython\nfrom time import monotonic\n    import os\n") == ["sys", "time", "os"]


def test_no_code_is_made_of_text() -> None:
    """Neither in the package nor by what is built from it: what runs is what was reviewed."""
    made = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("stream", "deploy")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("exec", "eval", "compile")
    ]

    assert made == []
