"""Law: a T is given out only when all that was visible before it has been journaled, and never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.domain.events import Order
from stream.shell.kafka.plan import SourceTopic
from stream.shell.kafka.positions import Committed, Mark
from stream.shell.kafka.proofs import (
    FRESH,
    MOST_SAMPLES,
    BrokerClock,
    Quiet,
    RecordedClock,
    WallClock,
    journaled,
    recorded_proof,
)
from stream.shell.kafka.ticks import SourceClock


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=60),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=60),
)
def test_no_record_visible_before_a_proven_instant_is_missing(
    writes: list[tuple[int, int]], reads: list[tuple[int, int]]
) -> None:
    """Two partitions grow and are journaled in any interleaving; at every instant one sample and one question."""
    clock, ends, positions, history, proven = WallClock(), {0: 0, 1: 0}, {0: 0, 1: 0}, {}, -1
    for now in range(max(len(writes), len(reads))):
        history[now] = dict(ends)
        clock.sample(now, dict(ends))
        if now < len(writes):
            ends[writes[now][0]] += writes[now][1]
        if now < len(reads):
            where = reads[now][0]
            positions[where] = min(ends[where], positions[where] + reads[now][1])
        answer = clock.proven(positions)
        if answer is not None:
            assert all(positions[p] >= end for p, end in history[answer].items())
            assert answer >= proven
            proven = answer


def test_a_long_backlog_thins_the_samples_but_keeps_the_oldest() -> None:
    clock = WallClock()
    for now in range(10 * MOST_SAMPLES):
        clock.sample(now, {0: now + 1})

    assert clock.proven({0: 1}) == 0
    assert clock.proven({0: 10 * MOST_SAMPLES}) == 10 * MOST_SAMPLES - 1


def test_a_new_partition_holds_the_proof_back_until_it_is_journaled() -> None:
    clock = WallClock()
    clock.sample(1000, {0: 5})
    clock.sample(2000, {0: 5, 1: 3})

    assert clock.proven({0: 5}) == 1000
    assert clock.proven({0: 5, 1: 3}) == 2000


def test_what_retention_emptied_counts_as_journaled() -> None:
    positions = journaled({0: Committed(4)}, {0: 9, 1: 7})

    assert positions == {0: 9, 1: 7}


def test_recorded_time_is_that_of_the_slowest_partition() -> None:
    marks = [Mark(5000, False), Mark(3000, False), Mark(9000, True)]

    assert recorded_proof(marks) == 2999, "more of 3000 may come; the ended partition holds nobody back"
    assert recorded_proof([*marks, Mark(None, False)]) is None, "a partition that brought nothing may bring anything"
    assert recorded_proof([Mark(9000, True), Mark(8000, True)]) == 9000
    assert recorded_proof([]) is None


def test_recorded_time_never_goes_back() -> None:
    clock = RecordedClock()

    assert [clock.proven({0: Mark(at, False)}) for at in (5000, 3000, 5001)] == [4999, 4999, 5000]


def test_a_source_with_backlog_is_never_idle() -> None:
    quiet = Quiet(after=5.0)

    assert [quiet.idle(float(now), {0: 1}, {0: 2}) for now in (0, 100)] == [False, False]


def test_news_wake_a_source() -> None:
    quiet = Quiet(after=5.0)
    answers = [quiet.idle(now, {0: 9}, {0: end}) for now, end in ((0.0, 1), (5.0, 1), (6.0, 2), (10.9, 2), (11.0, 2))]

    assert answers == [False, True, False, False, True]


def test_a_recreated_topic_proves_nothing_by_the_positions_of_the_old_one() -> None:
    """Its owner refuses to begin; the owner of the ticks must not take the old position for records that nobody has read."""
    clock = SourceClock(SourceTopic("in.txn", "in.txn"), 5.0)

    def look(at: int, end: int, position: int) -> int | None:
        clock.wall.sample(at, {0: end})
        clock.look(at / 1000, {0: end}, {0: Committed(position)}, {})
        return clock.time

    assert [look(1000, 90, 90), look(2000, 100, 99), look(3000, 101, 101)] == [1000, 1000, 3000]
    assert [look(4000, 5, 101), look(5000, 7, 101), look(6000, 8, 101)] == [3000, 3000, 3000]
    assert [look(7000, 9, 8), look(8000, 9, 9)][1:] == [8000], "positions of the new one prove again"


def test_a_worker_that_has_just_begun_does_not_trust_a_position_before_it_has_seen_an_end_after_it() -> None:
    clock = SourceClock(SourceTopic("in.txn", "in.txn", order=Order.RECORDED), 0.0)
    ended = {0: Committed(100, "r=1000;end")}
    for now in (0.0, 1.0, 2.0):
        clock.look(now, {0: 5}, ended, {})

        assert clock.time is None
        assert not clock.idle


def test_the_brokers_time_is_not_told_from_an_acknowledgement_of_long_ago() -> None:
    """Two clocks drift apart: after a night without a word, samples by it would prove what has not happened yet."""
    clock = BrokerClock()
    clock.heard(1_767_576_600_000, steady=0.0)

    assert clock.now(FRESH) == 1_767_576_600_000 + int(FRESH * 1000)
    assert clock.now(FRESH + 1) is None
    clock.heard(1_767_576_600_000, steady=FRESH + 2)
    assert clock.now(FRESH + 3) == 1_767_576_601_000
