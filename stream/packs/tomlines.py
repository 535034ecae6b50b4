"""Where things stand in a TOML text that `tomllib` has already accepted; the library itself keeps no lines.

Rule: this only finds places. It trusts that the text is sound and never judges or converts a value.
"""

from __future__ import annotations

import re
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Where something stands in the data: keys and positions from the top."""
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}\n#]*")
_TEXTS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?"{3,5}',
        r"'''.*?'{3,5}",
        r'"((?:\\.|[^"\\])*)"',
        r"'([^']*)'",
    )
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


def locate(text: str) -> dict[Path, int]:
    """The line of each key and item, by path.

    >>> locate('[[a.b]]\\nc = [\\n 1,\\n 2]\\n')[("a", "b", 0, "c", 1)]
    4
    """
    return _Locator(text).run()


class _Locator:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [place for place, char in enumerate(text) if char == "\n"]
        self._tables: dict[Path, int] = {}
        self._lines: dict[Path, int] = {(): 1}

    def run(self) -> dict[Path, int]:
        base: Path = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            base = self._header() if self._text[self._at] == "[" else self._pair(base)
            self._skip(_SPACE)
        return self._lines

    def _header(self) -> Path:
        """``[table]`` or ``[[array of tables]]``: the path that the pairs after it belong to."""
        line, repeated = self._line(), self._text.startswith("[[", self._at)
        self._at += 2 if repeated else 1
        keys = self._keys()
        self._at += 2 if repeated else 1
        path: Path = ()
        for place, key in enumerate(keys):
            path = (*path, key)
            self._lines.setdefault(path, line)
            if repeated and place == len(keys) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self._lines.setdefault(path, line)
        return path

    def _pair(self, base: Path) -> Path:
        line, path = self._line(), base
        for key in self._keys():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._at += 1
        self._skip(_BLANK)
        self._value(path)
        return base

    def _keys(self) -> list[str]:
        """A dotted key; stands behind it and its blanks afterwards."""
        keys = []
        while True:
            self._skip(_BLANK)
            bare = _BARE.match(self._text, self._at)
            keys.append(bare[0] if bare else self._quoted())
            self._at = bare.end() if bare else self._at
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _quoted(self) -> str:
        literal = self._text[self._at] == "'"
        found = _TEXTS[3 if literal else 2].match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return found[1] if literal else _ESCAPE.sub(_unescaped, found[1])

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._items(path)
        elif opening == "{":
            self._inline(path)
        else:
            found = next((text for each in _TEXTS if (text := each.match(self._text, self._at))), None)
            self._at = found.end() if found else self._at
            self._skip(_BLANK if found else _PLAIN)

    def _items(self, path: Path) -> None:
        self._at += 1
        place = 0
        while not self._ends("]"):
            self._lines[(*path, place)] = self._line()
            self._value((*path, place))
            place += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while not self._ends("}"):
            self._pair(path)

    def _ends(self, closing: str) -> bool:
        """Skip to the next item, or behind the closing bracket."""
        self._skip(_SPACE)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_SPACE)
        if self._text[self._at] != closing:
            return False
        self._at += 1
        return True

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if code[0] in "uU" and len(code) > 1 else _ESCAPED.get(code, code)
