"""Headers as only a careless client sends them."""

from __future__ import annotations

from typing import Any


class Name(str):
    """A header's name whose bytes on the wire need not be text."""

    raw: bytes

    def __new__(cls, raw: bytes) -> Name:
        made = super().__new__(cls, raw.decode("latin-1"))
        made.raw = raw
        return made

    def encode(self, *_: Any) -> bytes:
        """What both clients that are written in Python put on the wire."""
        return self.raw
