# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Events read where they stand, in C: each value's place in the record is found and judged, no object is made of it.

Rule: knows the ordinary event only. Whatever is out of the ordinary in any way (text with escapes, fields that the type does not
know, a value that is not sound) is left to the Python that this stands beside: `Engine._read` and `Engine._line`, which also make
the `Event` where somebody asks for one; `subject_of` where ingest asks for whom it is.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from stream.batches cimport Record, plain
from stream.civil cimport days, length
from stream.packed cimport Out, Span, i64, put_raw, same, span, words
from stream.quick cimport UNREADABLE, Fields, attributes, instant

import re
from datetime import date

from msgspec import inspect

from stream.domain.days import DAY, EPOCH
from stream.domain.events import Coordinates, Order
from stream.domain.money import exponent
from stream.wire.decode import POSTDATED
from stream.wire.inputs.common import Money, Paid
from stream.wire.registry import REGISTRY, bare

cdef i64 _DAY = DAY, _EPOCH = EPOCH, _POSTDATED = POSTDATED
cdef object _WALL = Order.WALL, _RECORDED = Order.RECORDED, _SEQUENCED = Order.SEQUENCED
cdef enum:
    MOST_SUBJECT = 128
    MOST_NAME = 256
    # bytes of a topic, which with its numbers is within `COORDINATES`
    MOST_TOPIC = 400
    FIRST_YEAR = 1900
    LAST_YEAR = 2200
    # digits of an amount, so that it stays below money.LIMIT; of another number
    AMOUNT = 11
    DIGITS = 18
    # attributes that are read, and `OTHER`
    ATTRIBUTES = 10
    # levels of what is passed over
    DEPTH = 16

cdef enum Attribute:
    OTHER
    VERSION
    IDENT
    SOURCE
    KIND
    SUBJECT
    TIME
    SEQUENCE
    ORIGIN
    DATA

_NAMES = ("", "specversion", "id", "source", "type", "subject", "time", "sequence", "kairosorigin", "data")
cdef Span[ATTRIBUTES] _attributes
cdef int _place
for _place in range(ATTRIBUTES):
    _attributes[_place] = span(_NAMES[_place])
cdef str _ONE = "1.0", _RECORDEDTIME = "recordedtime"
cdef Span _VERSION = span(_ONE), _RECORDED_TIME = span(_RECORDEDTIME)
cdef int _NEEDED = (
    1 << Attribute.VERSION | 1 << Attribute.IDENT | 1 << Attribute.SOURCE | 1 << Attribute.KIND | 1 << Attribute.SUBJECT
    | 1 << Attribute.TIME | 1 << Attribute.DATA
)


# --- JSON


cdef inline void _blank(Cursor *c) noexcept:
    while c.at < c.end and (c.at[0] == b" " or c.at[0] == b"\t" or c.at[0] == b"\n" or c.at[0] == b"\r"):
        c.at += 1


cdef inline bint _sign(Cursor *c, char wanted) noexcept:
    """This sign comes next, and is passed with the blanks around it."""
    _blank(c)
    if c.at >= c.end or c.at[0] != wanted:
        return False
    c.at += 1
    _blank(c)
    return True


cdef inline bint _letters(Cursor *c, const char *wanted, int size) noexcept:
    """These letters come next."""
    if c.end - c.at < size or memcmp(c.at, wanted, size) != 0:
        return False
    c.at += size
    return True


cdef inline bint _string(Cursor *c, Span *into) noexcept:
    """A text without escapes comes next."""
    cdef const char *at = c.at
    if at >= c.end or at[0] != b'"':
        return False
    at += 1
    into.at = at
    while at < c.end and at[0] != b'"':
        if at[0] == b"\\" or <unsigned char>at[0] < 32:
            return False
        at += 1
    if at >= c.end:
        return False
    into.size = <int>(at - into.at)
    c.at = at + 1
    return True


