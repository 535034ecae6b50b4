"""Law: a T is given out only when all that was visible before it has been journaled, and never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.shell.kafka.positions import Committed, Mark
from stream.shell.kafka.proofs import MOST_SAMPLES, Quiet, RecordedClock, WallClock, journaled, recorded_proof


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
