"""What the engine answers with: everything that one transaction must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from stream.domain.events import Headers

Counts = Counter[tuple[str, ...]]


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record for the world; `topic` is logical (no deployment prefix)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class Decision(NamedTuple):
    """The consequences of the first `consumed` records, and of a slice of the tick after them if that was large.

    Attributes:
        rows: Changed customer rows and, last, the partition's ledger.
        counts: What happened, by name and labels.
        times: Event times of the triggers among the outputs, UTC ms.
    """

    consumed: int
    outputs: list[Output]
    rows: list[tuple[bytes, bytes | None]]
    counts: Counts
    times: Sequence[int] = ()