cdef inline bint _whole(Cursor *c, Span *into, i64 *value) noexcept:
    """A number without fraction or exponent comes next."""
    cdef const char *at = c.at
    cdef const char *first
    cdef i64 read = 0
    into.at = at
    if at < c.end and at[0] == b"-":
        at += 1
    first = at
    while at < c.end and 48 <= at[0] <= 57:
        if at - first >= DIGITS:
            return False
        read = read * 10 + at[0] - 48
        at += 1
    if at == first or (first[0] == b"0" and (at - first > 1 or first > into.at)):
        return False
    if at < c.end and (at[0] == b"." or at[0] == b"e" or at[0] == b"E"):
        return False
    into.size = <int>(at - into.at)
    value[0] = -read if first > into.at else read
    c.at = at
    return True


cdef bint _passed(Cursor *c) noexcept:
    """A value that nobody reads is passed."""
    cdef Span text
    cdef i64 value
    return (
        _string(c, &text) or _letters(c, b"null", 4) or _letters(c, b"true", 4) or _letters(c, b"false", 5)
        or _whole(c, &text, &value)
    )


cdef bint _object_passed(Cursor *c) noexcept:
    """An object is passed; that it is one is seen when it is read."""
    cdef Span text
    cdef int depth = 0
    while c.at < c.end:
        if c.at[0] == b'"':
            if not _string(c, &text):
                return False
            continue
        depth += (c.at[0] == b"{") - (c.at[0] == b"}")
        c.at += 1
        if depth <= 0:
            return True
    return False


cdef bint _any_passed(Cursor *c, int depth) noexcept:
    """A value that nobody reads is passed, objects and lists of so many levels included; False where it is not plainly JSON."""
    cdef Span text
    cdef char end
    if c.at >= c.end or (c.at[0] != b"{" and c.at[0] != b"["):
        return _passed(c)
    if not depth:
        return False
    end = b"}" if c.at[0] == b"{" else b"]"
    c.at += 1
    if _sign(c, end):
        return True
    while end == b"]" or (_string(c, &text) and _sign(c, b":")):
        if not _any_passed(c, depth - 1):
            return False
        if not _sign(c, b","):
            return _sign(c, end)
    return False


cdef inline bint _printable(Span text, int most) noexcept:
    """Whether this is printable ASCII, not empty and not too long."""
    cdef int place
    if not 0 < text.size <= most:
        return False
    for place in range(text.size):
        if not 32 <= text.at[place] <= 126:
            return False
    return True


cdef inline int _characters(Span text) noexcept:
    """How many there are in UTF-8."""
    cdef int place, found = 0
    for place in range(text.size):
        found += (<unsigned char>text.at[place] & 0xC0) != 0x80
    return found


cdef i64 _digits(const char *text, Py_ssize_t size) noexcept:
    """A number of at most 18 digits without a leading sign; UNREADABLE for anything else."""
    cdef i64 value = 0
    cdef Py_ssize_t place
    if not 0 < size <= DIGITS:
        return UNREADABLE
    for place in range(size):
        if not 48 <= text[place] <= 57:
            return UNREADABLE
        value = value * 10 + text[place] - 48
    return value


cdef bint _date(Span text, i64 *day) noexcept:
    """A date from 1900 to 2200, as a day since 1970."""
    cdef i64 year, month, of_month
    if text.size != 10 or text.at[4] != b"-" or text.at[7] != b"-":
        return False
    year, month, of_month = _digits(text.at, 4), _digits(text.at + 5, 2), _digits(text.at + 8, 2)
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and 1 <= of_month <= length(year, <int>month)):
        return False
    day[0] = days(year, <int>month, <int>of_month)
    return True


