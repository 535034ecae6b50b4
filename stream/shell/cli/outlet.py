"""Where a log is written: a file whose ending decides how it is packed, or stdout.

Rule: the same lines give the same bytes, packed or not.
Delivery: a file bears its name only when it is whole; until then it is called ``NAME.part``.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    # a device or a pipe is written as it is
    special = Path(path).exists() and not Path(path).is_file()
    part = Path(path if special else path + ".part")
    try:
        with opened(part, path) as file, packed(file, path) as writer:
            yield writer
        part.replace(path)
    except BaseException:
        if not special:
            part.unlink(missing_ok=True)
        raise


def opened(part: Path, path: str) -> BinaryIO:
    """The file itself. Raises ConfigError with the name that was given."""
    try:
        return part.open("wb", buffering=1 << 20)
    except OSError as error:
        raise ConfigError(f"expected a place to write to, got {type(error).__name__} at {path}") from error


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
