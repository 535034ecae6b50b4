"""Who listens to an event: the features and rules of a pack whose conditions it meets.

Rule: conditions read codes of few values, so events of the same codes have the same listeners: these are found once and
remembered. What a thousand rules make of an event then costs one look, and more only for those that it concerns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from stream.engine.filters import Condition, asked, questions
from stream.engine.rules import Bound
from stream.engine.seen import Seen

MOST = 4096
"""Answers remembered for one event type; a pack that asks for free text only learns anew more often."""

Fold = Callable[[Any, Seen], None]


class Tap(NamedTuple):
    """One input of a feature: the fold of the events that meet the condition. Of several the first that is met counts."""

    condition: Condition
    fold: Fold


class Listener(NamedTuple):
    """One input of a rule: the role an event plays that meets the condition. Of several all count."""

    condition: Condition
    role: int


Taps = tuple[tuple[str, tuple[Tap, ...]], ...]
"""By slot of a feature, its inputs."""
Listeners = tuple[tuple[Bound, tuple[Listener, ...]], ...]
"""By rule, its inputs."""


class Heard(NamedTuple):
    """What concerns itself with an event: folds by slot, and rules with the event's role in them."""

    folds: tuple[tuple[str, Fold], ...]
    rules: tuple[tuple[Bound, int], ...]


class Audience:
    """The listeners to one event type.

    Attributes:
        asked: What decides who they are (`filters.asked`).
    """

    def __init__(self, taps: Taps, rules: Listeners) -> None:
        self._taps, self._rules = taps, rules
        heard = [tap.condition for _, some in self._taps for tap in some]
        heard += [listener.condition for _, some in self._rules for listener in some]
        self.asked = asked(heard)
        self.answers = questions(*self.asked)
        self._known: dict[Any, Heard] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, data: Any) -> Heard:
        """Those whom a payload concerns."""
        answers = self.answers(data)
        found = self._known.get(answers)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()
            found = self._known[answers] = self._found(data)
        return found

    def _found(self, data: Any) -> Heard:
        folds = []
        for slot, taps in self._taps:
            folds += [(slot, tap.fold) for tap in taps if tap.condition.holds(data)][:1]
        rules = []
        for rule, listeners in self._rules:
            role = 0
            for listener in listeners:
                role |= listener.role if listener.condition.holds(data) else 0
            if role:
                rules.append((rule, role))
        return Heard(tuple(folds), tuple(rules))
