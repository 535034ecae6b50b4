"""What goes wrong, one method a kind. Each says in `seen` that it did happen, which a planned one need not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.domain.days import HOUR, MINUTE
from stream.engine.engine import TICK
from stream.shell.kafka.topics import JOURNAL, STATE
from tests.simulation.broker import Entry, Log
from tests.simulation.scenario import Fault

if TYPE_CHECKING:
    from tests.simulation.cluster import Run

MOST_WORKERS = 4


class Faults:
    """Does to a run what its scenario says."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def happen(self, fault: Fault) -> None:
        """This, as soon as there is a worker that lives; nothing any more once the run is healed."""
        if self._run.healed:
            return
        if self._victim(fault) is None:
            # the supervisor is about to start one
            self._later(0.2, self.happen, fault)
            return
        getattr(self, f"_{fault.kind}")(fault)

    def _saw(self, what: str) -> None:
        self._run.hit(what)

    def _victim(self, fault: Fault) -> Any:
        """A worker that lives, paused or not; None when there is none."""
        alive = [slot for slot in self._run.slots if slot.process is not None and slot.process.code is None]
        return alive[int(fault.draw * len(alive))] if alive else None

    def _later(self, seconds: float, work: Any, *args: Any) -> None:
        self._run.loop.call_later(seconds, work, *args)

    # Workers; there is one that lives

    def _kill(self, fault: Fault) -> None:
        if (slot := self._victim(fault)) is not None:
            busy = any(
                state.open is not None for name, state in self._run.broker.coordinators.items() if name.startswith("kairos")
            )
            self._saw("kill -9" + (" while a transaction is open" if busy else ""))
            slot.process.end(-9)

    def _kill_open(self, fault: Fault) -> None:
        self._victim(fault).network.trouble.plan("kill_open")

    def _stop(self, fault: Fault) -> None:
        self._saw("clean stop")
        self._victim(fault).member.end()

    def _join(self, fault: Fault) -> None:
        from tests.simulation.cluster import Slot

        if len(self._run.slots) == MOST_WORKERS:
            self._stop(fault)
            return
        self._saw("worker joined")
        self._run.slots.append(Slot(f"w{len(self._run.slots)}"))

    def _leave(self, fault: Fault) -> None:
        wanted = [slot for slot in self._run.slots if slot.wanted]
        if len(wanted) == 1:
            self._stop(fault)
            return
        self._saw("worker left for good")
        wanted[-1].wanted = False
        if wanted[-1].member is not None:
            wanted[-1].member.end()

    def _pause(self, fault: Fault) -> None:
        self._freeze(fault, 0.3 + 2 * fault.draw, "pause")

    def _zombie(self, fault: Fault) -> None:
        self._freeze(fault, 4.0 + 4 * fault.draw, "zombie: paused beyond the session")

    def _freeze(self, fault: Fault, seconds: float, what: str) -> None:
        slot = self._victim(fault)
        self._saw(what)
        slot.process.paused = True
        self._later(seconds, setattr, slot.process, "paused", False)

    # The broker as one worker sees it

    def _stall(self, fault: Fault) -> None:
        self._saw("produce stall")
        self._victim(fault).network.trouble.stalled = self._run.loop.time() + 0.5 + 3 * fault.draw

    def _coordinator(self, fault: Fault) -> None:
        """The transaction coordinator is slow, and a worker dies that waits for it: its commit comes after its death."""
        self._saw("commit delivered late")
        run = self._run
        for _ in range(10):
            run.bank.send()
        # some chunks of the burst are on their way by then
        self._later(0.008, setattr, run.broker, "coordinating", run.loop.time() + 2.0 + 3 * fault.draw)
        self._later(0.8, self._kill, fault)

    def _refuse(self, fault: Fault) -> None:
        for slot in self._run.slots:
            if slot.network is not None:
                slot.network.trouble.plan("refuse", 1 + int(3 * fault.draw))

    def _unknown(self, fault: Fault) -> None:
        self._victim(fault).network.trouble.plan("unknown" if fault.draw < 0.5 else "unsure")

    def _slow_commits(self, fault: Fault) -> None:
        self._victim(fault).network.trouble.plan("slow_commits", 1 + int(3 * fault.draw))

    def _blind(self, fault: Fault) -> None:
        self._saw("ticks held back")
        for slot in self._run.slots:
            if slot.network is not None:
                slot.network.trouble.blind = self._run.loop.time() + 1 + 4 * fault.draw

    def _drop(self, fault: Fault) -> None:
        self._run.drop += 1

    # The topics

    def _clean(self, fault: Fault) -> None:
        self._saw("log cleaner")
        for log in self._run.broker.topics[STATE]:
            log.clean()

    def _retain(self, fault: Fault) -> None:
        """What is decided, or committed at its source, may go."""
        self._saw("retention")
        run = self._run
        for number, log in enumerate(run.broker.topics[JOURNAL]):
            ledger: Any = run.ledger(number)
            if ledger is not None:
                log.delete_before(ledger["next"])
        for tp, at in run.group.offsets.items():
            if tp.topic != JOURNAL:
                run.broker.log(*tp).delete_before(at.offset)

    def _grow(self, fault: Fault) -> None:
        """A partition more, to which the bank writes from now on; the group hears of it later."""
        run = self._run
        self._saw("new source partition" + (" of an old log" if run.scenario.recorded else ""))
        log = run.broker.log("in.app", 0)
        run.broker.topics["in.app"].append(Log(run.utc, log._changed))
        self._later(4 * fault.draw, run.group.rebalance)

    def _old_tick(self, fault: Fault) -> None:
        """A zombie writes a tick of a while ago once more."""
        logs = [log for log in self._run.broker.topics[JOURNAL] if any(map(_is_tick, log.history))]
        if logs:
            self._saw("tick doubled")
        for log in logs:
            ticks = [entry for entry in log.history if _is_tick(entry)]
            old = ticks[int(fault.draw * len(ticks))]
            log.append(old.key, old.value, old.headers)

    # What the bank sends, and when

    def _late(self, fault: Fault) -> None:
        self._saw("burst of late events")
        for _ in range(8):
            self._run.bank.event(int((2 + 40 * fault.draw) * HOUR))

    def _retries(self, fault: Fault) -> None:
        self._saw("burst of retries, out of order")
        for _ in range(8):
            self._run.bank.retry()

    def _poison(self, fault: Fault) -> None:
        self._saw("burst of poison")
        for _ in range(8):
            self._run.bank.poison()

    def _jump(self, fault: Fault) -> None:
        self._saw("clock jumps ahead")
        self._run.jumped += int((1 + 30 * fault.draw) * HOUR)

    def _jump_back(self, fault: Fault) -> None:
        self._saw("clock jumps back")
        self._run.backwards = True
        self._run.jumped -= int((1 + 50 * fault.draw) * MINUTE)

    def _swap(self, fault: Fault) -> None:
        """Another pack: worker after worker ends and comes back with it."""
        self._saw("pack swapped")
        run = self._run
        run.swapped = True
        run.pack = "e" if run.pack == "d" else "d"
        for place, slot in enumerate(run.slots):
            if slot.member is not None:
                self._later(place * 1.0, slot.member.end)


def _is_tick(entry: Entry) -> bool:
    return any(name == TICK for name, _ in entry.headers)
