# cython: language_level=3, boundscheck=False, wraparound=False
"""Kafka's batches of records, format 2, read and written without an object for each header.

Rule: stands beside aiokafka's `MemoryRecords` and `BatchBuilder`, which do the same from the sources: the same records, the
same bytes on the wire, `CorruptRecordException` for the same batches; a name that is no UTF-8 is read as
`stream/shell/kafka/lenient.py` reads it. Headers stay as they came until somebody asks for them.
Source: "Record Batch" and "Record" of Kafka's protocol guide (KIP-98, KIP-82).
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

import time

from aiokafka import codec
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

cdef enum:
    # bytes of a batch before its records; before those that its length counts; where its checksum stands and begins
    HEAD = 61
    LEAD = 12
    MAGIC = 16
    CRC = 17
    CHECKED = 21
    # bits of its attributes
    COMPRESSION = 7
    APPENDED = 8
    TRANSACTIONAL = 16
    CONTROL = 32

DECODE = {1: codec.gzip_decode, 2: codec.snappy_decode, 3: codec.lz4_decode, 4: codec.zstd_decode}
ENCODE = {1: codec.gzip_encode, 2: codec.snappy_encode, 3: codec.lz4_encode, 4: codec.zstd_encode}


cdef const char *varint(const char *at, const char *end, long long *value) noexcept:
    """Where the zigzag varint at this place ends; NULL where there is none."""
    cdef uint64_t read = 0
    cdef int shift = 0
    cdef unsigned char each
    while at < end and shift < 64:
        each = at[0]
        at += 1
        read |= <uint64_t>(each & 0x7F) << shift
        if not each & 0x80:
            value[0] = <long long>(read >> 1) ^ -<long long>(read & 1)
            return at
        shift += 7
    return NULL


cdef inline int width(long long value) noexcept:
    """Bytes of a varint."""
    cdef uint64_t zigzag = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    cdef int count = 1
    while zigzag > 0x7F:
        zigzag >>= 7
        count += 1
    return count


cdef inline char *write(char *at, long long value) noexcept:
    """Put a varint; where it ends."""
    cdef uint64_t zigzag = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    while zigzag > 0x7F:
        at[0] = <char>(0x80 | (zigzag & 0x7F))
        zigzag >>= 7
        at += 1
    at[0] = <char>zigzag
    return at + 1


cdef inline char *copy(char *at, bytes content) noexcept:
    """Put bytes after their length, -1 for none; where they end."""
    if content is None:
        return write(at, -1)
    at = write(at, PyBytes_GET_SIZE(content))
    memcpy(at, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))
    return at + PyBytes_GET_SIZE(content)


cdef inline Py_ssize_t room(bytes content) noexcept:
    """What `copy` takes."""
    return 1 if content is None else width(PyBytes_GET_SIZE(content)) + PyBytes_GET_SIZE(content)


cdef inline int64_t number(const char *at, int size) noexcept:
    """A signed number in network order."""
    cdef uint64_t value = 0
    cdef int place
    for place in range(size):
        value = value << 8 | <unsigned char>at[place]
    return <int64_t>(value << (64 - 8 * size)) >> (64 - 8 * size)


cdef inline char *put(char *at, int64_t value, int size) noexcept:
    cdef int place
    for place in range(size):
        at[place] = <char>(value >> 8 * (size - 1 - place))
    return at + size


cdef bint plain(const char *text, Py_ssize_t size) noexcept:
    """Whether this is ASCII."""
    cdef Py_ssize_t place
    cdef char seen = 0
    for place in range(size):
        seen |= text[place]
    return not seen & 0x80


cdef bint utf8(const char *at, Py_ssize_t size) except -1:
    """Whether this is UTF-8."""
    try:
        PyUnicode_DecodeUTF8(at, size, NULL)
    except UnicodeDecodeError:
        return False
    return True


cdef list read(Headers headers):
    """Names and contents; what of a name is no UTF-8 is escaped."""
    cdef const char *at = PyBytes_AS_STRING(headers.raw)
    cdef const char *end = at + PyBytes_GET_SIZE(headers.raw)
    cdef long long size = 0
    cdef list found = []
    cdef object name
    while at < end:
        at = varint(at, end, &size)
        name = PyUnicode_DecodeUTF8(at, size, "backslashreplace")
        at = varint(at + size, end, &size)
        found.append((name, None if size < 0 else PyBytes_FromStringAndSize(at, size)))
        at += max(size, 0)
    return found


@cython.freelist(1024)
@cython.no_gc
cdef class Headers:
    """The headers of a record as they stand on the wire; iterating reads them.

    Attributes:
        raw: Name and content of each, with their lengths.
        count: How many.
    """

    def __iter__(self):
        return iter(read(self))

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        return read(self)[place]

    def __eq__(self, other):
        return list(self) == list(other)

    def __repr__(self):
        return repr(read(self))


cdef Headers headers_of(bytes raw, int count):
    cdef Headers made = Headers.__new__(Headers)
    made.raw, made.count = raw, count
    return made


cdef Headers plus(Headers headers, bytes name, bytes content):
    """The same headers and one more."""
    cdef Py_ssize_t before = PyBytes_GET_SIZE(headers.raw)
    cdef bytes raw = PyBytes_FromStringAndSize(NULL, before + room(name) + room(content))
    cdef char *at = PyBytes_AS_STRING(raw)
    memcpy(at, PyBytes_AS_STRING(headers.raw), before)
    copy(copy(at + before, name), content)
    return headers_of(raw, headers.count + 1)


def packed(headers):
    """`Headers` of a list of names and contents. Raises TypeError for a name that is no text, or content that is no bytes."""
    cdef Headers made = headers_of(b"", 0)
    for name, content in headers:
        if not isinstance(name, str) or not (content is None or isinstance(content, bytes)):
            raise TypeError(f"expected a header of text and bytes, got {type(name).__name__} and {type(content).__name__}")
        made = plus(made, name.encode(), content)
    return made


@cython.freelist(1024)
@cython.no_gc
cdef class Record:
    """A record as it was fetched: what aiokafka's `DefaultRecord` is.

    Attributes:
        timestamp: UTC ms.
        timestamp_type: 0 where the producer, 1 where the broker stamped it.
    """

    @property
    def checksum(self):
        """None: format 2 has one for each batch."""

    def __repr__(self):
        return f"Record(offset={self.offset}, key={self.key!r}, value={self.value!r}, headers={self.headers!r})"


cdef class Batch:
    """One batch; iterating reads its records."""

    cdef bytes _data, _content
    cdef const char *_at
    cdef const char *_end
    cdef const char *_head
    cdef bint _open
    cdef int _read, _count, _attributes
    cdef int64_t _first, _latest
    cdef readonly int64_t base_offset, next_offset, producer_id

    def __cinit__(self, bytes data, Py_ssize_t start, Py_ssize_t size):
        cdef const char *head = PyBytes_AS_STRING(data) + start
        self._data, self._head, self._at, self._end = data, head, head + HEAD, head + size
        self.base_offset = number(head, 8)
        self._attributes = number(head + CHECKED, 2)
        self.next_offset = self.base_offset + number(head + 23, 4) + 1
        self._first, self._latest = number(head + 27, 8), number(head + 35, 8)
        self.producer_id = number(head + 43, 8)
        self._count = number(head + 57, 4)

    @property
    def is_control_batch(self):
        """Whether the broker wrote it, to end a transaction."""
        return bool(self._attributes & CONTROL)

    @property
    def is_transactional(self):
        """Whether it belongs to a transaction."""
        return bool(self._attributes & TRANSACTIONAL)

    def validate_crc(self):
        """Whether its checksum is right; asked before its records are."""
        if self._open:
            raise ValueError("expected to be asked before the records are read")
        checked = PyBytes_FromStringAndSize(self._head + CHECKED, self._end - self._head - CHECKED)
        return calc_crc32c(checked) == <uint32_t>number(self._head + CRC, 4)

    def __iter__(self):
        return self

    def __next__(self):
        made = self._record()
        if made is None:
            raise StopIteration
        return made

    def run(self, Py_ssize_t most, Py_ssize_t weight):
        """The next records, at most so many, or until they weigh as many bytes, and their bytes; none after the last.

        Raises CorruptRecordException for what is no record.
        """
        cdef list found = []
        cdef Py_ssize_t size = 0
        cdef Record made
        while len(found) < most and size < weight:
            made = self._record()
            if made is None:
                break
            size += PyBytes_GET_SIZE(made.headers.raw)
            size += 0 if made.key is None else PyBytes_GET_SIZE(made.key)
            size += 0 if made.value is None else PyBytes_GET_SIZE(made.value)
            found.append(made)
        return found, size

    cdef Record _record(self):
        """The next record; None after the last."""
        if not self._open:
            self._unpack()
        if self._read >= self._count:
            if self._at != self._end:
                raise CorruptRecordException(f"{self._end - self._at} unconsumed bytes after all records consumed")
            return None
        cdef Record made = Record.__new__(Record)
        if not self._next(made):
            raise CorruptRecordException("Found invalid record structure")
        self._read += 1
        return made

    cdef int _unpack(self) except -1:
        """Decompress."""
        self._open = True
        if not self._attributes & COMPRESSION:
            return 0
        if self._attributes & COMPRESSION not in DECODE:
            raise CorruptRecordException(f"unknown compression codec {self._attributes & COMPRESSION}")
        content = DECODE[self._attributes & COMPRESSION](PyBytes_FromStringAndSize(self._at, self._end - self._at))
        self._content = content if type(content) is bytes else bytes(content)
        self._at = PyBytes_AS_STRING(self._content)
        self._end = self._at + PyBytes_GET_SIZE(self._content)
        return 0

    cdef bint _next(self, Record made) except -1:
        """Read one record; False where its lengths do not fit."""
        cdef const char *at = self._at
        cdef const char *start
        cdef const char *end
        cdef long long value = 0
        at = varint(at, self._end, &value)
        if at is NULL or not 0 < value <= self._end - at:
            return False
        end = at + value
        # its attributes mean nothing yet
        at = varint(at, end, &value)
        if at is NULL:
            return False
        at = varint(at, end, &value)
        if at is NULL:
            return False
        made.timestamp = self._latest if self._attributes & APPENDED else self._first + value
        made.timestamp_type = bool(self._attributes & APPENDED)
        at = varint(at, end, &value)
        if at is NULL:
            return False
        made.offset = self.base_offset + value
        at = varint(at, end, &value)
        if at is NULL or value > end - at:
            return False
        made.key = None if value < 0 else PyBytes_FromStringAndSize(at, value)
        at = varint(at + max(value, 0), end, &value)
        if at is NULL or value > end - at:
            return False
        made.value = None if value < 0 else PyBytes_FromStringAndSize(at, value)
        at = start = varint(at + max(value, 0), end, &value)
        if at is NULL or value < 0:
            return False
        cdef long long count = value, each
        cdef bint escaped = False
        for each in range(count):
            at = varint(at, end, &value)
            if at is NULL or not 0 <= value <= end - at:
                return False
            escaped = escaped or not (plain(at, value) or utf8(at, value))
            at = varint(at + value, end, &value)
            if at is NULL or value > end - at:
                return False
            at += max(value, 0)
        if at != end:
            return False
        made.headers = headers_of(PyBytes_FromStringAndSize(start, end - start) if count else b"", count)
        if escaped:
            made.headers = packed(made.headers)
        self._at = end
        return True


cdef class Batches:
    """What one fetch brought of one partition: aiokafka's `MemoryRecords`. The broker may cut the last batch off."""

    cdef bytes _data
    cdef Py_ssize_t _at, _size

    def __cinit__(self, data):
        self._data = data if type(data) is bytes else bytes(data)
        self._at = 0
        self._measure()

    cdef void _measure(self) noexcept:
        """The size of the next batch; 0 when there is no whole one."""
        cdef Py_ssize_t left = PyBytes_GET_SIZE(self._data) - self._at
        cdef int64_t size
        self._size = 0
        if left >= LEAD:
            size = LEAD + number(PyBytes_AS_STRING(self._data) + self._at + 8, 4)
            if size <= left:
                self._size = max(size, LEAD)

    def size_in_bytes(self):
        """All of it."""
        return PyBytes_GET_SIZE(self._data)

    def has_next(self):
        """Whether there is one more batch."""
        return self._size > 0

    def next_batch(self):
        """The next batch, None after the last. Raises CorruptRecordException for one that is too short to be one."""
        cdef Py_ssize_t start = self._at, size = self._size
        if not size:
            return None
        self._at += size
        self._measure()
        if size > MAGIC and self._data[start + MAGIC] < 2:
            return MemoryRecords(self._data[start : start + size]).next_batch()
        if size < HEAD:
            raise CorruptRecordException(f"expected at least {HEAD} bytes of batch, got {size}")
        return Batch(self._data, start, size)


