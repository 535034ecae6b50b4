"""`python -m tests.contract.freeze`: keep what this version publishes. Part of a release, see docs/contributors.md.

A version that CHANGELOG.md still calls unreleased may be frozen again; a released one never.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from stream import __version__
from tests.contract.corpus import FROZEN, SUMS, files, sums

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
HEADING = re.compile(r"^## (\d+\.\d+\.\d+)( \(unreleased\))?", re.MULTILINE)


def released(changelog: str) -> list[str]:
    """Versions that are out.

    >>> released("# Changelog\\n\\n## 0.2.0 (unreleased)\\n\\n## 0.1.0\\n")
    ['0.1.0']
    """
    return [version for version, pending in HEADING.findall(changelog) if not pending]


def freeze(root: Path, version: str, out: list[str]) -> list[str]:
    """Write a version's files; what had changed since it was frozen before.

    Raises SystemExit for a released version of which anything would change.
    """
    contents = files()
    contents[SUMS] = sums(contents)
    where = root / version
    old = {path.relative_to(where).as_posix(): path.read_bytes() for path in where.rglob("*") if path.is_file()}
    changed = sorted(path for path in contents.keys() | old.keys() if contents.get(path) != old.get(path))
    if old and changed and version in out:
        raise SystemExit("\n".join([f"{version} is released, its files stay; raise the version. Changed:", *changed]))
    if changed:
        shutil.rmtree(where, ignore_errors=True)
        for path, content in contents.items():
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            (where / path).write_bytes(content)
    return changed


if __name__ == "__main__":
    written = freeze(FROZEN, __version__, released(CHANGELOG.read_text()))
    sys.stdout.write(f"{__version__}: {len(written)} files written\n")