cdef bint _small(Span text, int places, bint negative) noexcept:
    """Whether this is plainly an amount: few digits, at most so many decimals."""
    cdef int place = 1 if negative and text.size and text.at[0] == b"-" else 0
    cdef int start = place
    while place < text.size and 48 <= text.at[place] <= 57:
        place += 1
    if not 0 < place - start <= AMOUNT:
        return False
    if place == text.size:
        return True
    if text.at[place] != b"." or not 0 < text.size - place - 1 <= places:
        return False
    for place in range(place + 1, text.size):
        if not 48 <= text.at[place] <= 57:
            return False
    return True


cdef bint _sound(Currencies *known, Span amount, Span ccy, bint negative) noexcept:
    """Whether an amount is one, in a currency that is known."""
    cdef int place, letters
    if known is NULL:
        return True
    if ccy.size != 3:
        return False
    letters = <unsigned char>ccy.at[0] << 16 | <unsigned char>ccy.at[1] << 8 | <unsigned char>ccy.at[2]
    for place in range(known.count):
        if known.letters[place] == letters:
            return _small(amount, known.places[place], negative)
    return False


# --- payloads


def _kind(field):
    """A field's type, for itself; of several that it may be only what may be absent is known here."""
    kind = field.type
    if isinstance(kind, inspect.UnionType):
        if not kind.includes_none or len(kind.types) != 2:
            raise ValueError(f"{field.name} is of several types")
        kind = bare(kind)
    return kind.type if isinstance(kind, inspect.Metadata) else kind


