"""What a person wrote in a settings file: its text, its table, the line of a fault, the word that was meant.

Rule: a fault names its file and line, and the nearest known word.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stream.domain.errors import ConfigError


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a message: the nearest known word, or nothing.

    >>> did_you_mean("brokrs", ["brokers", "pack"])
    "; did you mean 'brokers'?"
    """
    near = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def read(path: Path) -> str:
    """Text of the file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def parsed(text: str, path: Path) -> dict[str, Any]:
    """The file's table."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def line_of(key: str, text: str) -> int:
    """The line of a TOML file where a key or a table of that name begins; 1 when it cannot be told."""
    start = re.compile(rf"\s*(\[\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\].]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if start.match(line)), 1)
