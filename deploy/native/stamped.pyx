# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What ingest does to every record, in C: from a source record to a journal record.

Rule: knows the ordinary record only. Whatever is out of the ordinary in any way is left to the Python that this stands
beside (`Stamper.stamp`): the answer is the same as its, or there is none.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from stream.batches cimport Headers, plain, plus, utf8
from stream.packed cimport Span
from stream.quick cimport UNREADABLE, Fields, attributes, instant
from stream.scan cimport Named, named

from stream.wire.decode import LONGEST_SUBJECT

cdef extern from "Python.h":
    bytes PyBytes_FromFormat(const char *form, ...)

cdef object _SOURCE = "kairos_src"
cdef bytes _SOURCE_NAME = b"kairos_src"
cdef int _LONGEST = LONGEST_SUBJECT


def stamped(list records, Py_ssize_t start, bytes lead, bint recorded, object last, int partitions, dict into):
    """`Stamper.stamp` for ordinary records from ``start`` on: where it came to the first that is not, and the last time.

    Args:
        lead: Coordinates up to the offset.
        recorded: Whether the time is the event's own; else the record's.
        last: The greatest recorded time so far.
        partitions: Of the journal.
        into: The journal partitions' lists.
    """
    cdef Py_ssize_t place = start
    cdef long latest = UNREADABLE if last is None else last
    while place < len(records) and _stamp(records[place], PyBytes_AS_STRING(lead), recorded, &latest, partitions, into):
        place += 1
    return place, None if latest == UNREADABLE else latest


cdef bint _stamp(object record, const char *lead, bint recorded, long *latest, int partitions, dict into) except -1:
    """Put one record into its journal partition's list; False where it is none for the quick way."""
    cdef object headers = record.headers, value = record.value
    cdef bytes content, subject
    cdef Named found
    cdef Fields fields
    cdef int where
    cdef long at, offset = record.offset
    if not attributes(headers, &fields) or fields.ours:
        return False
    if fields.version.at is not NULL:
        found.subject, found.recorded = fields.subject, fields.recorded
    elif not _readable(value) or not named(value, &found):
        return False
    if not 0 < found.subject.size <= _LONGEST:
        return False
    if recorded:
        if found.recorded.at is NULL:
            return False
        at = instant(found.recorded.at, found.recorded.size)
        if at == UNREADABLE:
            return False
        latest[0] = max(latest[0], at)
        content = PyBytes_FromFormat("%s%ld|%ld|r", lead, offset, latest[0])
    else:
        at = record.timestamp
        content = PyBytes_FromFormat("%s%ld|%ld|w", lead, offset, at)
    subject = PyBytes_FromStringAndSize(found.subject.at, found.subject.size)
    where = (_murmur2(found.subject) & 0x7FFFFFFF) % partitions
    if where not in into:
        into[where] = []
    if type(headers) is Headers:
        headers = plus(<Headers>headers, _SOURCE_NAME, content)
    else:
        headers = [*headers, (_SOURCE, content)]
    (<list>into[where]).append((subject, value, headers))
    return True


cdef bint _readable(object value) except -1:
    """Whether this is text."""
    return PyBytes_CheckExact(value) and (
        plain(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)) or utf8(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    )


cdef unsigned int _murmur2(Span text) noexcept:
    """MurmurHash2 as every Kafka client has it by default."""
    cdef unsigned int found = 0x9747B28C ^ <unsigned int>text.size, each
    cdef const unsigned char *at = <const unsigned char *>text.at
    cdef int left = text.size
    while left >= 4:
        each = at[0] | at[1] << 8 | at[2] << 16 | <unsigned int>at[3] << 24
        each *= 0x5BD1E995
        each ^= each >> 24
        each *= 0x5BD1E995
        found *= 0x5BD1E995
        found ^= each
        at += 4
        left -= 4
    if left:
        while left:
            left -= 1
            found ^= at[left] << 8 * left
        found *= 0x5BD1E995
    found ^= found >> 13
    found *= 0x5BD1E995
    return found ^ found >> 15
