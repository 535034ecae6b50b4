"""Where a log is written: a file whose ending decides how it is packed, or stdout.

Rule: the same lines give the same bytes, packed or not.
Delivery: a file bears its name only when it is whole; until then it is called ``NAME.part``.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from stream.domain.errors import ConfigError


@contextmanager
def outlet(path: str | None) -> Iterator[BinaryIO]:
    """Opens it for writing. ``-`` or nothing is stdout; ``.gz`` and ``.zst`` are packed. Raises ConfigError."""
    if path is None or path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(path + ".part")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(part.open("wb", buffering=1 << 20))
        except OSError as error:
            raise ConfigError(f"expected a place to write to, got {type(error).__name__} at {path}") from error
        yield stack.enter_context(packed(file, path))
    part.replace(path)


@contextmanager
def packed(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    """The file as the ending of its name says."""
    if path.endswith(".gz"):
        # neither name nor time in the head: they would make equal logs differ
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packing:
            yield cast(BinaryIO, packing)
    elif path.endswith(".zst"):
        with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as writer:
            yield cast(BinaryIO, writer)
    else:
        yield file