cdef class Builder:
    """A batch in the making: aiokafka's `BatchBuilder`, of records that were stamped when it was begun.

    Args:
        most: Bytes of the batch, uncompressed; one record is always taken.
        compression: Kafka's number of the codec, 0 for none.
    """

    cdef object _buffer
    cdef Py_ssize_t _size, _capacity, _most
    cdef int _count, _compression
    cdef bint _closed, _built
    cdef int64_t _stamp, _producer
    cdef int _epoch, _sequence

    def __cinit__(self, Py_ssize_t most, int compression):
        self._capacity = HEAD + 4096
        self._buffer = bytearray(self._capacity)
        self._size, self._most, self._compression = HEAD, most, compression
        self._producer, self._epoch = -1, -1
        self._stamp = int(time.time() * 1000)

    def append(self, *, timestamp, bytes key, bytes value, headers):
        """Add a record; None where it does not fit. Its time is the batch's: the broker stamps the topics that we write to."""
        cdef Headers some = headers if type(headers) is Headers else packed(headers)
        cdef Py_ssize_t body, whole
        cdef char *at
        if self._closed:
            return None
        body = 2 + width(self._count) + room(key) + room(value) + width(some.count) + PyBytes_GET_SIZE(some.raw)
        whole = body + width(body)
        if self._count and self._size + whole > self._most:
            self._closed = True
            return None
        if self._size + whole > self._capacity:
            self._capacity = max(2 * self._capacity, self._size + whole)
            PyByteArray_Resize(self._buffer, self._capacity)
        at = PyByteArray_AS_STRING(self._buffer) + self._size
        at = write(at, body)
        at[0] = 0
        at = write(write(at + 1, 0), self._count)
        at = write(copy(copy(at, key), value), some.count)
        memcpy(at, PyBytes_AS_STRING(some.raw), PyBytes_GET_SIZE(some.raw))
        self._size += whole
        self._count += 1
        return True

    def close(self):
        """Take no more."""
        self._closed = True

    def closed(self):
        """Whether no more is taken."""
        return self._closed

    def size(self):
        """Bytes so far."""
        return self._size

    def record_count(self):
        """Records so far."""
        return self._count

    def _set_producer_state(self, producer, epoch, sequence):
        self._producer, self._epoch, self._sequence = producer, epoch, sequence

    def _build(self):
        """The batch as it is sent; what is asked again is the same."""
        self._closed = True
        if self._built:
            return self._buffer
        cdef int attributes = self._compress()
        cdef char *head = PyByteArray_AS_STRING(self._buffer)
        cdef char *at = put(head, 0, 8)
        at = put(put(put(put(at, self._size - LEAD, 4), -1, 4), 2, 1), 0, 4)
        at = put(put(put(put(at, attributes, 2), self._count - 1, 4), self._stamp, 8), self._stamp, 8)
        put(put(put(put(at, self._producer, 8), self._epoch, 2), self._sequence, 4), self._count, 4)
        put(head + CRC, calc_crc32c(PyBytes_FromStringAndSize(head + CHECKED, self._size - CHECKED)), 4)
        self._built = True
        return self._buffer

    cdef int _compress(self) except -1:
        """The codec used: none where it would make the batch no smaller."""
        cdef bytes content = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(self._buffer) + HEAD, self._size - HEAD)
        cdef int used = 0
        if self._compression:
            packed_content = ENCODE[self._compression](content)
            if len(packed_content) < len(content):
                content = packed_content if type(packed_content) is bytes else bytes(packed_content)
                used = self._compression
        self._size = HEAD + PyBytes_GET_SIZE(content)
        PyByteArray_Resize(self._buffer, self._size)
        memcpy(PyByteArray_AS_STRING(self._buffer) + HEAD, PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))
        return used
