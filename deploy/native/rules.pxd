"""Mechanisms in C, as far as they keep silent: `stream.mechanisms` over the states of one row."""

from stream.folds cimport Features
from stream.packed cimport Span, Vec, i64


cdef struct Fact:
    # `stream.domain.facts.Fact`
    i64 role
    i64 at
    i64 day
    i64 amount
    Span key
    Span label
    Span origin


cdef struct Rule:
    int kind
    Span name
    # its state; -1 where it keeps none
    int slot
    # among the rules that wait; -1 where nothing can be due
    int place
    bint hushed
    # the feature that it asks: a ladder's value, a history, what must hold at a deadline; -1 for none
    int asked
    # a ladder
    Vec thresholds
    Vec least
    Vec most
    bint at_close
    bint observes
    i64 hysteresis
    i64 dwell
    i64 near
    i64 near_days
    i64 risk
    i64 risk_days
    # an absence: its stages, in dates or milliseconds; the limit of what it asks
    Vec stages
    bint in_dates
    bint silence
    bint restarts
    bint ends
    i64 at_most
    # a count: its targets; rolling dates, or nought
    Vec targets
    bint monthly
    i64 rolling
    # a sequence: milliseconds, parts per million
    i64 window
    i64 share
    # a rhythm: dates, and numbers of payments
    i64 grace
    i64 apart
    i64 learn
    i64 give_up
    # a significance: base minor units, parts per million, number
    i64 floor
    i64 times
    i64 least_history


cdef class Rules(Features):
    cdef Rule *rules
    cdef int rule_count
    cdef list rule_names
    cdef void tell(self, Rule *rule, Fact *fact) noexcept
    cdef void fire(self, Rule *rule) noexcept
    cdef i64 due(self, Rule *rule) noexcept
    cdef bint quiet(self, Rule *rule) noexcept
    cdef i64 judged(self, int slot) noexcept
