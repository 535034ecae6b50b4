"""Features of one row in C: the states of `stream.features`, folded and asked as `stream.engine.folding` does."""

from stream.packed cimport In, Out, Scratch, Span, Vec, i64

cdef enum Kind:
    OTHER
    BALANCES
    WINDOW
    HISTOGRAM
    DECAYED
    MOMENTS
    # the states of rules
    LADDER
    ABSENCE
    COUNT
    RHYTHM
    SEQUENCE
    # rules without a state
    SIGNIFICANCE


cdef struct Slot:
    int kind
    Span name
    # of a window its dates, of a fading sum its milliseconds, of a history its parts per million
    i64 figure


cdef struct Kept:
    # a slot of this row: its bytes as they came, its state once it was read, and whether that may have changed
    bint there
    bint touched
    Span raw
    void *state


cdef struct Happened:
    # what folds need of an event
    i64 at
    i64 day
    Span origin
    Span sequence


cdef struct Standing:
    i64 history
    i64 usual


cdef class Days:
    cdef object _calendar
    cdef i64 _quarters[1024]
    cdef i64 _offsets[1024]
    cdef i64 _days[1024]
    cdef i64 _starts[1024]
    cdef i64 day(self, Scratch *scratch, i64 at) noexcept
    cdef i64 close(self, Scratch *scratch, i64 day) noexcept


cdef class Features:
    cdef Scratch scratch
    cdef Days days
    cdef Slot *slots
    cdef Kept *kept
    cdef int count
    cdef dict places
    cdef list names
    cdef void *room(self, size_t size) noexcept
    cdef void *parse(self, int slot, In *of) noexcept
    cdef void write(self, int slot, void *state, Out *out) noexcept
    cdef void *glance(self, int slot) noexcept
    cdef void *touch(self, int slot) noexcept
    cdef i64 amount(self, int slot, i64 day) noexcept
    cdef Standing standing(self, int slot, i64 amount) noexcept
    cdef void posted(self, int slot, Happened *event, Span account, Span product, i64 minor, bint closing) noexcept
    cdef void ended(self, int slot, Span account, i64 day) noexcept
    cdef void fold(self, int slot, Happened *event, i64 amount) noexcept
    cdef bint prunable(self, int slot) noexcept
    cdef void prune(self, int slot, i64 before) noexcept
