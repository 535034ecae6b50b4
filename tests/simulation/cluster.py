"""One run: a broker, a bank, a fleet with its supervisor, the planned faults; then healed, and left until all is decided.

outcome = Run(planned(7)).live()
faults = checks.broken(outcome)
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from random import Random

import msgspec
from faust.types import TP

from stream.domain.events import Order
from stream.engine.partition import LEDGER, Partition
from stream.shell.kafka.plan import Plan, SourceTopic
from stream.shell.kafka.stamping import SO_FAR
from stream.shell.kafka.topics import DEAD, JOURNAL, OUTPUTS, STATE
from stream.wire.instants import Instants
from stream.wire.registry import SOURCES
from tests.simulation.bank import PARTITIONS, Bank
from tests.simulation.broker import Broker, Log, aborted
from tests.simulation.faults import Faults
from tests.simulation.group import Group
from tests.simulation.host import Member, apart, spawn
from tests.simulation.loop import OUTSIDE, Loop, Process
from tests.simulation.network import Network, Trouble
from tests.simulation.packs import ENGINES
from tests.simulation.scenario import SECONDS, Scenario

JOURNALS = 3
BASE = Instants().parse("2026-01-05T00:00:00Z")
PACE = 3000
"""Milliseconds of the day that pass in a virtual millisecond: a run sees a day or two."""
SESSION = 3.0
PATIENCE = 90.0
"""Virtual seconds after healing within which everything must be decided."""
MOST_STEPS = 3_000_000
LOOK = 0.25


class Slot:
    """A place for a worker: the supervisor starts a new process in it when the last one has ended."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wanted = True
        self.process: Process | None = None
        self.member: Member | None = None
        self.network: Network | None = None


