"""The consumer group of the simulated broker: eager rebalances, generations, session timeouts, static members."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from faust.types import TP

from stream.shell.kafka.positions import Committed
from tests.simulation.loop import Loop

CHECK = 0.25


class UnknownMemberError(Exception):
    """The group does not know this member, or not in this generation."""


class Joined(NamedTuple):
    """What a member gets from a completed rebalance."""

    member: str
    generation: int
    assignment: tuple[TP, ...]


class Member:
    """One member as the coordinator knows it."""

    def __init__(self, instance: str | None, now: float) -> None:
        self.instance = instance
        self.beat = now
        self.joining: asyncio.Future[Joined] | None = None
        self.assignment: tuple[TP, ...] = ()


class Group:
    """Members, generations and committed positions."""

    def __init__(self, loop: Loop, partitions: Callable[[], list[TP]], session: float, patience: float) -> None:
        self._loop, self._partitions, self._session, self._patience = loop, partitions, session, patience
        self.members: dict[str, Member] = {}
        self.generation = 0
        self.offsets: dict[TP, Committed] = {}
        self.rebalances = 0
        self._number = 0
        self._preparing_since: float | None = None
        loop.call_later(CHECK, self._check)

    def join(self, instance: str | None, member: str | None) -> asyncio.Future[Joined]:
        """Take part in the next generation, or, as a known static member, at once in this one."""
        answer: asyncio.Future[Joined] = self._loop.create_future()
        old = next((name for name, one in self.members.items() if instance is not None and one.instance == instance), None)
        if old is not None and old != member:
            # the newest process of an instance replaces the others
            known = self.members.pop(old)
            name = self._name()
            self.members[name] = known
            known.beat = self._loop.time()
            if self._preparing_since is None:
                answer.set_result(Joined(name, self.generation, known.assignment))
                return answer
            member = name
        if member is None or member not in self.members:
            member = self._name()
            self.members[member] = Member(instance, self._loop.time())
        one = self.members[member]
        one.joining, one.beat = answer, self._loop.time()
        self.rebalance()
        self._maybe_complete()
        return answer

    def heartbeat(self, member: str, generation: int) -> bool:
        """Whether to join again. Raises UnknownMemberError."""
        self._known(member, generation).beat = self._loop.time()
        return self._preparing_since is not None

    def commit(self, member: str, generation: int, positions: Mapping[TP, Committed]) -> None:
        """Keep positions. Raises UnknownMemberError for a member of another generation."""
        self._known(member, generation).beat = self._loop.time()
        self.offsets.update(positions)

    def leave(self, member: str) -> None:
        """A dynamic member goes in order; a static one just stops to be heard."""
        one = self.members.get(member)
        if one is not None and one.instance is None:
            self._remove(member)

    def rebalance(self) -> None:
        """Everybody shall join anew: there are other partitions now."""
        if self._preparing_since is None:
            self._preparing_since = self._loop.time()

    def _name(self) -> str:
        self._number += 1
        return f"member-{self._number}"

    def _known(self, member: str, generation: int) -> Member:
        one = self.members.get(member)
        if one is None or generation != self.generation:
            raise UnknownMemberError
        return one

    def _remove(self, member: str) -> None:
        del self.members[member]
        self.rebalance()
        self._maybe_complete()

    def _check(self) -> None:
        now = self._loop.time()
        for name, one in list(self.members.items()):
            waits = one.joining is not None and not one.joining.done()
            if not waits and now - one.beat > self._session:
                self._remove(name)
        if self._preparing_since is not None and now - self._preparing_since > self._patience:
            for name in [name for name, one in self.members.items() if one.joining is None]:
                del self.members[name]
            self._maybe_complete()
        self._loop.call_later(CHECK, self._check)

    def _maybe_complete(self) -> None:
        if any(one.joining is None for one in self.members.values()):
            return
        self._preparing_since = None
        self.generation += 1
        self.rebalances += 1
        ordered = sorted(self.members, key=lambda name: (self.members[name].instance or "", name))
        shares: dict[str, list[TP]] = {name: [] for name in ordered}
        for place, tp in enumerate(sorted(self._partitions()) if ordered else ()):
            shares[ordered[(place + self.generation) % len(ordered)]].append(tp)
        for name in ordered:
            one = self.members[name]
            one.assignment, one.beat = tuple(shares[name]), self._loop.time()
            answer, one.joining = one.joining, None
            if answer is not None and not answer.done():
                answer.set_result(Joined(name, self.generation, one.assignment))