cdef class Shape:
    """What a payload of one event type looks like.

    Attributes:
        leaves: The number of each value by its path (``amount.ccy``); an object's own says whether it is there.

    Raises ValueError for a type with a value of a kind that only the Python reads.
    """

    def __init__(self, entry):
        cdef int number, place, inner = 1
        self.name, self.leaves, self.alive, self.patterns = entry.name, {}, [], []
        structs, parts, laid, known = [(entry.struct, "")], [], [], []
        # an object's fields stand together, and those of an object within it after them
        for struct, path in structs:
            fields = inspect.type_info(struct).fields
            if hasattr(struct, "__post_init__"):
                raise ValueError(f"{struct.__name__} checks itself")
            parts.append((len(laid), fields))
            for field in fields:
                laid.append((path + field.encode_name, field))
                self.leaves[path + field.encode_name] = len(self.leaves)
                if isinstance(kind := _kind(field), inspect.StructType):
                    structs.append((kind.cls, f"{path}{field.encode_name}."))
        if len(laid) > MOST:
            raise ValueError(f"{entry.name} has {len(laid)} values")
        self.fields = <Field *>calloc(len(laid) + 1, sizeof(Field))
        self.parts = <Part *>calloc(len(parts), sizeof(Part))
        self.forms = <int *>calloc(len(laid) + 1, sizeof(int))
        if self.fields is NULL or self.parts is NULL or self.forms is NULL:
            raise MemoryError
        for number, (first, fields) in enumerate(parts):
            self.parts[number].first, self.parts[number].count = first, len(fields)
            for place, field in enumerate(fields):
                self.parts[number].needed |= <unsigned long long>field.required << place
        for number, (path, field) in enumerate(laid):
            inner = self._lay(self.fields + number, number, path, field, entry, known, inner)
            self.forms[number] = self.fields[number].form
        self.words = <Span *>calloc(len(known) + 1, sizeof(Span))
        if self.words is NULL:
            raise MemoryError
        for number, word in enumerate(known):
            self.words[number] = self._kept(word)

    cdef int _lay(self, Field *into, int leaf, path, field, entry, list known, int inner) except -1:
        """One field; the number of the next object's part."""
        kind, nullable = _kind(field), isinstance(field.type, inspect.UnionType)
        if not field.required and not (nullable and field.default is None):
            raise ValueError(f"{path} is something where it is absent")
        into.leaf, into.needed, into.nullable, into.booked = leaf, field.required, nullable, path == entry.booked
        into.name = self._kept(field.encode_name)
        into.written = self._kept(f'"{field.encode_name}":')
        self.written += into.written.size + 8
        if isinstance(kind, inspect.StrType):
            into.form, into.first = Form.TEXT, -1
            into.least, into.most = kind.min_length or 0, 1 << 30 if kind.max_length is None else kind.max_length
            if kind.pattern is not None:
                into.first = len(self.patterns)
                self.patterns.append(re.compile(kind.pattern))
        elif isinstance(kind, inspect.LiteralType) and all(isinstance(word, str) for word in kind.values):
            into.form, into.first, into.count = Form.WORD, len(known), len(kind.values)
            known += kind.values
        elif isinstance(kind, inspect.IntType) and kind.gt is None and kind.lt is None and kind.multiple_of is None:
            into.form = Form.WHOLE
            into.least, into.most = -(1 << 62) if kind.ge is None else kind.ge, 1 << 62 if kind.le is None else kind.le
        elif isinstance(kind, inspect.BoolType):
            into.form = Form.TRUTH
        elif isinstance(kind, inspect.DateType):
            into.form = Form.DATE
        elif isinstance(kind, inspect.StructType):
            into.form, into.first, inner = Form.OBJECT, inner, inner + 1
            into.money, into.negative = issubclass(kind.cls, Money), not issubclass(kind.cls, Paid)
            if into.money:
                into.amount, into.ccy = self.leaves[f"{path}.amount"], self.leaves[f"{path}.ccy"]
        else:
            raise ValueError(f"{path} is {type(kind).__name__}")
        return inner

    cdef Span _kept(self, str text) except *:
        self.alive.append(text)
        return span(text)

    def __dealloc__(self):
        free(self.fields)
        free(self.parts)
        free(self.words)
        free(self.forms)

    cdef bint read(self, Cursor *c, Payload *into, Currencies *known) except -1:
        """A payload comes next, and is found sound; False where that is not plain to see."""
        memset(into.leaves, 0xFF, sizeof(into.leaves))
        into.base, into.booked = c.base, 0
        return self._object(self.parts, c, into, known)

    cdef bint _object(self, Part *part, Cursor *c, Payload *into, Currencies *known) except -1:
        cdef unsigned long long seen = 0
        cdef int place = 0, tried
        cdef Span name
        cdef Field *field
        if not _sign(c, b"{"):
            return False
        while _string(c, &name):
            # fields mostly come in the order of their type
            for tried in range(part.count):
                field = self.fields + part.first + place
                if same(name, field.name):
                    break
                place = place + 1 if place + 1 < part.count else 0
            else:
                return False
            if seen >> place & 1 or not _sign(c, b":") or not self._value(field, c, into, known):
                return False
            seen |= <unsigned long long>1 << place
            if not _sign(c, b","):
                break
            place = place + 1 if place + 1 < part.count else 0
        else:
            # an object without any field; a sign after the last one is none
            if seen:
                return False
        if c.at >= c.end or c.at[0] != b"}":
            return False
        c.at += 1
        return seen & part.needed == part.needed

    cdef bint _value(self, Field *field, Cursor *c, Payload *into, Currencies *known) except -1:
        cdef Leaf *leaf = into.leaves + field.leaf
        cdef Span text
        cdef i64 value = 0
        cdef int place
        if c.at < c.end and c.at[0] == b"n":
            return field.nullable and _letters(c, b"null", 4)
        if field.form == Form.OBJECT:
            leaf.begin, leaf.size = <int>(c.at - c.base), 0
            if not self._object(self.parts + field.first, c, into, known):
                return False
            return not field.money or _sound(known, spot(into, field.amount), spot(into, field.ccy), field.negative)
        if field.form == Form.WHOLE:
            if not _whole(c, &text, &value) or not field.least <= value <= field.most:
                return False
        elif field.form == Form.TRUTH:
            text.at = c.at
            if not (_letters(c, b"true", 4) or _letters(c, b"false", 5)):
                return False
            text.size = <int>(c.at - text.at)
        elif not _string(c, &text):
            return False
        leaf.begin, leaf.size = <int>(text.at - c.base), text.size
        if field.form == Form.WORD:
            for place in range(field.first, field.first + field.count):
                if same(text, self.words[place]):
                    return True
            return False
        if field.form == Form.DATE:
            if not _date(text, &value):
                return False
            if field.booked:
                into.booked = value + _EPOCH
        return field.form != Form.TEXT or self._text(field, into)

    cdef bint _text(self, Field *field, Payload *into) except -1:
        """Whether a text is as long as it may be, and of its pattern."""
        cdef Span text = spot(into, field.leaf)
        if text.size > field.most or field.least > 1:
            if not field.least <= _characters(text) <= field.most:
                return False
        elif text.size < field.least:
            return False
        return field.first < 0 or self.patterns[field.first].search(words(text)) is not None

    cdef object value(self, int leaf, Payload *of):
        """A value as a condition is asked for it; an amount as its text."""
        cdef Span text = spot(of, leaf)
        cdef int form = self.forms[leaf]
        if not there(of, leaf):
            return None
        if form == Form.OBJECT:
            return self.value(self.fields[leaf].amount, of) if self.fields[leaf].money else True
        if form == Form.TRUTH:
            return text.at[0] == b"t"
        found = words(text)
        return int(found) if form == Form.WHOLE else date.fromisoformat(found) if form == Form.DATE else found

    cdef void write(self, Payload *of, Out *out) noexcept:
        """The payload as msgspec writes it."""
        self._put(self.parts, of, out)

    cdef void _put(self, Part *part, Payload *of, Out *out) noexcept:
        cdef Field *field
        cdef int place
        _put_letters(out, b"{", 1)
        for place in range(part.count):
            field = self.fields + part.first + place
            if place:
                _put_letters(out, b",", 1)
            put_raw(out, field.written)
            if not there(of, field.leaf):
                _put_letters(out, b"null", 4)
            elif field.form == Form.OBJECT:
                self._put(self.parts + field.first, of, out)
            elif field.form == Form.WHOLE or field.form == Form.TRUTH:
                put_raw(out, spot(of, field.leaf))
            else:
                _put_letters(out, b'"', 1)
                put_raw(out, spot(of, field.leaf))
                _put_letters(out, b'"', 1)
        _put_letters(out, b"}", 1)


