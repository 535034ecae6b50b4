# cython: language_level=3, boundscheck=False, wraparound=False
"""What touches every record, in C: journal records and log lines to events, source records to journal records.

Rule: knows the ordinary record only. Whatever is out of the ordinary in any way is left to the Python that this stands
beside (`Engine.read`, `Decoder._event`, `Stamper.stamp`): the answer is the same as theirs, or None.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.datetime cimport date_day, date_month, date_year, import_datetime
from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_CheckExact
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.string cimport memchr, memcmp, memset

from stream.batches cimport Headers, Record, plain, plus, varint
from stream.civil cimport days, length

from stream.domain.days import DAY
from stream.domain.events import Coordinates, Event, Order
from stream.domain.money import exponent
from stream.wire.decode import POSTDATED
from stream.wire.instants import LAST
from stream.wire.nesting import ENVELOPE

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    bytes PyBytes_FromFormat(const char *form, ...)

import_datetime()

cdef long long _LAST = LAST
cdef long long _DAY = DAY
cdef long long _POSTDATED = POSTDATED
cdef Py_ssize_t _NESTED = ENVELOPE
cdef object _SOURCE = "kairos_src"
cdef bytes _SOURCE_NAME = b"kairos_src"
cdef object _new = tuple.__new__
cdef object _WALL = Order.WALL
cdef object _RECORDED = Order.RECORDED
cdef object _SEQUENCED = Order.SEQUENCED
cdef enum:
    UNREADABLE = -1
    MOST_SUBJECT = 128
    MOST_WORD = 256
    FIRST_YEAR = 1900
    LAST_YEAR = 2200


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


cdef bint _printable(const char *text, Py_ssize_t size, Py_ssize_t most) noexcept:
    """Whether this is printable ASCII, not empty and not too long."""
    cdef Py_ssize_t place
    if not 0 < size <= most:
        return False
    for place in range(size):
        if not 32 <= text[place] <= 126:
            return False
    return True


cdef inline bint _is(const char *name, Py_ssize_t size, const char *other, Py_ssize_t length) noexcept:
    return size == length and memcmp(name, other, length) == 0


cdef struct Field:
    # content of a header; no text where there is none
    const char *text
    Py_ssize_t size


cdef struct Fields:
    # the headers that we read
    Field version, ident, source, kind, subject, time, sequence, origin, recorded, stamp
    # whether one of them has no content
    bint bare
    # whether one is of ours, or has a name that must not stay
    bint ours


cdef void _put(Fields *into, const char *name, Py_ssize_t size, const char *text, Py_ssize_t length) noexcept:
    """Keep a header if it is one that we read."""
    cdef Field *field = NULL
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
        field.text, field.size = text, length
        into.bare = into.bare or text is NULL


cdef bint _fields(object headers, Fields *into) except -1:
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


cdef bint _shallow(bytes text) noexcept:
    """Whether it can by no means be nested too deep (`stream/wire/nesting.py`)."""
    cdef const char *at = PyBytes_AS_STRING(text)
    cdef Py_ssize_t place, found = 0
    for place in range(PyBytes_GET_SIZE(text)):
        found += at[place] == b"[" or at[place] == b"{"
    return found <= _NESTED


cdef object _word(Field field, Py_ssize_t most):
    """The text of printable ASCII; None for anything else."""
    return PyUnicode_DecodeASCII(field.text, field.size, NULL) if _printable(field.text, field.size, most) else None


cdef long long _digits(const char *text, Py_ssize_t size) noexcept:
    """A number of at most 18 digits without a leading sign; UNREADABLE for anything else."""
    cdef long long value = 0
    cdef Py_ssize_t place
    if not 0 < size <= 18:
        return UNREADABLE
    for place in range(size):
        if not 48 <= text[place] <= 57:
            return UNREADABLE
        value = value * 10 + text[place] - 48
    return value


cdef bint _small(object amount, int places, bint signed) except -1:
    """Whether this is plainly an amount: at most 11 digits, at most so many decimals."""
    cdef Py_ssize_t size, place = 0, start
    cdef const char *text = PyUnicode_AsUTF8AndSize(amount, &size)
    if signed and size and text[0] == b"-":
        place = 1
    start = place
    while place < size and 48 <= text[place] <= 57:
        place += 1
    if not 0 < place - start <= 11:
        return False
    if place == size:
        return True
    if text[place] != b"." or not 0 < size - place - 1 <= places:
        return False
    for place in range(place + 1, size):
        if not 48 <= text[place] <= 57:
            return False
    return True


cdef object _text(object text, Py_ssize_t most):
    """The same text if it is of printable ASCII; None for anything else."""
    cdef Py_ssize_t size
    cdef const char *content = PyUnicode_AsUTF8AndSize(text, &size)
    return text if _printable(content, size, most) else None


cdef class Maker:
    """`Decoder._event` for the ordinary structured event.

    Args:
        ahead: As of `Decoder`.
    """

    cdef dict _decimals
    cdef bint _learns
    cdef long long _ahead

    def __init__(self, long long ahead):
        self._ahead, self._decimals, self._learns = ahead, {}, True

    def event(self, way, ident, source, subject, time, sequence, data, where, origin):
        """The event; None where it is for the slow way to say what it is."""
        cdef Py_ssize_t size
        cdef const char *text
        cdef long long at
        try:
            text = PyUnicode_AsUTF8AndSize(time, &size)
            at = instant(text, size)
            if at == UNREADABLE or _text(ident, MOST_WORD) is None or _text(source, MOST_WORD) is None:
                return None
            if _text(subject, MOST_SUBJECT) is None or (sequence and _text(sequence, MOST_WORD) is None):
                return None
            topic, partition, _, offset, recorded, order = where
            if origin is not None:
                origin = _text(origin, MOST_WORD) if isinstance(origin, str) else None
                if origin is None:
                    return None
            else:
                origin = f"{topic}:{offset}" if order is _SEQUENCED else f"{topic}/{partition}@{offset}"
            return self._judged(way, subject, at, recorded, ident, source, sequence, data, topic, origin)
        except UnicodeError:
            return None

    cdef object _judged(
        self, object way, object subject, long long at, object moment, object ident, object source, object sequence,
        object data, object topic, object origin
    ):
        cdef long long recorded = moment
        cdef object name = way[0], booked = way[2], checked = way[3]
        if at > recorded + self._ahead or (checked is not None and not self._sound(checked, data)):
            return None
        if booked:
            booked = getattr(data, booked)
            if booked is not None and _since(booked) > recorded // _DAY + _POSTDATED:
                return None
        return _new(Event, (name, subject, at, moment, ident, source, sequence, data, topic, origin, 0))

    cdef bint _sound(self, object entry, object data) except -1:
        """`Checks.fault` finds nothing; of a `Reader` also: there is a rate for every amount."""
        cdef object field, signed, value, decimals
        for field, signed in entry.money:
            value = getattr(data, field)
            if value is not None:
                decimals = self._decimals.get(value.ccy)
                if decimals is None:
                    decimals = self._learn(value.ccy)
                if decimals is None or not _small(value.amount, decimals, signed):
                    return False
        for field in entry.dates:
            value = getattr(data, field)
            if value is not None and not FIRST_YEAR <= date_year(value) <= LAST_YEAR:
                return False
        for field in entry.instants:
            value = getattr(data, field)
            if value is not None and not FIRST_YEAR < date_year(value) < LAST_YEAR:
                return False
        return True

    cdef object _learn(self, object ccy):
        """Decimals of a currency; None for what is none, and where all that may come are known."""
        if not (self._learns and len(ccy) == 3 and ccy.isascii() and ccy.isalpha() and ccy.isupper()):
            return None
        self._decimals[ccy] = exponent(ccy)
        return self._decimals[ccy]


cdef class Reader(Maker):
    """`Engine.read` for the ordinary journal record. Holds what few values it has met, nothing of any customer.

    Args:
        entry: The type of what is answered.
        words: How to read the types (`stream.wire.ways`).
        places: Reads source coordinates the first time.
        currencies: Those that have a rate.
        max_bytes, ahead: As of `Decoder`.
    """

    cdef dict _ways, _by_struct, _known
    cdef object _entry_type, _envelope, _places
    cdef Py_ssize_t _max_bytes

    def __init__(self, object entry, object words, object places, object currencies, Py_ssize_t max_bytes, long long ahead):
        super().__init__(ahead)
        self._decimals, self._learns = {ccy: exponent(ccy) for ccy in currencies}, False
        self._ways, self._by_struct, self._envelope = words.ways, words.by_struct, words.structured.decode
        self._places, self._known = places, {}
        self._entry_type, self._max_bytes = entry, max_bytes

    def read(self, object record):
        """The entry of a record; None where it is for the slow way to say what it is."""
        cdef object headers, value
        cdef Fields fields
        if type(record) is Record:
            headers, value = (<Record>record).headers, (<Record>record).value
        else:
            headers, value = record.headers, record.value
        if value is None or not PyBytes_CheckExact(value) or PyBytes_GET_SIZE(value) > self._max_bytes:
            return None
        try:
            if not plain(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)):
                value.decode()
            if not _fields(headers, &fields) or fields.stamp.text is NULL:
                return None
            return self._structured(record, value, &fields) if fields.version.text is NULL else self._binary(record, value, &fields)
        except UnicodeError:
            return None

    cdef object _binary(self, object record, object value, Fields *fields):
        cdef object way, ident, source, subject, sequence, origin, where, data, event
        cdef long long at
        if not _is(fields.version.text, fields.version.size, b"1.0", 3) or fields.kind.text is NULL or fields.time.text is NULL:
            return None
        way = self._ways.get(PyBytes_FromStringAndSize(fields.kind.text, fields.kind.size))
        if way is None:
            return None
        ident, source = _word(fields.ident, MOST_WORD), _word(fields.source, MOST_WORD)
        subject = _word(fields.subject, MOST_SUBJECT)
        sequence = "" if fields.sequence.text is NULL else _word(fields.sequence, MOST_WORD)
        if ident is None or source is None or subject is None or sequence is None:
            return None
        where = self._where(fields.stamp.text, fields.stamp.size)
        if where is None:
            return None
        place, where = where
        topic, partition, _, offset, recorded, _ = where
        origin = f"{topic}/{partition}@{offset}" if fields.origin.text is NULL else _word(fields.origin, MOST_WORD)
        at = instant(fields.time.text, fields.time.size)
        if origin is None or at == UNREADABLE:
            return None
        try:
            data = way[1](value)
        except Exception:
            return None
        event = self._judged(way, subject, at, recorded, ident, source, sequence, data, topic, origin)
        return None if event is None else _new(self._entry_type, (record, event, where, place))

    cdef object _structured(self, object record, object value, Fields *fields):
        cdef object where = self._where(fields.stamp.text, fields.stamp.size), seen, event, origin
        if where is None:
            return None
        if not _shallow(value):
            return None
        place, where = where
        try:
            seen = self._envelope(value)
            if seen.specversion != "1.0":
                return None
            way = self._by_struct[type(seen)]
            if fields.origin.size == 0:
                origin = seen.kairosorigin
            else:
                origin = _word(fields.origin, MOST_WORD)
                if origin is None:
                    return None
        except Exception:
            return None
        event = self.event(way, seen.id, seen.source, seen.subject, seen.time, seen.sequence, seen.data, where, origin)
        return None if event is None else _new(self._entry_type, (record, event, where, place))

    cdef object _where(self, const char *text, Py_ssize_t size):
        """Source partition and `Coordinates`; None unless ingest wrote it."""
        cdef Py_ssize_t last, middle, first
        cdef long long offset, recorded
        cdef object order, known, lead
        if size < 8 or text[size - 2] != b"|":
            return None
        order = _WALL if text[size - 1] == b"w" else _RECORDED if text[size - 1] == b"r" else None
        last = size - 2
        middle = last - 1
        while middle > 0 and text[middle] != b"|":
            middle -= 1
        first = middle - 1
        while first > 0 and text[first] != b"|":
            first -= 1
        if order is None or first <= 0:
            return None
        offset = _digits(text + first + 1, middle - first - 1)
        recorded = _digits(text + middle + 1, last - middle - 1)
        if offset == UNREADABLE or recorded == UNREADABLE:
            return None
        lead = PyBytes_FromStringAndSize(text, first)
        known = self._known.get(lead)
        if known is None:
            source, where = self._places.read(PyBytes_FromStringAndSize(text, size).decode())
            known = self._known[lead] = (source, *where[:3])
        source, topic, partition, incarnation = known
        return source, _new(Coordinates, (topic, partition, incarnation, offset, recorded, order))


cdef long long _since(object day) except? -1:
    """Days since 1970."""
    return days(date_year(day), date_month(day), date_day(day))


def stamped(list records, Py_ssize_t start, bytes lead, bint recorded, object last, dict known, dict into):
    """`Stamper.stamp` for ordinary records from ``start`` on: where it came to the first that is not, and the last time.

    Args:
        lead: Coordinates up to the offset.
        recorded: Whether the time is the event's own; else the record's.
        last: The greatest recorded time so far.
        known: Journal partition by subject.
        into: The journal partitions' lists.
    """
    cdef Py_ssize_t place = start
    cdef long latest = UNREADABLE if last is None else last
    while place < len(records) and _stamp(records[place], PyBytes_AS_STRING(lead), recorded, &latest, known, into):
        place += 1
    return place, None if latest == UNREADABLE else latest


cdef bint _stamp(object record, const char *lead, bint recorded, long *latest, dict known, dict into) except -1:
    """Put one record into its journal partition's list; False where it is none for the quick way."""
    cdef object headers = record.headers, where
    cdef bytes subject, content
    cdef PyObject *found
    cdef Fields fields
    cdef long at, offset = record.offset
    if not _fields(headers, &fields) or fields.ours or fields.version.text is NULL or not fields.subject.size:
        return False
    subject = PyBytes_FromStringAndSize(fields.subject.text, fields.subject.size)
    found = PyDict_GetItem(known, subject)
    if found is NULL:
        return False
    if recorded:
        if fields.recorded.text is NULL:
            return False
        at = instant(fields.recorded.text, fields.recorded.size)
        if at == UNREADABLE:
            return False
        latest[0] = max(latest[0], at)
        content = PyBytes_FromFormat("%s%ld|%ld|r", lead, offset, latest[0])
    else:
        at = record.timestamp
        content = PyBytes_FromFormat("%s%ld|%ld|w", lead, offset, at)
    where = <object>found
    if where not in into:
        into[where] = []
    if type(headers) is Headers:
        headers = plus(<Headers>headers, _SOURCE_NAME, content)
    else:
        headers = [*headers, (_SOURCE, content)]
    (<list>into[where]).append((subject, record.value, headers))
    return True
