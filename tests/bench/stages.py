"""The stages an event goes through, by the files that do the work: what costs are told by.

Rule: the first stage that fits has a file; what fits none is the rest.
"""

from __future__ import annotations

from pathlib import Path

STAGES = {
    "encode": ("wire/encode", "wire/outputs", "engine/payload", "engine/messages"),
    "decode": ("wire/", "shell/logfile"),
    "fold": ("features/", "engine/folding", "engine/floating", "domain/"),
    "mechanisms": ("mechanisms/", "engine/rules", "engine/filters"),
    "gates": ("policy/",),
    "state": ("engine/row", "engine/customer", "engine/seen"),
    "drive": ("engine/", "shell/replay"),
}
"""Files of the package by stage; the first that fits has it."""
REST = "rest"


def stage(file: str) -> str:
    """The stage that a file belongs to.

    >>> stage("/any/where/stream/policy/contact.py"), stage("/any/where/json/decoder.py")
    ('gates', 'rest')
    """
    path = Path(file).as_posix().rpartition("/stream/")[2]
    return next((name for name, parts in STAGES.items() if path.startswith(parts)), REST)
