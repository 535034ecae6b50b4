"""A signal becomes a candidate, and a candidate the bytes of a trigger or of a suppressed one."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from stream import __version__
from stream.domain.money import exponent
from stream.domain.native import words
from stream.domain.reasons import Refusal
from stream.domain.triggers import Condition, Signal
from stream.engine.binding import Plan
from stream.engine.customer import States
from stream.engine.folding import Reading
from stream.engine.messages import Figures
from stream.engine.rules import Bound, Telling
from stream.policy.contact import Proposal, Verdict
from stream.wire import outputs
from stream.wire.encode import Envelope, details_value, payload, stamp, suppressed_id, trigger_id


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A signal the pack speaks of, with everything known before the gates are asked."""

    rule: str
    telling: Telling
    signal: Signal
    proposal: Proposal
    id: str
    readings: tuple[Reading, ...]


def candidate(plan: Plan, rule: Bound, customer: States, signal: Signal) -> Candidate | None:
    """The candidate of a signal; None when the pack gives its moment no words."""
    telling = rule.tellings.get(signal.moment)
    if telling is None:
        return None
    emit = telling.emit
    proposal = Proposal(emit.type, emit.topic, emit.purpose == "sales", signal.key, signal.at, emit.cooldown, emit.expires)
    # a trigger at a date's close shows that date: its instant is the first of the next
    day = plan.calendar.day(signal.at - 1)
    readings = tuple([customer.reading(feature, day, signal.at) for feature in emit.evidence])
    ident = trigger_id(emit.type, customer.subject, signal.key)
    return Candidate(rule.name, telling, signal, proposal, ident, readings)


class Speaker:
    """Writes payloads for one pack."""

    def __init__(self, plan: Plan) -> None:
        self._ccy = plan.spec.currency
        self._figures = Figures(plan.calendar, exponent(self._ccy))
        self._lineage = outputs.Lineage(pack=plan.spec.name, pack_digest=plan.digest, engine=__version__)
        native = words()
        self._native = native and native.Teller(self._ccy, self._figures, self._lineage, _gates)

    def trigger(self, subject: str, made: Candidate, verdicts: tuple[Verdict, ...]) -> tuple[Envelope, bytes]:
        """Envelope and data of a trigger."""
        episode = _episode_id(subject, made)
        return _envelope(made.id, made.proposal.type, subject, made, episode), self._data({}, subject, made, verdicts, episode)

    def suppressed(self, subject: str, made: Candidate, verdicts: tuple[Verdict, ...]) -> tuple[Envelope, bytes]:
        """Envelope and data of what did not become a trigger."""
        episode = _episode_id(subject, made)
        ident = suppressed_id(made.id, subject, made.rule, made.signal.at, made.signal.origins)
        head = {"trigger_type": made.proposal.type, "trigger_id": made.id, "reasons": _reasons(verdicts)}
        envelope = _envelope(ident, outputs.SUPPRESSED, subject, made, episode)
        return envelope, self._data(head, subject, made, verdicts, episode)

    def _data(self, head: dict[str, Any], subject: str, made: Candidate, verdicts: tuple[Verdict, ...], episode: str) -> bytes:
        """With the fields of its head it is a `Suppressed`, without any a `Trigger`."""
        if self._native is not None:
            data: bytes | None = self._native.data(head, subject, made, verdicts, episode)
            if data is not None:
                return data
        parts = self._parts(subject, made, verdicts, episode)
        return payload(outputs.Suppressed(**head, **parts) if head else outputs.Trigger(**parts))

    def _parts(self, subject: str, made: Candidate, verdicts: tuple[Verdict, ...], episode: str) -> dict[str, Any]:
        signal, telling = made.signal, made.telling
        facts, show, expires = signal.facts, self._figures.show, _expires(made)
        figures = {name: show(facts.get(name)) for name in telling.figures}
        return {
            "episode": outputs.Episode(id=episode, key=signal.key, phase=signal.phase.value, opened_at=stamp(signal.opened)),
            "subject": outputs.Subject(ref=subject),
            "context": outputs.Context(event_time=stamp(signal.at)),
            "message": outputs.Message(
                topic=telling.emit.topic,
                talk_track=telling.emit.talk_track,
                reason_text_zh=telling.zh.fill(figures),
                reason_text_en=telling.en.fill(figures),
            ),
            "channel": outputs.Channel(expires_at=None if expires is None else stamp(expires)),
            "details": self._details(made),
            "evidence": self._evidence(made),
            "gates": _gates(verdicts),
            "lineage": self._lineage,
        }

    def _details(self, made: Candidate) -> outputs.Part:
        telling, facts, ccy = made.telling, made.signal.facts, self._ccy
        return telling.struct(**{field: details_value(facts[fact], ccy) for field, fact in telling.details})

    def _evidence(self, made: Candidate) -> outputs.Evidence:
        return outputs.Evidence(
            features=tuple([self._feature(reading) for reading in made.readings]),
            conditions=tuple([self._condition(condition) for condition in made.signal.conditions]),
            causes=made.signal.origins,
        )

    def _feature(self, reading: Reading) -> outputs.Feature:
        value = details_value(reading.value, self._ccy)
        return outputs.Feature(name=reading.name, value=value, as_of=stamp(reading.as_of), offsets=reading.offsets)

    def _condition(self, condition: Condition) -> outputs.Condition:
        return outputs.Condition(
            text=condition.text,
            actual=details_value(condition.actual, self._ccy),
            threshold=details_value(condition.threshold, self._ccy),
            distance=details_value(condition.distance, self._ccy),
        )


def _episode_id(subject: str, made: Candidate) -> str:
    shared = made.signal.episode or f"{made.proposal.type}\x1f{made.signal.key}"
    return trigger_id(f"episode:{made.rule}", subject, shared)


def _envelope(ident: str, kind: str, subject: str, made: Candidate, episode: str) -> Envelope:
    return Envelope(ident, kind, subject, made.signal.at, episode, _cause(made), _expires(made))


def _cause(made: Candidate) -> str:
    return made.signal.origins[-1] if made.signal.origins else ""


def _expires(made: Candidate) -> int | None:
    expires = made.proposal.expires
    return made.proposal.at + expires if expires else None


@cache
def _gates(verdicts: tuple[Verdict, ...]) -> tuple[outputs.Gate, ...]:
    """Remembered: each of a few gates passes, or refuses for its one reason."""
    return tuple(
        outputs.Gate(name=gate, result="refuse" if refusal else "pass", reason_code=refusal) for gate, refusal in verdicts
    )


@cache
def _reasons(verdicts: tuple[Verdict, ...]) -> tuple[Refusal, ...]:
    return tuple(refusal for _, refusal in verdicts if refusal is not None)
