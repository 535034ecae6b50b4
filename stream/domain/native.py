"""What stands beside the Python where the core was compiled (`make compiled`).

Rule: an accelerator answers as the Python does, or not at all; from the sources there is none.
"""

from __future__ import annotations

import importlib
from typing import Any


def stamped() -> Any:
    """What ingest does to every record, in C (`deploy/native/stamped.pyx`); None where nothing was compiled."""
    return _found("stream.stamped")


def scan() -> Any:
    """Events read where they stand, in C (`deploy/native/scan.pyx`); None where nothing was compiled."""
    return _found("stream.scan")


def batches() -> Any:
    """Kafka's batches, read and written in C (`deploy/native/batches.pyx`); None where nothing was compiled."""
    return _found("stream.batches")


def visit() -> Any:
    """Visits to rows, in C (`deploy/native/visit.pyx`); None where nothing was compiled."""
    return _found("stream.visit")


def words() -> Any:
    """What outputs say, written in C (`deploy/native/words.pyx`); None where nothing was compiled."""
    return _found("stream.words")


def _found(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
