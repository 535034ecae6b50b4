"""Rules bound: what a mechanism is told of an event, and what its moments become."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stream.domain.facts import Fact
from stream.engine.clock import RELEASE
from stream.engine.filters import optional
from stream.engine.seen import Seen
from stream.mechanisms.protocol import Mechanism
from stream.packs.spec import Emit
from stream.wire.outputs import TRIGGERS, Part


class Template:
    """A reason text with facts in braces, taken apart once.

    Attributes:
        names: The facts it asks for, in the order of their places.
        parts: Its literals, each with the fact after it; None after the last.
    """

    def __init__(self, text: str) -> None:
        self.parts = tuple((literal, name or None) for literal, name, _, _ in string.Formatter().parse(text))
        self.names = tuple(name for _, name in self.parts if name)
        self._form = "".join(literal.replace("%", "%%") + ("%s" if name else "") for literal, name in self.parts)

    def fill(self, figures: Mapping[str, str]) -> str:
        """The text with figures; there must be one for each name.

        >>> Template("{count} of {target}: 100%").fill({"target": "5", "count": "4"})
        '4 of 5: 100%'
        """
        return self._form % tuple([figures[name] for name in self.names])


class Telling(NamedTuple):
    """What one moment becomes.

    Attributes:
        figures: The facts that the texts ask for, each once.
        details: Fields of the trigger's details, each with the fact that fills it.
    """

    emit: Emit
    zh: Template
    en: Template
    figures: tuple[str, ...]
    struct: type[Part]
    details: tuple[tuple[str, str], ...]


def telling(emit: Emit) -> Telling:
    """Fields are the type's; the pack says which fact fills a field of another name."""
    zh, en, struct = Template(emit.zh), Template(emit.en), TRIGGERS[emit.type]
    figures = tuple(dict.fromkeys(zh.names + en.names))
    details = tuple((field, emit.details.get(field, field)) for field in struct.__struct_fields__)
    return Telling(emit, zh, en, figures, struct, details)


class Bound:
    """One rule of a pack, ready to run.

    Attributes:
        topics: The source topics whose clocks its deadlines wait for.
        released: The same under the recorded clock, where deadlines stand in one order with held events.
        waits: False when nothing of it can ever be due.
        quiet: Whether all its deadlines would pass in silence; None where that cannot be known beforehand.
        keeps: Whether its mechanism has any state.
        place: Its place among the rules that wait.
        amount: The money field that it is told of, if any; `key` and `label` are the fields whose texts it is told.
    """

    __slots__ = (
        "_key",
        "_label",
        "amount",
        "keeps",
        "key",
        "label",
        "mechanism",
        "name",
        "place",
        "quiet",
        "released",
        "slot",
        "tellings",
        "topics",
        "waits",
    )

    def __init__(
        self,
        name: str,
        mechanism: Mechanism,
        tellings: dict[str, Telling],
        topics: tuple[str, ...],
        waits: bool,
        quiet: Callable[[Any, Any], bool] | None,
        amount: str | None,
        key: str | None,
        label: str | None,
    ) -> None:
        self.name, self.slot, self.mechanism = name, f"r_{name}", mechanism
        self.tellings, self.topics, self.waits, self.quiet = tellings, topics, waits, quiet
        self.keeps = bool(mechanism.state.__struct_fields__)
        self.released = (*RELEASE, *topics)
        self.place = 0
        self.amount, self.key, self.label = amount, key, label
        self._key, self._label = optional(key) if key else None, optional(label) if label else None

    def fact(self, seen: Seen, role: int) -> Fact:
        """The event as this rule sees it."""
        amount = seen.amount(self.amount) if self.amount is not None else 0
        key = _text(self._key(seen.data)) if self._key is not None else ""
        label = _text(self._label(seen.data)) if self._label is not None else ""
        event = seen.event
        return Fact(role, event.at, seen.day, amount, key, label, event.origin)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
