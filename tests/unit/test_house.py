"""Law: what the import contracts say of the core holds for its copies in C, which the contracts do not see."""

from __future__ import annotations

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