cdef inline void _put_letters(Out *out, const char *text, int size) noexcept:
    cdef Span some
    some.at, some.size = text, size
    put_raw(out, some)


cdef dict _SHAPES = {}
"""By event type; remembered, for they hold nothing of any stream."""


cdef Shape shape_of(str name):
    """The shape of an event type; None for one that only the Python reads."""
    if name not in _SHAPES:
        try:
            _SHAPES[name] = Shape(REGISTRY[name])
        except ValueError:
            _SHAPES[name] = None
    return _SHAPES[name]


# --- events


@cython.final
@cython.no_gc
cdef class Scanned:
    """An `Entry` whose event was read where it stands.

    Attributes:
        record, item, where, source, subject, canonical: As of `Entry`. The `Event` is made when it is asked for.
    """

    @property
    def item(self):
        if self._item is None:
            self._item = (<Reader>self.reader).event(self)
        return self._item

    @property
    def where(self):
        if self._where is None:
            _, topic, partition, incarnation = self.place
            self._where = Coordinates(topic, partition, incarnation, self.offset, self.recorded, self.order)
        return self._where

    @property
    def source(self):
        return self.place[0]

    @property
    def subject(self):
        return _ascii(self.subject_text)

    @property
    def canonical(self):
        cdef char[COORDINATES] room
        return (
            self.at, _ascii(self.sequence), _ascii(self.producer), _ascii(self.ident), self.shape.name,
            words(self.origin(room)),
        )

    @property
    def seen(self):
        """What was read: the event's attributes and the values of its payload as they stand, by path."""
        found = {path: words(spot(&self.payload, leaf)) for path, leaf in self.shape.leaves.items() if there(&self.payload, leaf)}
        return self.canonical, self.subject, self.recorded, self.payload.booked, found

    cdef Span origin(self, char *room) noexcept:
        """`Event.origin`, written into this room of `COORDINATES` bytes unless the record says it."""
        cdef Span text
        cdef char *at = room
        if self.given.at is not NULL:
            return self.given
        text = _topic(self.place)
        memcpy(at, text.at, text.size)
        at += text.size
        if self.order is _SEQUENCED:
            at = _put_number(at, b":", self.offset)
        else:
            at = _put_number(_put_number(at, b"/", _partition(self.place)), b"@", self.offset)
        text.at, text.size = room, <int>(at - room)
        return text


