"""What an output says, written in C (`deploy/native/words.pyx`), is what `payload.Speaker` writes, byte for byte.

Run by `make test-compiled`; from the sources there is nothing to compare.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.native import words
from stream.domain.triggers import Condition, Date, Instant, Money, Phase, Share, Signal, Value
from stream.engine.binding import bind
from stream.engine.folding import Reading
from stream.engine.payload import Candidate, Speaker
from stream.packs.loader import load
from stream.policy import contact
from tests.builders import rich_pack

pytestmark = pytest.mark.skipif(words() is None, reason="the core is not compiled: make test-compiled")

PLANS = [bind(load()), bind(rich_pack())]
TELLINGS = [(plan, rule.name, telling) for plan in PLANS for rule in plan.rules for telling in rule.tellings.values()]
LAST = 253_402_300_799_999
"""The last instant of the year 9999, UTC ms."""
instants = st.integers(0, LAST) | st.integers(1_700_000_000_000, 1_800_000_000_000)
texts = st.text(max_size=40)
numbers = st.integers() | st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-2_000_000, 2_000_000)
values: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    numbers,
    texts,
    numbers.map(Money),
    numbers.map(Share),
    instants.map(Instant),
    st.integers(1, 3_652_059).map(Date),
)
origins = st.lists(texts, max_size=3).map(tuple)
verdicts = st.builds(contact._answers, st.tuples(*[st.booleans()] * len(contact.GATES)))


@st.composite
def candidates(draw: st.DrawFn) -> tuple[Any, Candidate]:
    """A plan, and what one of its moments may have become; its facts are anything that a fact can be."""
    plan, rule, telling = draw(st.sampled_from(TELLINGS))
    names = {*telling.figures, *(fact for _, fact in telling.details)}
    signal = Signal(
        "moment", draw(texts), draw(st.sampled_from(Phase)), draw(instants), draw(instants),
        {name: draw(values) for name in sorted(names)},
        draw(st.lists(st.builds(Condition, texts, values, values, values), max_size=3).map(tuple)), draw(origins), draw(texts),
    )  # fmt: skip
    emit = telling.emit
    expires = draw(st.sampled_from([0, 1, 86_400_000]))
    proposal = contact.Proposal(emit.type, emit.topic, True, signal.key, min(signal.at, LAST - expires), 0, expires)
    readings = draw(st.lists(st.builds(Reading, texts, values, instants, origins), max_size=3).map(tuple))
    return plan, Candidate(rule, telling, signal, proposal, draw(texts), readings)


@given(candidates(), texts, verdicts)
def test_what_is_written_in_c_is_what_the_python_writes(
    given_: tuple[Any, Candidate], subject: str, answers: tuple[contact.Verdict, ...]
) -> None:
    """Triggers and suppressed ones; numbers of any length, texts of any letters."""
    plan, made = given_
    quick, slow = Speaker(plan), Speaker(plan)
    slow._native = None

    assert quick.trigger(subject, made, answers) == slow.trigger(subject, made, answers)
    if any(verdict.refusal for verdict in answers):
        assert quick.suppressed(subject, made, answers) == slow.suppressed(subject, made, answers)


@given(candidates(), texts, verdicts)
def test_what_is_ordinary_is_written_in_c(
    given_: tuple[Any, Candidate], subject: str, answers: tuple[contact.Verdict, ...]
) -> None:
    """Were it not, the law above would compare the Python with itself: numbers of 64 bits are written, and any text."""
    plan, made = given_
    shown = [*made.signal.facts.values(), *(reading.value for reading in made.readings)]
    shown += [value for each in made.signal.conditions for value in (each.actual, each.threshold, each.distance)]
    large = any(abs(number) >= 1 << 63 for number in map(number_of, shown))

    data = Speaker(plan)._native.data({}, subject, made, answers, "E")

    assert large or data is not None


def number_of(value: Value) -> int:
    return (
        value.minor
        if isinstance(value, Money)
        else value.ppm
        if isinstance(value, Share)
        else value
        if isinstance(value, int)
        else 0
    )
