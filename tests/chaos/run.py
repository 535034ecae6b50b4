"""One chaos run: a broker, a fleet, a paced bank, the faults in a drawn order, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from stream.shell.kafka import topics
from stream.shell.settings import Clock, Settings
from tests.chaos.campaigns import Acts, Campaigns, acts
from tests.chaos.faults import Faults, Fleet, Happened
from tests.chaos.watcher import Arrivals
from tests.integration import cluster
from tests.rig import load
from tests.rig.broker import Broker
from tests.rig.oracle import Verdict, judge

BANK = load.Log(customers=3_000, days=400)
SESSION = 6.0
STOPPED = 1.5 * SESSION
"""Seconds that a zombie is stopped."""
QUIET = 8.0
"""Seconds without faults at the beginning: how long output pauses by itself."""
READERS = {"committed": "read_committed", "uncommitted": "read_uncommitted"}
"""Campaign engines, by what they read."""
OPEN_SHARE = 1 / 3
"""Of the kills that must hit an open transaction."""


class Form(NamedTuple):
    """How much of everything."""

    events: int
    rate: float
    kills: int
    rolls: int
    bounces: tuple[bool, ...]
    scale: bool
    zombies: int


FULL = Form(events=100_000, rate=250.0, kills=21, rolls=5, bounces=(True, False), scale=True, zombies=2)
SHORT = Form(events=8_000, rate=250.0, kills=4, rolls=0, bounces=(False,), scale=False, zombies=0)


class Outcome(NamedTuple):
    """What a run was, and what is wrong with it; nothing when it is good."""

    verdict: Verdict
    happened: list[Happened]
    ended: list[tuple[str, int, str]]
    events: int
    aborted: int
    seconds: float
    quiet: float
    pauses: dict[str, float]
    acts: dict[str, Acts]
    transaction_timeout: float
    wrong: list[str]


def chaos(form: Form, where: Path, seed: int, say: Callable[[str], None]) -> Outcome:
    """Run it in this directory."""
    broker = Broker(where / "broker")
    broker.start()
    settings = Settings(
        brokers=broker.bootstrap,
        clock=Clock.RECORDED,
        journal_partitions=4,
        session_timeout=SESSION,
        replication_factor=1,
        watchdog=20.0,
    )
    topics.create(settings, load.PARTITIONS)
    fleet = Fleet(settings, where)
    campaigns = {name: Campaigns(settings, where, name, isolation) for name, isolation in READERS.items()}
    try:
        return _suffer(form, settings, fleet, campaigns, broker, seed, say)
    finally:
        for one in campaigns.values():
            one.destroy()
        fleet.calm()
        fleet.destroy()
        broker.stop()


def _suffer(
    form: Form,
    settings: Settings,
    fleet: Fleet,
    campaigns: dict[str, Campaigns],
    broker: Broker,
    seed: int,
    say: Callable[[str], None],
) -> Outcome:
    for name in ("a", "b"):
        fleet.start(name)
    fleet.shared()
    ear = Arrivals(settings)
    ear.start()
    bank = load.Load(settings, BANK.lines(), form.rate, form.events)
    bank.start()
    began = time.monotonic()
    faults = Faults(settings, fleet, broker, say)
    time.sleep(QUIET)
    quiet = ear.longest_pause(began + QUIET / 2, began + QUIET)
    for fault in drawn(form, faults, fleet, Random(seed)):
        assert bank.is_alive(), f"the bank's log is over before the faults: {bank.failed}"
        fault()
    last = bank.end()
    say(f"the bank has sent {bank.count} events; waiting until all is decided")
    cluster.decided(settings, cluster.end_of_log(last.at), patience=240)
    fleet.calm()
    fleet.up()
    codes = fleet.terminate()
    seconds = time.monotonic() - began
    ear.over.set()
    ear.join()
    say("judging")
    verdict, told = judge(settings, BANK, bank.count)
    acted = {name: acts(one, told) for name, one in campaigns.items()}
    pauses = longest(faults.happened, ear)
    wrong = faulty(form, verdict, faults.happened, bank, settings.transaction_timeout, pauses)
    wrong += [f"campaign engine reading {name}: {one}" for name, one in acted.items() if not one.good]
    wrong += [f"worker {name} ended with {code} when asked to" for name, code in codes.items() if code]
    return Outcome(
        verdict, faults.happened, fleet.ended, bank.count, bank.aborted, seconds, quiet, pauses,
        acted, settings.transaction_timeout, wrong,
    )  # fmt: skip


def drawn(form: Form, faults: Faults, fleet: Fleet, random: Random) -> Iterator[Callable[[], None]]:
    """The faults in a drawn order; the rescale goes around some of the kills."""

    def kill(held: bool) -> Callable[[], None]:
        return lambda: faults.kill(random.choice(sorted(fleet.processes)), held)

    some: list[Callable[[], None]] = [kill(number % 2 == 0) for number in range(form.kills)]
    some += [faults.roll] * form.rolls
    some += [lambda gently=gently: faults.bounce(gently) for gently in form.bounces]  # type: ignore[misc]
    some += [lambda: faults.zombie(random.choice(sorted(fleet.processes)), STOPPED)] * form.zombies
    random.shuffle(some)
    if form.scale:
        third = len(some) // 3
        some[third:third] = [lambda: faults.scale(("a", "b", "c", "d"))]
        some[2 * third + 1 : 2 * third + 1] = [lambda: faults.scale(("a", "b"))]
    return iter(some)


def longest(happened: list[Happened], ear: Arrivals) -> dict[str, float]:
    """The longest pause of output after each kind of fault, seconds."""
    pauses: dict[str, float] = {}
    for one in happened:
        kind = f"{one.kind}, transaction open" if one.held and one.kind == "SIGKILL" else one.kind
        pauses[kind] = max(pauses.get(kind, 0.0), ear.longest_pause(one.start, one.end + 1.0))
    return pauses


def faulty(
    form: Form, verdict: Verdict, happened: list[Happened], bank: load.Load, timeout: float, pauses: dict[str, float]
) -> list[str]:
    """Everything that is not as it must be."""
    kills = [one for one in happened if one.kind == "SIGKILL"]
    counted = [one for one in kills if one.lag]
    opened = [one for one in counted if one.held]
    wrong = [] if verdict.good else [f"wrong: {verdict}"]
    if len(counted) < form.kills - 1:
        wrong.append(f"{len(counted)} of {len(kills)} kills had lag")
    if len(opened) < OPEN_SHARE * len(kills):
        wrong.append(f"{len(opened)} of {len(kills)} kills hit an open transaction")
    if bank.count < form.events or not bank.aborted:
        wrong.append(f"{bank.count} events, {bank.aborted} upstream transactions aborted")
    # while the broker itself is away nobody reads anything: how long it takes to come back is the machine's affair
    held = {kind: pause for kind, pause in pauses.items() if not kind.startswith("broker")}
    wrong += [f"{kind}: output paused {pause:.0f} s" for kind, pause in held.items() if pause > timeout]
    return wrong
