"""What `quick`, `scan` and `stamped` need of the batches: records and headers as they came."""


cdef class Headers:
    cdef readonly bytes raw
    cdef readonly int count


cdef class Record:
    cdef readonly long long offset
    cdef readonly long long timestamp
    cdef readonly int timestamp_type
    cdef readonly bytes key
    cdef readonly bytes value
    cdef readonly Headers headers


cdef Headers plus(Headers headers, bytes name, bytes content)
cdef const char *varint(const char *at, const char *end, long long *value) noexcept
cdef bint plain(const char *text, Py_ssize_t size) noexcept
cdef bint utf8(const char *at, Py_ssize_t size) except -1
