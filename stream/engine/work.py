"""What a chunk brings about while it is worked on: outputs and counts, in the order they came."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import NamedTuple

from stream.domain.events import Coordinates, Headers, JournalRecord, Reject
from stream.engine.binding import Plan
from stream.engine.customer import States
from stream.engine.decision import Counts, Output
from stream.engine.payload import Candidate, Speaker
from stream.policy.contact import Verdict
from stream.wire.encode import Writer, dead_headers
from stream.wire.outputs import SUPPRESSED, topic_of

_PLACE = itemgetter(0)


class Trace(NamedTuple):
    """One line of the story that `kairos explain` tells."""

    subject: str
    rule: str
    what: str
    detail: str


class Work:
    """Collects; one per chunk.

    Attributes:
        place: Of the journal record that is worked on, within the chunk.
    """

    def __init__(self, plan: Plan, speaker: Speaker, writer: Writer, traces: list[Trace] | None = None) -> None:
        self.plan = plan
        self.place = 0
        self._said: list[tuple[int, Output, int | None]] = []
        self._tally: list[tuple[str, ...]] = []
        self.counts: Counts = Counter()
        self._speaker, self._writer, self._traces = speaker, writer, traces

    @property
    def outputs(self) -> list[Output]:
        """In the order of the records that caused them, whatever order these were worked on in."""
        return [output for _, output, _ in sorted(self._said, key=_PLACE)]

    @property
    def times(self) -> list[int]:
        """Event times of the triggers, UTC ms."""
        return [at for _, _, at in self._said if at is not None]

    def _say(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, at: int | None = None) -> None:
        self._said.append((self.place, Output(topic, key, value, headers), at))

    @property
    def mark(self) -> tuple[int, int]:
        """How much was said and counted of it so far, for `undo`."""
        return len(self._said), len(self._tally)

    def undo(self, mark: tuple[int, int]) -> None:
        """Nothing has been said since."""
        said, tally = mark
        self.counts -= Counter(self._tally[tally:])
        del self._said[said:], self._tally[tally:]

    def _count(self, *what: str) -> None:
        self.counts[what] += 1
        self._tally.append(what)

    def emit(self, customer: States, made: Candidate, verdicts: tuple[Verdict, ...]) -> None:
        """The candidate is a trigger."""
        envelope, data = self._speaker.trigger(customer.subject, made, verdicts)
        kind = made.proposal.type
        self._say(topic_of(kind), customer.subject.encode(), data, self._writer.headers(envelope), made.signal.at)
        self._count("candidate", made.rule)
        self._count("trigger", made.rule, kind)
        self.trace(customer, made.rule, "trigger", made.id)

    def suppress(self, customer: States, made: Candidate, verdicts: tuple[Verdict, ...]) -> None:
        """A gate refused the candidate."""
        envelope, data = self._speaker.suppressed(customer.subject, made, verdicts)
        self._say(topic_of(SUPPRESSED), customer.subject.encode(), data, self._writer.headers(envelope))
        self._count("candidate", made.rule)
        for verdict in verdicts:
            if verdict.refusal is not None:
                self._count("suppressed", made.rule, verdict.refusal.value)
        self.trace(customer, made.rule, "suppressed", made.id)

    def bury(self, record: JournalRecord, why: Reject, where: Coordinates | None) -> None:
        """The record is a dead letter: its bytes and headers as they came."""
        self._say("dlq", record.key, record.value, dead_headers(record.headers, why, "decide", where))
        self.counts["outcome", "dead"] += 1
        self.counts["rejected", why.code.value] += 1

    def trace(self, customer: States, rule: str, what: str, detail: str) -> None:
        """Remember, if somebody asked to be told."""
        if self._traces is not None:
            self._traces.append(Trace(customer.subject, rule, what, detail))