class Run:
    """The simulation of one scenario.

    Attributes:
        seen: What happened, by name: the coverage.
        hits: Number of faults that did happen.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = Random(f"run {scenario.seed}")
        self.loop = Loop(self.random)
        self.jumped = 0
        self.broker = Broker(self.loop, self.random, self.utc)
        for topic in SOURCES:
            self.broker.create(topic, PARTITIONS.get(topic, 1), watched=True)
        self.broker.create(JOURNAL, JOURNALS, watched=True)
        for topic in (STATE, DEAD, *OUTPUTS):
            self.broker.create(topic, JOURNALS)
        self.group = Group(self.loop, self._consumed, SESSION, 5.0)
        self.bank = Bank(self.broker, Random(f"bank {scenario.seed}"), scenario.recorded)
        self.slots = [Slot(f"w{number}") for number in range(scenario.workers)]
        self.pack = "d"
        self.drop = 0
        self.seen: Counter[str] = Counter({"an old log": 1} if scenario.recorded else ())
        self.hits = 0
        self.backwards = False
        self.swapped = False
        self.healed = False
        self.stuck = ""

    def utc(self) -> int:
        """The broker's time of day, UTC ms."""
        return BASE + int(self.loop.time() * 1000) * PACE + self.jumped

    def live(self) -> Run:
        """Let it happen."""
        OUTSIDE.copy().run(self.loop.run, self._live(), MOST_STEPS)
        return self

    async def _live(self) -> None:
        events = [self.loop.create_task(self._events()), self.loop.create_task(self._supervise())]
        faults = Faults(self)
        for fault in self.scenario.faults:
            self.loop.call_at(fault.at, self.loop.after, fault.steps, functools.partial(faults.happen, fault))
        await asyncio.sleep(SECONDS + 0.1)
        await events[0]
        since = self.utc()
        self._heal()
        deadline = self.loop.time() + PATIENCE
        while not self._done(since):
            if self.loop.time() > deadline:
                self.stuck = self._where()
                break
            await asyncio.sleep(0.05)
        for slot in self.slots:
            if slot.process is not None:
                slot.process.end(-9)
        await asyncio.sleep(0.1)
        if self.group.rebalances > 1:
            self.saw("rebalance")
        if any(state.refused for state in self.broker.coordinators.values()):
            self.saw("write of a zombie refused")

    async def _events(self) -> None:
        gap = SECONDS / self.scenario.events
        random = Random(f"pace {self.scenario.seed}")
        for _ in range(self.scenario.events):
            await asyncio.sleep(random.expovariate(1 / gap) if random.random() < 0.9 else 0.0)
            self.bank.send()
            if random.random() < 0.05:
                self.bank.mark(SO_FAR)

    # The fleet

    async def _supervise(self) -> None:
        while True:
            for slot in self.slots:
                ended = slot.process is None or slot.process.code is not None
                if ended and slot.wanted:
                    if slot.process is not None:
                        self.seen[f"ended with {slot.process.code}"] += 1
                    self._start(slot)
            await asyncio.sleep(LOOK + self.random.random())

    def _start(self, slot: Slot) -> None:
        slot.process = Process(slot.name)
        slot.network = Network(self.broker, self.group, slot.process, self.hit)
        plan, engine = self.plan(slot.name if self.scenario.static else None), ENGINES[self.pack]
        work = functools.partial(spawn, slot.network, plan, functools.partial(Partition, engine), self._drops, self.saw)
        slot.member = apart(work)

    def _drops(self) -> bool:
        if self.drop:
            self.drop -= 1
            self.hit("a span lost by the framework")
            return True
        return False

    def hit(self, what: str) -> None:
        """A fault has happened."""
        self.hits += 1
        self.saw(what)

    def saw(self, what: str) -> None:
        """This happened."""
        self.seen[what] += 1

    def plan(self, instance: str | None) -> Plan:
        """The deployment, small and quick."""
        order = Order.RECORDED if self.scenario.recorded else Order.WALL
        return Plan(
            app_id="kairos",
            sources=tuple(SourceTopic(topic, topic, 0, order) for topic in SOURCES),
            partitions=JOURNALS,
            instance_id=instance,
            chunk=12,
            commit_interval=0.5,
            session_timeout=SESSION,
            transaction_timeout=4.0,
            stuck_after=12.0,
            tick_interval=0.7,
            tick_margin=0,
            sample_interval=0.4,
            idle_after=2.0,
        )

    def _consumed(self) -> list[TP]:
        return [TP(topic, n) for topic in (*SOURCES, JOURNAL) for n in range(len(self.broker.topics[topic]))]

    # The end

    def _heal(self) -> None:
        self.healed = True
        self.bank.end()
        for slot in self.slots:
            if slot.process is not None:
                slot.process.paused = False
            if slot.network is not None:
                slot.network.trouble = Trouble(self.hit)
        self.slots[0].wanted = True
        self.drop = 0

    def _done(self, since: int) -> bool:
        """Every source record journaled, a tick past the end proven for each source, all of the journal decided."""
        for topic in SOURCES:
            for number, log in enumerate(self.broker.topics[topic]):
                at = self.group.offsets.get(TP(topic, number))
                if max(at.offset if at else 0, log.begin) < log.end:
                    return False
        for number, log in enumerate(self.broker.topics[JOURNAL]):
            ledger = self.ledger(number)
            if ledger is None or ledger["next"] != log.end:
                return False
            clock = ledger["clock"]["vector"]
            if any(clock.get(topic, 0) < since for topic in SOURCES):
                return False
        return True

    def ledger(self, number: int) -> dict[str, object] | None:
        """The newest committed ledger of a journal partition."""
        for entry in reversed(self.broker.log(STATE, number).history):
            if entry.key == LEDGER and entry.transaction is not None and entry.transaction.committed:
                found: dict[str, object] = msgspec.json.decode(entry.value or b"")
                return found
        return None

    def _where(self) -> str:
        """Where it stands still."""
        sources = {
            f"{topic}/{n}": (self.group.offsets.get(TP(topic, n)), log.stable, log.end)
            for topic in SOURCES
            for n, log in enumerate(self.broker.topics[topic])
            if (at := self.group.offsets.get(TP(topic, n))) is None or at.offset < log.end
        }
        decided = [(self.ledger(n), log.end) for n, log in enumerate(self.broker.topics[JOURNAL])]
        workers = [(slot.name, slot.wanted, slot.process.code if slot.process else None) for slot in self.slots]
        return f"sources {sources}, journal {decided}, workers {workers}"


def committed(log: Log) -> list[object]:
    """Everything readers of committed records ever saw of a partition."""
    return [entry for entry in log.history if not entry.control and not aborted(entry)]
