"""The files of ``schemas/``: ``python -m stream.wire.schema OUT_DIR`` writes them all.

Rule: `documents` is pure and says every file and its bytes; only the command at the bottom touches a disk.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from stream import __version__
from stream.wire import asyncapi, examples, jsonschema
from stream.wire.outputs import SUPPRESSED, TRIGGERS
from stream.wire.registry import MAJOR, REGISTRY


def documents() -> dict[str, bytes]:
    """Every file below ``schemas/``, by its relative path."""
    made: dict[str, Any] = {
        "asyncapi.json": asyncapi.document(__version__),
        f"envelope{MAJOR}.json": jsonschema.envelope(),
        f"dead_letter{MAJOR}.json": jsonschema.dead_letter(),
        "examples/lines.json": examples.refused_lines(),
        f"triggers/{SUPPRESSED}{MAJOR}.json": jsonschema.suppressed(),
    }
    for name, entry in REGISTRY.items():
        made[f"events/{name}{MAJOR}.json"] = jsonschema.event(entry)
        made[f"examples/events/{name}{MAJOR}.json"] = examples.events(entry)
    for kind in TRIGGERS:
        made[f"triggers/{kind}{MAJOR}.json"] = jsonschema.trigger(kind)
    for kind in (*TRIGGERS, SUPPRESSED):
        made[f"examples/triggers/{kind}{MAJOR}.json"] = examples.triggers(kind)
    return {path: orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n" for path, content in sorted(made.items())}


def write(out: Path) -> int:
    """Write every document and remove what is no longer one; says how many there are."""
    found = documents()
    for old in out.rglob("*.json"):
        if old.relative_to(out).as_posix() not in found:
            old.unlink()
    for path, content in found.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return len(found)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m stream.wire.schema OUT_DIR")
    print(f"{write(Path(sys.argv[1]))} files")