cdef char *_put_number(char *at, char sign, i64 value) noexcept:
    """Write a sign and a number that is not negative; where they end."""
    cdef char[20] digits
    cdef int count = 0
    at[0] = sign
    at += 1
    while value or not count:
        digits[count] = <char>(48 + value % 10)
        value //= 10
        count += 1
    while count:
        count -= 1
        at[0] = digits[count]
        at += 1
    return at


cdef tuple _standing(source, where):
    """Source partition, topic, partition and incarnation; None for coordinates that cannot be written."""
    topic, partition, incarnation, *_ = where
    try:
        if len(topic.encode()) > MOST_TOPIC or partition < 0:
            return None
    except UnicodeError:
        return None
    return source, topic, partition, incarnation


cdef Span _topic(tuple place) noexcept:
    return span(place[1])


cdef i64 _partition(tuple place) noexcept:
    return place[2]


cdef inline object _ascii(Span text):
    return PyUnicode_DecodeASCII(text.at, text.size, NULL) if text.size else ""


cdef class Reader:
    """`Engine.read` and `Engine.line` for the ordinary event. Holds what few values it has met, nothing of any customer.

    Args:
        ways: How to read the types, by the words for them (`stream.wire.ways`).
        places: Reads source coordinates the first time.
        currencies: Those that have a rate.
        max_bytes, ahead: As of `Decoder`.
        reads, lines: What the Python makes of a record, and of a line.
    """

    cdef dict _shapes, _known
    cdef object _places, _reads, _lines
    cdef Py_ssize_t _max_bytes
    cdef i64 _ahead
    cdef Currencies _currencies

    def __init__(self, ways, places, currencies, Py_ssize_t max_bytes, i64 ahead, reads, lines):
        cdef int count = len(currencies), place
        self._shapes = {word: shape_of(way.name) for word, way in ways.items() if shape_of(way.name) is not None}
        self._known, self._places, self._reads, self._lines = {}, places, reads, lines
        self._max_bytes, self._ahead = max_bytes, ahead
        self._currencies.letters = <int *>calloc(2 * count + 1, sizeof(int))
        if self._currencies.letters is NULL:
            raise MemoryError
        self._currencies.count, self._currencies.places = count, self._currencies.letters + count
        for place, ccy in enumerate(sorted(currencies)):
            first, second, third = ccy.encode()
            self._currencies.letters[place] = first << 16 | second << 8 | third
            self._currencies.places[place] = exponent(ccy)

    def __dealloc__(self):
        free(self._currencies.letters)

    def read(self, object record):
        """The entry of a journal record; None where it is for the Python to say what it is."""
        cdef Scanned found
        cdef Fields fields
        cdef object headers, value
        if type(record) is Record:
            headers, value = (<Record>record).headers, (<Record>record).value
        else:
            headers, value = record.headers, record.value
        if not self._readable(value):
            return None
        try:
            if not attributes(headers, &fields) or fields.stamp.at is NULL:
                return None
        except UnicodeError:
            return None
        found = self._begun(record, value, headers)
        if not self._placed(found, fields.stamp):
            return None
        if fields.version.at is not NULL:
            return found if self._binary(found, &fields) else None
        if fields.origin.size:
            found.given = fields.origin
        return found if self._structured(found) else None

    def line(self, object record, where, str source):
        """The entry of a line of a log, whose place is known; None where it is for the Python to say what it is."""
        cdef Scanned found
        if not self._readable(record.value):
            return None
        found = self._begun(record, record.value, None)
        found.place = _standing(source, where)
        if found.place is None:
            return None
        found._where, found.offset, found.recorded, found.order = where, where[3], where[4], where[5]
        return found if self._structured(found) else None

    cdef object event(self, Scanned found):
        """The `Event`, as the Python makes it."""
        if found.headers is None:
            return self._lines(found.record, found._where, found.place[0]).item
        return self._reads(found.record).item

    cdef bint _readable(self, object value) except -1:
        if value is None or not PyBytes_CheckExact(value) or PyBytes_GET_SIZE(value) > self._max_bytes:
            return False
        if not plain(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)):
            try:
                value.decode()
            except UnicodeError:
                return False
        return True

    cdef Scanned _begun(self, object record, object value, object headers):
        cdef Scanned found = Scanned.__new__(Scanned)
        found.record, found.value, found.headers, found.reader = record, value, headers, self
        found.sequence.at = ""
        return found

    cdef bint _placed(self, Scanned found, Span text) except -1:
        """Source coordinates, as ingest writes them."""
        cdef int last = text.size - 2, middle = text.size - 3, first
        cdef PyObject *known
        if text.size < 8 or text.at[last] != b"|":
            return False
        if text.at[last + 1] == b"w":
            found.order = _WALL
        elif text.at[last + 1] == b"r":
            found.order = _RECORDED
        elif text.at[last + 1] == b"s":
            found.order = _SEQUENCED
        else:
            return False
        while middle > 0 and text.at[middle] != b"|":
            middle -= 1
        first = middle - 1
        while first > 0 and text.at[first] != b"|":
            first -= 1
        if first <= 0:
            return False
        found.offset = _digits(text.at + first + 1, middle - first - 1)
        found.recorded = _digits(text.at + middle + 1, last - middle - 1)
        if found.offset == UNREADABLE or found.recorded == UNREADABLE:
            return False
        lead = PyBytes_FromStringAndSize(text.at, first)
        known = PyDict_GetItem(self._known, lead)
        if known is not NULL:
            found.place = <tuple>known
            return True
        try:
            source, where = self._places.read(PyBytes_FromStringAndSize(text.at, text.size).decode())
        except ValueError:
            return False
        found.place = _standing(source, where)
        if found.place is None:
            return False
        self._known[lead] = found.place
        return True

    cdef bint _binary(self, Scanned found, Fields *fields) except -1:
        """An event whose attributes are headers."""
        cdef Cursor c
        found.ident, found.producer, found.subject_text = fields.ident, fields.source, fields.subject
        if fields.sequence.at is not NULL:
            if not fields.sequence.size:
                return False
            found.sequence = fields.sequence
        if fields.origin.at is not NULL:
            found.given = fields.origin
        if fields.kind.at is NULL or fields.time.at is NULL or not same(fields.version, _VERSION):
            return False
        if not self._kind(found, fields.kind):
            return False
        c.at = c.base = PyBytes_AS_STRING(found.value)
        c.end = c.at + PyBytes_GET_SIZE(found.value)
        _blank(&c)
        if not found.shape.read(&c, &found.payload, &self._currencies):
            return False
        _blank(&c)
        return c.at == c.end and self._judged(found, fields.time)

    cdef bint _structured(self, Scanned found) except -1:
        """An event that is all in its text."""
        cdef Cursor c, early
        cdef const char *after = NULL
        cdef Span[ATTRIBUTES] texts
        cdef Span name
        cdef int which, seen = 0
        early.at = NULL
        c.at = c.base = PyBytes_AS_STRING(found.value)
        c.end = c.at + PyBytes_GET_SIZE(found.value)
        if not _sign(&c, b"{"):
            return False
        while _string(&c, &name):
            which = _attribute(name)
            if not _sign(&c, b":"):
                return False
            if which == Attribute.OTHER:
                if not _passed(&c):
                    return False
            else:
                if seen >> which & 1:
                    return False
                seen |= 1 << which
                if which == Attribute.DATA and found.shape is None:
                    # its type comes later
                    early = c
                    if not _object_passed(&c):
                        return False
                    after = c.at
                elif which == Attribute.DATA:
                    if not found.shape.read(&c, &found.payload, &self._currencies):
                        return False
                elif which == Attribute.ORIGIN and _letters(&c, b"null", 4):
                    pass
                elif not _string(&c, texts + which):
                    return False
                elif which == Attribute.KIND and not self._kind(found, texts[which]):
                    return False
                elif which == Attribute.SEQUENCE:
                    found.sequence = texts[which]
                elif which == Attribute.ORIGIN and found.given.at is NULL:
                    found.given = texts[which]
            if not _sign(&c, b","):
                break
        else:
            return False
        if not _sign(&c, b"}") or c.at != c.end or seen & _NEEDED != _NEEDED:
            return False
        if early.at is not NULL and not (found.shape.read(&early, &found.payload, &self._currencies) and early.at == after):
            return False
        found.ident, found.producer = texts[<int>Attribute.IDENT], texts[<int>Attribute.SOURCE]
        found.subject_text = texts[<int>Attribute.SUBJECT]
        return same(texts[<int>Attribute.VERSION], _VERSION) and self._judged(found, texts[<int>Attribute.TIME])

    cdef bint _kind(self, Scanned found, Span text) except -1:
        """The type, by the word for it."""
        cdef PyObject *known = PyDict_GetItem(self._shapes, PyBytes_FromStringAndSize(text.at, text.size))
        if known is NULL:
            return False
        found.shape = <Shape>known
        return True

    cdef bint _judged(self, Scanned found, Span time) noexcept:
        """Whether attributes and times are as they should be."""
        if not (_printable(found.ident, MOST_NAME) and _printable(found.producer, MOST_NAME)):
            return False
        if not _printable(found.subject_text, MOST_SUBJECT) or (found.sequence.size and not _printable(found.sequence, MOST_NAME)):
            return False
        if found.given.at is not NULL and not _printable(found.given, MOST_NAME):
            return False
        found.at = instant(time.at, time.size)
        if found.at == UNREADABLE or found.at > found.recorded + self._ahead:
            return False
        return not found.payload.booked or found.payload.booked - _EPOCH <= found.recorded // _DAY + _POSTDATED


