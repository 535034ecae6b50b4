# cython: language_level=3, boundscheck=False, wraparound=False
"""Headers and times, read in C.

Rule: knows the ordinary ones only; whatever is out of the ordinary in any way is left to the Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.list cimport PyList_CheckExact
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memchr, memcmp, memset

from stream.batches cimport Headers, varint
from stream.civil cimport days, length
from stream.packed cimport Span

from stream.domain.days import DAY
from stream.wire.instants import LAST

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef long long _LAST = LAST
cdef long long _DAY = DAY


cdef inline int _two(const char *at) noexcept:
    """Two digits; negative when they are none."""
    cdef int high = at[0] - 48, low = at[1] - 48
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else -1000


cdef long long instant(const char *text, Py_ssize_t size) noexcept:
    """`Instants.parse` of a stamp with capital T and Z; UNREADABLE for anything else."""
    cdef int hundreds, year, month, day, hour, minute, second, ahead = 0, milli = 0, scale = 100
    cdef Py_ssize_t end, place
    cdef long long at
    if size < 20:
        return UNREADABLE
    if text[size - 1] == b"Z":
        end = size - 1
    else:
        end = size - 6
        if end < 19 or text[end + 3] != b":" or (text[end] != b"+" and text[end] != b"-"):
            return UNREADABLE
        hour, minute = _two(text + end + 1), _two(text + end + 4)
        if not (0 <= hour <= 23 and 0 <= minute <= 59):
            return UNREADABLE
        ahead = (hour * 60 + minute) * (-1 if text[end] == b"-" else 1)
    if text[4] != b"-" or text[7] != b"-" or text[10] != b"T" or text[13] != b":" or text[16] != b":":
        return UNREADABLE
    hundreds, year, month, day = _two(text), _two(text + 2), _two(text + 5), _two(text + 8)
    hour, minute, second = _two(text + 11), _two(text + 14), _two(text + 17)
    if hundreds < 0 or year < 0 or not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return UNREADABLE
    year += hundreds * 100
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= length(year, month):
        return UNREADABLE
    if end > 19:
        if text[19] != b"." or end == 20 or end > 29:
            return UNREADABLE
        for place in range(20, end):
            if not 48 <= text[place] <= 57:
                return UNREADABLE
            milli += (text[place] - 48) * scale
            scale //= 10
    at = days(year, month, day) * _DAY + ((hour * 60 + minute - ahead) * 60 + second) * <long long>1000 + milli
    return at if 0 <= at < _LAST else UNREADABLE


cdef inline bint _is(const char *name, Py_ssize_t size, const char *other, Py_ssize_t length) noexcept:
    return size == length and memcmp(name, other, length) == 0


cdef void _put(Fields *into, const char *name, Py_ssize_t size, const char *text, Py_ssize_t length) noexcept:
    """Keep a header if it is one that we read."""
    cdef Span *field = NULL
    if memchr(name, 0, size) is not NULL:
        into.ours = True
    elif size >= 7 and memcmp(name, b"kairos_", 7) == 0:
        into.ours = True
        if _is(name, size, b"kairos_src", 10):
            field = &into.stamp
    elif size < 5 or memcmp(name, b"ce_", 3) != 0:
        return
    elif _is(name, size, b"ce_id", 5):
        field = &into.ident
    elif _is(name, size, b"ce_type", 7):
        field = &into.kind
    elif _is(name, size, b"ce_time", 7):
        field = &into.time
    elif _is(name, size, b"ce_source", 9):
        field = &into.source
    elif _is(name, size, b"ce_subject", 10):
        field = &into.subject
    elif _is(name, size, b"ce_sequence", 11):
        field = &into.sequence
    elif _is(name, size, b"ce_specversion", 14):
        field = &into.version
    elif _is(name, size, b"ce_recordedtime", 15):
        field = &into.recorded
    elif _is(name, size, b"ce_kairosorigin", 15):
        field = &into.origin
    if field is not NULL:
        field.at, field.size = text, <int>length
        into.bare = into.bare or text is NULL


cdef bint attributes(object headers, Fields *into) except -1:
    """The headers that we read, as long as ``headers`` lives; False where they are none for the quick way."""
    cdef const char *at
    cdef const char *end
    cdef const char *name
    cdef const char *text
    cdef const char *known
    cdef long long size = 0, length = 0
    cdef Py_ssize_t written
    cdef object header, content
    memset(into, 0, sizeof(Fields))
    if type(headers) is Headers:
        at = PyBytes_AS_STRING((<Headers>headers).raw)
        end = at + PyBytes_GET_SIZE((<Headers>headers).raw)
        while at < end:
            name = varint(at, end, &size)
            text = varint(name + size, end, &length)
            known = text if length >= 0 else NULL
            _put(into, name, size, known, length)
            at = text + max(length, 0)
        return not into.bare
    if not (PyList_CheckExact(headers) or PyTuple_CheckExact(headers)):
        return False
    for header in headers:
        if not PyTuple_CheckExact(header) or PyTuple_GET_SIZE(header) != 2:
            return False
        content = <object>PyTuple_GET_ITEM(header, 1)
        name = PyUnicode_AsUTF8AndSize(<object>PyTuple_GET_ITEM(header, 0), &written)
        if PyBytes_CheckExact(content):
            _put(into, name, written, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))
        else:
            _put(into, name, written, NULL, -1)
    return not into.bare
