# cython: language_level=3, boundscheck=False, cdivision=True
"""What an output says, in C: the data of a trigger or of what was suppressed, as JSON.

Rule: `payload.Speaker` is the reference. The same bytes, or None where anything is out of the ordinary in any way.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLong
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from stream.civil cimport date, floored

import msgspec

from stream.domain.days import DAY, EPOCH
from stream.domain.money import exponent
from stream.domain.triggers import Date, Instant, Money, Share

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

ctypedef long long i64

cdef i64 _DAY = DAY, _EPOCH = EPOCH
cdef object _encode = msgspec.json.encode
cdef object _Money = Money, _Date = Date, _Instant = Instant, _Share = Share
cdef enum:
    # bytes of an output's data
    ROOM = 1 << 17
    # bytes of a figure of figures, at most
    FIGURE = 32
    # ordinal of the last date, 9999-12-31
    LAST = 3652059
    PPM = 1000000


cdef class Spoken:
    """What every output of one moment has in common, as it stands in JSON."""

    # the moment's words, kept so that their address stays theirs
    cdef object telling
    # from the stamp of the context to the first reason
    cdef bytes message
    cdef tuple zh
    cdef tuple en
    # names of fields with what stands before them, and the facts that fill them
    cdef tuple details

    def __init__(self, telling):
        emit = telling.emit
        self.telling = telling
        self.message = b'"},"message":{"topic":%b,"talk_track":%b,"reason_text_zh":"' % (_encode(emit.topic), _encode(emit.talk_track))
        self.zh, self.en = _pieces(telling.zh), _pieces(telling.en)
        self.details = tuple(
            [(b"%b%b:" % (b"," if place else b"", _encode(field)), fact) for place, (field, fact) in enumerate(telling.details)]
        )


def _pieces(template):
    """Literals as they stand within a JSON text, each with the fact after it; None after the last."""
    return tuple([(_encode(literal)[1:-1], name) for literal, name in template.parts])


cdef class Teller:
    """Writes for one pack.

    Args:
        ccy: The pack's base currency.
        figures: Shows what is not shown here (`messages.Figures`).
        lineage: The same for all outputs (`outputs.Lineage`).
        answered: Verdicts as they go out.
    """

    cdef char *base
    cdef size_t used
    cdef bint odd
    cdef int places
    cdef i64 unit
    cdef bytes ccy
    cdef bytes lineage
    cdef object show
    cdef object answered
    cdef dict known
    cdef dict gates

    def __cinit__(self, ccy, figures, lineage, answered):
        self.base = <char *>malloc(ROOM)
        if self.base is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.base)

    def __init__(self, ccy, figures, lineage, answered):
        self.places = exponent(ccy)
        self.unit = 10 ** exponent(ccy)
        self.ccy = b'","ccy":%b}' % _encode(ccy)
        self.lineage = b',"lineage":%b}' % _encode(lineage)
        self.show, self.answered, self.known, self.gates = figures.show, answered, {}, {}

    def data(self, head, str subject, made, tuple verdicts, str episode):
        """The data of an output.

        Args:
            head: The fields before those of every output; empty for a trigger.
            made: `payload.Candidate`.
            episode: The episode's id.
        """
        self.used, self.odd = 0, False
        try:
            self._write(_encode(head)[:-1] + b"," if head else b"{", subject, made, verdicts, episode)
        except (OverflowError, TypeError, UnicodeEncodeError):
            return None
        return None if self.odd else PyBytes_FromStringAndSize(self.base, self.used)

    cdef int _write(self, bytes head, str subject, made, tuple verdicts, str episode) except -1:
        cdef Spoken spoken
        cdef bint first = True
        telling, signal, proposal = made.telling, made.signal, made.proposal
        facts = signal.facts
        spoken = self.known.get(id(telling))
        if spoken is None:
            spoken = self.known[id(telling)] = Spoken(telling)
        self._bytes(head)
        self._bytes(b'"episode":{"id":"')
        self._text(episode)
        self._bytes(b'","key":"')
        self._text(signal.key)
        self._bytes(b'","phase":"')
        self._text(signal.phase.value)
        self._bytes(b'","opened_at":"')
        self._stamp(PyLong_AsLongLong(signal.opened))
        self._bytes(b'"},"subject":{"ref":"')
        self._text(subject)
        self._bytes(b'"},"context":{"event_time":"')
        self._stamp(PyLong_AsLongLong(signal.at))
        self._bytes(spoken.message)
        self._fill(spoken.zh, facts)
        self._bytes(b'","reason_text_en":"')
        self._fill(spoken.en, facts)
        self._bytes(b'"},"channel":{"expires_at":')
        if proposal.expires:
            self._bytes(b'"')
            self._stamp(PyLong_AsLongLong(proposal.at) + PyLong_AsLongLong(proposal.expires))
            self._bytes(b'"},"details":{')
        else:
            self._bytes(b'null},"details":{')
        for name, fact in spoken.details:
            self._bytes(name)
            self._value(facts[fact])
        self._bytes(b'},"evidence":{"features":[')
        for reading in made.readings:
            self._bytes(b'{"name":"' if first else b',{"name":"')
            first = False
            self._text(reading.name)
            self._bytes(b'","value":')
            self._value(reading.value)
            self._bytes(b',"as_of":"')
            self._stamp(PyLong_AsLongLong(reading.as_of))
            self._bytes(b'","offsets":')
            self._texts(reading.offsets)
            self._bytes(b"}")
        self._bytes(b'],"conditions":[')
        first = True
        for condition in signal.conditions:
            self._bytes(b'{"text":"' if first else b',{"text":"')
            first = False
            self._text(condition.text)
            self._bytes(b'","actual":')
            self._value(condition.actual)
            self._bytes(b',"threshold":')
            self._value(condition.threshold)
            self._bytes(b',"distance":')
            self._value(condition.distance)
            self._bytes(b"}")
        self._bytes(b'],"causes":')
        self._texts(signal.origins)
        self._bytes(self._answers(verdicts))
        self._bytes(self.lineage)
        return 0

    cdef bytes _answers(self, tuple verdicts):
        """What the gates said; there are few such tuples, and each is the same object ever again."""
        known = self.gates.get(id(verdicts))
        if known is None:
            known = (verdicts, b'},"gates":' + _encode(self.answered(verdicts)))
            if len(self.gates) > 64:
                self.gates.clear()
            self.gates[id(verdicts)] = known
        return <bytes>known[1]

    cdef int _fill(self, tuple pieces, facts) except -1:
        """`Template.fill`."""
        for literal, name in pieces:
            self._bytes(literal)
            if name is not None:
                self._shown(facts.get(name))
        return 0

    # --- values

    cdef int _value(self, value) except -1:
        """`encode.details_value`, as JSON."""
        cdef object kind = type(value)
        if value is None:
            self._bytes(b"null")
        elif kind is _Money:
            self._bytes(b'{"amount":"')
            self._money(PyLong_AsLongLong(value.minor), False)
            self._bytes(self.ccy)
        elif kind is int:
            self._integer(PyLong_AsLongLong(value))
        else:
            self._bytes(b'"')
            if kind is str:
                self._text(value)
            elif kind is _Date:
                self._date(PyLong_AsLongLong(value.day))
            elif kind is _Instant:
                self._stamp(PyLong_AsLongLong(value.at))
            elif kind is _Share:
                self._share(PyLong_AsLongLong(value.ppm))
            else:
                self.odd = True
            self._bytes(b'"')
        return 0

    cdef int _shown(self, value) except -1:
        """`Figures.show`, within a JSON text."""
        cdef object kind = type(value)
        cdef i64 ppm
        if kind is _Money:
            self._money(PyLong_AsLongLong(value.minor), True)
        elif kind is _Date:
            self._date(PyLong_AsLongLong(value.day))
        elif kind is _Share:
            ppm = PyLong_AsLongLong(value.ppm)
            self._integer(floored(ppm, 10_000))
            self._bytes(b".")
            self._integer((ppm - floored(ppm, 10_000) * 10_000) // 1_000)
            self._bytes(b"%")
        else:
            self._text(self.show(value))
        return 0

    cdef void _money(self, i64 minor, bint grouped) noexcept:
        """`money.plain`, or with its thousands apart."""
        cdef unsigned long long size = self._signed(minor)
        self._whole(size // self.unit, grouped)
        if self.places:
            self._byte(b".")
            self._digits(size % self.unit, self.places)

    cdef void _share(self, i64 ppm) noexcept:
        """`encode.share`."""
        cdef unsigned long long size = self._signed(ppm)
        cdef unsigned long long rest = size % PPM
        cdef int digits = 6
        self._whole(size // PPM, False)
        if rest:
            while rest % 10 == 0:
                rest //= 10
                digits -= 1
            self._byte(b".")
            self._digits(rest, digits)

    cdef void _integer(self, i64 value) noexcept:
        self._whole(self._signed(value), False)

    cdef unsigned long long _signed(self, i64 value) noexcept:
        """Write the sign; the number without it, also of the least."""
        if value >= 0:
            return value
        self._byte(b"-")
        return 0 - <unsigned long long>value

    cdef void _stamp(self, i64 at) noexcept:
        """`days.stamp`."""
        cdef i64 day = floored(at, _DAY)
        cdef i64 rest = at - day * _DAY
        self._date(day + _EPOCH)
        self._byte(b"T")
        self._digits(rest // 3_600_000, 2)
        self._byte(b":")
        self._digits(rest // 60_000 % 60, 2)
        self._byte(b":")
        self._digits(rest // 1_000 % 60, 2)
        self._byte(b".")
        self._digits(rest % 1_000, 3)
        self._byte(b"Z")

    cdef void _date(self, i64 day) noexcept:
        """`days.text`."""
        cdef int of_month
        cdef i64 month
        if not 1 <= day <= LAST:
            self.odd = True
            return
        month = date(day - _EPOCH, &of_month)
        self._digits(month // 12, 4)
        self._byte(b"-")
        self._digits(month % 12 + 1, 2)
        self._byte(b"-")
        self._digits(of_month, 2)

    # --- bytes

    cdef void _whole(self, unsigned long long value, bint grouped) noexcept:
        """A number, with its thousands apart if asked."""
        cdef char[FIGURE] digits
        cdef int place = FIGURE, written = 0
        while True:
            if grouped and written and written % 3 == 0:
                place -= 1
                digits[place] = b","
            place -= 1
            digits[place] = <char>(48 + value % 10)
            value //= 10
            written += 1
            if not value:
                break
        self._raw(digits + place, FIGURE - place)

    cdef void _digits(self, unsigned long long value, int count) noexcept:
        """A number in so many digits."""
        cdef char[FIGURE] digits
        cdef int place
        for place in range(count):
            digits[count - 1 - place] = <char>(48 + value % 10)
            value //= 10
        self._raw(digits, count)

    cdef int _texts(self, tuple texts) except -1:
        cdef bint first = True
        self._bytes(b"[")
        for text in texts:
            self._bytes(b'"' if first else b',"')
            first = False
            self._text(text)
            self._bytes(b'"')
        self._bytes(b"]")
        return 0

    cdef int _text(self, text) except -1:
        """Within quotes; msgspec writes what has to be escaped."""
        cdef Py_ssize_t size, place
        cdef const char *at
        at = PyUnicode_AsUTF8AndSize(text, &size)
        for place in range(size):
            if <unsigned char>at[place] < 32 or at[place] == b'"' or at[place] == b"\\":
                self._bytes(_encode(text)[1:-1])
                return 0
        self._raw(at, size)
        return 0

    cdef int _bytes(self, bytes some) except -1:
        self._raw(PyBytes_AS_STRING(some), PyBytes_GET_SIZE(some))
        return 0

    cdef void _byte(self, char one) noexcept:
        self._raw(&one, 1)

    cdef void _raw(self, const char *at, size_t size) noexcept:
        if self.used + size > ROOM:
            self.odd = True
            return
        memcpy(self.base + self.used, at, size)
        self.used += size