cdef bint named(bytes value, Named *into) noexcept:
    """The attributes by which ingest goes of an event that is all in its text, which is UTF-8; False where that is not plain."""
    cdef Cursor c
    cdef Span name
    cdef Span *wanted
    into.subject.at = into.recorded.at = NULL
    c.at = c.base = PyBytes_AS_STRING(value)
    c.end = c.at + PyBytes_GET_SIZE(value)
    if not _sign(&c, b"{"):
        return False
    while _string(&c, &name):
        if not _sign(&c, b":"):
            return False
        if same(name, _attributes[<int>Attribute.SUBJECT]):
            wanted = &into.subject
        elif same(name, _RECORDED_TIME):
            wanted = &into.recorded
        else:
            wanted = NULL
        if wanted is NULL:
            if not _any_passed(&c, DEPTH):
                return False
        elif wanted.at is not NULL or not _string(&c, wanted):
            return False
        if not _sign(&c, b","):
            break
    else:
        return False
    return _sign(&c, b"}") and c.at == c.end and into.subject.at is not NULL


cdef int _attribute(Span name) noexcept:
    """Which of the attributes that are read this is."""
    cdef int place
    for place in range(Attribute.VERSION, ATTRIBUTES):
        if same(name, _attributes[place]):
            return place
    return Attribute.OTHER
