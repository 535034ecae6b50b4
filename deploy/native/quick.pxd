"""What `scan` and `stamped` need of the headers and of times."""

from stream.packed cimport Span

cdef enum:
    UNREADABLE = -1


cdef struct Fields:
    # the headers that we read: their content; no place where there is none
    Span version, ident, source, kind, subject, time, sequence, origin, recorded, stamp
    # whether one of them has no content
    bint bare
    # whether one is of ours, or has a name that must not stay
    bint ours


cdef bint attributes(object headers, Fields *into) except -1
cdef long long instant(const char *text, Py_ssize_t size) noexcept
