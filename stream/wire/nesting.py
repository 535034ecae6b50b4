"""How deep JSON may be nested: a fixed number, so that no call stack decides what can be read.

Rule: asked before anything is parsed, since parsers give up at a depth that depends on who called them.
"""

from __future__ import annotations

import re

DEEPEST = 64
"""Levels of nesting in a payload."""
ENVELOPE = 500
"""In a structured event, attributes that are passed over included: well before a parser gives up, whoever calls it."""
_MARKS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def too_deep(text: bytes, most: int = DEEPEST) -> bool:
    """Whether more tables and lists than ``most`` lie within each other.

    >>> too_deep(b'[{"a": "[[["}]', 2), too_deep(b'[{"a": [0]}]', 2)
    (False, True)
    """
    if text.count(b"[") + text.count(b"{") <= most:
        return False
    level = 0
    for mark in _MARKS.finditer(text):
        first = text[mark.start()]
        if first in b"[{":
            level += 1
            if level > most:
                return True
        elif first in b"]}":
            level -= 1
    return False
