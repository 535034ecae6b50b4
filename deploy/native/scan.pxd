"""Events read where they stand: what `visit` and `stamped` need of them."""

cimport cython

from stream.packed cimport Out, Span, i64

cdef enum:
    # values of a payload; a type of more is left to the Python
    MOST = 32
    # bytes of an event's coordinates
    COORDINATES = 512

cdef enum Form:
    TEXT
    WORD
    WHOLE
    TRUTH
    DATE
    OBJECT


cdef struct Leaf:
    # where a value stands; of a text what is between its quotes, of an object nothing. Negative where there is none
    int begin
    int size


cdef struct Cursor:
    const char *at
    const char *end
    # what leaves are counted from
    const char *base


cdef struct Payload:
    # a payload that was read: its values, and the date that it names for itself as an ordinal, nought where it names none
    const char *base
    Leaf leaves[MOST]
    i64 booked


cdef struct Currencies:
    # those in which an amount may be, three letters each, with their decimals; of none known any amount is taken as it is
    int count
    int *letters
    int *places


cdef struct Field:
    # name, and how it is written within its object
    Span name
    Span written
    int form
    # its number among the values
    int leaf
    bint needed
    bint nullable
    bint booked
    # length of a text, or the number itself
    i64 least
    i64 most
    # of a word: which of the shape's words it may be; of a text: its pattern, -1 for none; of an object: its part
    int first
    int count
    # of an amount: whether it may be negative; leaves of its text and currency
    bint money
    bint negative
    int amount
    int ccy


cdef struct Part:
    # the fields of an object, in their order
    int first
    int count
    unsigned long long needed


cdef struct Named:
    # what ingest reads of an event that is all in its text: its subject and its recorded time; no place where there is none
    Span subject
    Span recorded


cdef class Shape:
    cdef readonly str name
    cdef readonly dict leaves
    cdef Field *fields
    cdef Part *parts
    cdef Span *words
    cdef int *forms
    cdef list alive
    cdef list patterns
    cdef int written
    cdef int _lay(self, Field *into, int leaf, path, field, entry, list known, int inner) except -1
    cdef Span _kept(self, str text) except *
    cdef bint read(self, Cursor *c, Payload *into, Currencies *known) except -1
    cdef bint _object(self, Part *part, Cursor *c, Payload *into, Currencies *known) except -1
    cdef bint _value(self, Field *field, Cursor *c, Payload *into, Currencies *known) except -1
    cdef bint _text(self, Field *field, Payload *into) except -1
    cdef object value(self, int leaf, Payload *of)
    cdef void write(self, Payload *of, Out *out) noexcept
    cdef void _put(self, Part *part, Payload *of, Out *out) noexcept


cdef inline Span spot(Payload *of, int leaf) noexcept:
    """A value as it stands; nothing where there is none."""
    cdef Span found
    found.at, found.size = "", 0
    if leaf >= 0 and of.leaves[leaf].size >= 0:
        found.at, found.size = of.base + of.leaves[leaf].begin, of.leaves[leaf].size
    return found


cdef inline bint there(Payload *of, int leaf) noexcept:
    return leaf >= 0 and of.leaves[leaf].size >= 0


@cython.final
cdef class Scanned:
    cdef readonly object record
    cdef bytes value
    cdef object headers
    cdef object reader
    cdef Shape shape
    cdef Payload payload
    cdef i64 at
    cdef i64 recorded
    cdef i64 offset
    cdef Span ident
    cdef Span producer
    cdef Span subject_text
    cdef Span sequence
    cdef Span given
    cdef tuple place
    cdef object order
    cdef object _where
    cdef object _item
    cdef Span origin(self, char *room) noexcept


cdef Shape shape_of(str name)
cdef bint named(bytes value, Named *into) noexcept
