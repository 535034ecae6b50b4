"""What the engine asks of every mechanism."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from stream.domain.facts import Fact, Read
from stream.domain.triggers import Signal

SILENT: tuple[Signal, ...] = ()
"""No signal: the common answer."""


class Mechanism(Protocol):
    """A frozen policy; the customer's part is a separate `state` that it alone changes."""

    @property
    def state(self) -> type[msgspec.Struct]:
        """Type of the customer's part; its defaults are the state of a customer never seen."""
        ...

    @property
    def moments(self) -> tuple[str, ...]:
        """The moments it can signal, in the order a reader would expect."""
        ...

    def tell(self, state: Any, fact: Fact, read: Read) -> tuple[Signal, ...]:
        """Take a fact in; signals that the fact itself brings."""
        ...

    def due(self, state: Any) -> int:
        """The next deadline, event time in UTC ms; `days.NEVER` when nothing is due."""
        ...

    def fire(self, state: Any, read: Read) -> tuple[Signal, ...]:
        """The next deadline has been proven to have passed: signals as of that instant."""
        ...
