"""Room to work in, and MessagePack in and out, for `folds`, `rules` and `visit`.

Rule: nothing here fails, but `span` of what has no UTF-8. What is out of the ordinary (another type than expected, a number
beyond 64 bits, no room left) marks the scratch as `odd`, and the visit that it belongs to is left to the Python. Until that is
looked at, answers are harmless.
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcmp, memcpy, memmove

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

ctypedef long long i64

cdef enum:
    # bytes of room; no single piece may take more than a quarter of it
    ROOM = 1 << 22
    # bytes at its beginning that belong to nobody: what is written once the scratch is odd
    NOBODY = 1 << 12
    # a longer row is left to the Python
    LONGEST = 1 << 16


cdef struct Scratch:
    char *base
    size_t used
    bint odd


cdef struct Span:
    # text or bytes that live elsewhere as long as the visit lasts
    const char *at
    int size


cdef struct Vec:
    # a list of structs that are `size` bytes each
    char *at
    int count
    int room
    int size


cdef struct In:
    const char *at
    const char *end
    Scratch *scratch


cdef struct Out:
    char *base
    size_t used
    size_t size
    bint full


cdef inline void *piece(Scratch *scratch, size_t size) noexcept:
    """Room for ``size`` bytes."""
    cdef size_t begin = scratch.used
    size = (size + 7) & ~<size_t>7
    if size > ROOM // 4 or begin + size > ROOM:
        scratch.odd = True
        return scratch.base
    scratch.used = begin + size
    return scratch.base + begin


cdef inline i64 within(Scratch *scratch, i64 value) noexcept:
    """A number that is small enough to reckon with: the sum of two such is within 64 bits."""
    if not -<i64>0x1000000000000000 < value < <i64>0x1000000000000000:
        scratch.odd = True
        return 0
    return value


# --- lists


cdef inline void vec(Vec *into, int size) noexcept:
    into.at, into.count, into.room, into.size = NULL, 0, 0, size


cdef inline void *item(Vec *of, int place) noexcept:
    return of.at + <size_t>place * of.size


cdef inline void widen(Scratch *scratch, Vec *of, int room) noexcept:
    cdef char *wider
    if room <= of.room:
        return
    wider = <char *>piece(scratch, <size_t>room * of.size)
    if scratch.odd:
        # nothing in it, so that nobody walks over what is not there
        of.at, of.count, of.room = scratch.base, 0, 0
        return
    if of.count:
        memcpy(wider, of.at, <size_t>of.count * of.size)
    of.at, of.room = wider, room


cdef inline void *insert(Scratch *scratch, Vec *of, int place) noexcept:
    """Room for one more at this place."""
    cdef char *at
    if of.count == of.room:
        widen(scratch, of, 2 * of.count + 4)
    if scratch.odd:
        return scratch.base
    at = of.at + <size_t>place * of.size
    memmove(at + of.size, at, <size_t>(of.count - place) * of.size)
    of.count += 1
    return at


cdef inline void *push(Scratch *scratch, Vec *of) noexcept:
    return insert(scratch, of, of.count)


cdef inline void drop(Vec *of, int place, int count) noexcept:
    """Take so many out from this place on."""
    cdef char *at = of.at + <size_t>place * of.size
    if count > 0:
        memmove(at, at + <size_t>count * of.size, <size_t>(of.count - place - count) * of.size)
        of.count -= count


cdef inline i64 *numbers(Vec *of) noexcept:
    return <i64 *>of.at


cdef inline int beyond(Vec *of, i64 value) noexcept:
    """`bisect_right` of ascending numbers."""
    cdef int low = 0, high = of.count, middle
    while low < high:
        middle = (low + high) // 2
        if value < numbers(of)[middle]:
            high = middle
        else:
            low = middle + 1
    return low


# --- texts


cdef inline Span span(object of) except *:
    """The text's UTF-8, as long as it lives."""
    cdef Span found
    cdef Py_ssize_t size
    found.at = PyUnicode_AsUTF8AndSize(of, &size)
    found.size = <int>size
    return found


cdef inline str words(Span of):
    return PyUnicode_DecodeUTF8(of.at, of.size, NULL) if of.size else ""


cdef inline int order(Span one, Span other) noexcept:
    """Below, at or above nought, as Python orders the texts: by code points, as UTF-8 does by bytes."""
    cdef int least = one.size if one.size < other.size else other.size
    cdef int found = memcmp(one.at, other.at, least) if least else 0
    return found if found else one.size - other.size


cdef inline bint same(Span one, Span other) noexcept:
    return one.size == other.size and (one.at == other.at or memcmp(one.at, other.at, one.size) == 0)


# --- MessagePack in


cdef inline i64 big(const char *at, int size) noexcept:
    """An unsigned number in network order; of eight bytes its bits."""
    cdef unsigned long long value = 0
    cdef int place
    for place in range(size):
        value = value << 8 | <unsigned char>at[place]
    return <i64>value


cdef inline bint left(In *of, i64 size) noexcept:
    """Whether so many bytes are there; marks the scratch when not, and leaves nothing to be read."""
    if 0 <= size <= of.end - of.at:
        return True
    of.scratch.odd = True
    of.at = of.end
    return False


cdef inline unsigned char head(In *of) noexcept:
    if not left(of, 1):
        return 0xC1
    of.at += 1
    return <unsigned char>of.at[-1]


cdef inline i64 tail(In *of, int size) noexcept:
    """The number that follows the head."""
    if not left(of, size):
        return 0
    of.at += size
    return big(of.at - size, size)


cdef inline i64 odd(In *of) noexcept:
    of.scratch.odd = True
    of.at = of.end
    return 0


cdef inline i64 integer(In *of) noexcept:
    cdef unsigned char code = head(of)
    cdef i64 value
    if code < 0x80:
        return code
    if code >= 0xE0:
        return <i64>code - 256
    if code == 0xCC:
        return tail(of, 1)
    if code == 0xCD:
        return tail(of, 2)
    if code == 0xCE:
        return tail(of, 4)
    if code == 0xCF:
        value = tail(of, 8)
        return value if value >= 0 else odd(of)
    if code == 0xD0:
        return <signed char>tail(of, 1)
    if code == 0xD1:
        return <short>tail(of, 2)
    if code == 0xD2:
        return <int>tail(of, 4)
    if code == 0xD3:
        return tail(of, 8)
    return odd(of)


cdef inline double real(In *of) noexcept:
    cdef i64 bits
    cdef double value
    if head(of) != 0xCB:
        odd(of)
        return 0
    bits = tail(of, 8)
    memcpy(&value, &bits, 8)
    return value


cdef inline int counted(In *of, i64 count) noexcept:
    """A number of things that each take a byte at least."""
    return <int>count if left(of, count) else 0


cdef inline int array(In *of) noexcept:
    cdef unsigned char code = head(of)
    if code & 0xF0 == 0x90:
        return counted(of, code & 0x0F)
    if code == 0xDC:
        return counted(of, tail(of, 2))
    if code == 0xDD:
        return counted(of, tail(of, 4))
    return <int>odd(of)


cdef inline void fields(In *of, int wanted) noexcept:
    """An array of exactly so many."""
    if array(of) != wanted:
        odd(of)


cdef inline int mapping(In *of) noexcept:
    cdef unsigned char code = head(of)
    if code & 0xF0 == 0x80:
        return counted(of, code & 0x0F)
    if code == 0xDE:
        return counted(of, tail(of, 2))
    if code == 0xDF:
        return counted(of, tail(of, 4))
    return <int>odd(of)


cdef inline Span some(In *of, i64 size) noexcept:
    cdef Span found
    found.at, found.size = of.at, 0
    if left(of, size):
        found.size = <int>size
        of.at += size
    return found


cdef inline Span text(In *of) noexcept:
    cdef unsigned char code = head(of)
    if code & 0xE0 == 0xA0:
        return some(of, code & 0x1F)
    if code == 0xD9:
        return some(of, tail(of, 1))
    if code == 0xDA:
        return some(of, tail(of, 2))
    if code == 0xDB:
        return some(of, tail(of, 4))
    odd(of)
    return some(of, 0)


cdef inline Span binary(In *of) noexcept:
    cdef unsigned char code = head(of)
    if code == 0xC4:
        return some(of, tail(of, 1))
    if code == 0xC5:
        return some(of, tail(of, 2))
    if code == 0xC6:
        return some(of, tail(of, 4))
    odd(of)
    return some(of, 0)


cdef inline Span whole(In *of) noexcept:
    """The next thing, whatever it is, as it stands."""
    cdef Span found
    cdef i64 things = 1
    cdef unsigned char code
    found.at = of.at
    while things > 0 and not of.scratch.odd:
        things -= 1
        code = head(of)
        if code < 0x80 or code >= 0xE0 or code == 0xC0 or code == 0xC2 or code == 0xC3:
            continue
        if code & 0xE0 == 0xA0:
            some(of, code & 0x1F)
        elif code & 0xF0 == 0x90:
            things += code & 0x0F
        elif code & 0xF0 == 0x80:
            things += 2 * (code & 0x0F)
        elif code == 0xCC or code == 0xD0:
            some(of, 1)
        elif code == 0xCD or code == 0xD1:
            some(of, 2)
        elif code == 0xCA or code == 0xCE or code == 0xD2:
            some(of, 4)
        elif code == 0xCB or code == 0xCF or code == 0xD3:
            some(of, 8)
        elif code == 0xC4 or code == 0xD9:
            some(of, tail(of, 1))
        elif code == 0xC5 or code == 0xDA:
            some(of, tail(of, 2))
        elif code == 0xC6 or code == 0xDB:
            some(of, tail(of, 4))
        elif code == 0xDC:
            things += tail(of, 2)
        elif code == 0xDD:
            things += tail(of, 4)
        elif code == 0xDE:
            things += 2 * tail(of, 2)
        elif code == 0xDF:
            things += 2 * tail(of, 4)
        else:
            odd(of)
    found.size = <int>(of.at - found.at)
    return found


cdef inline void integers(In *of, Vec *into) noexcept:
    """A list of numbers, with room for some more."""
    cdef int count = array(of), place
    vec(into, sizeof(i64))
    widen(of.scratch, into, count + 4)
    for place in range(count):
        (<i64 *>push(of.scratch, into))[0] = integer(of)


# --- MessagePack out, each number and length in its shortest form


cdef inline void octets(Out *out, unsigned char code, i64 value, int size) noexcept:
    cdef int place
    if out.used + 9 > out.size:
        out.full = True
        return
    out.base[out.used] = <char>code
    for place in range(size):
        out.base[out.used + size - place] = <char>(value >> 8 * place)
    out.used += 1 + size


cdef inline void put_raw(Out *out, Span some) noexcept:
    if out.used + some.size > out.size:
        out.full = True
        return
    memcpy(out.base + out.used, some.at, some.size)
    out.used += some.size


cdef inline void put_integer(Out *out, i64 value) noexcept:
    if value >= 0:
        if value < 0x80:
            octets(out, <unsigned char>value, 0, 0)
        elif value <= 0xFF:
            octets(out, 0xCC, value, 1)
        elif value <= 0xFFFF:
            octets(out, 0xCD, value, 2)
        elif value <= 0xFFFFFFFF:
            octets(out, 0xCE, value, 4)
        else:
            octets(out, 0xCF, value, 8)
    elif value >= -32:
        octets(out, <unsigned char>(value + 256), 0, 0)
    elif value >= -0x80:
        octets(out, 0xD0, value, 1)
    elif value >= -0x8000:
        octets(out, 0xD1, value, 2)
    elif value >= -<i64>0x80000000:
        octets(out, 0xD2, value, 4)
    else:
        octets(out, 0xD3, value, 8)


cdef inline void put_real(Out *out, double value) noexcept:
    cdef i64 bits
    memcpy(&bits, &value, 8)
    octets(out, 0xCB, bits, 8)


cdef inline void put_text(Out *out, Span some) noexcept:
    if some.size < 32:
        octets(out, 0xA0 | some.size, 0, 0)
    elif some.size <= 0xFF:
        octets(out, 0xD9, some.size, 1)
    elif some.size <= 0xFFFF:
        octets(out, 0xDA, some.size, 2)
    else:
        octets(out, 0xDB, some.size, 4)
    put_raw(out, some)


cdef inline void put_binary(Out *out, Span some) noexcept:
    if some.size <= 0xFF:
        octets(out, 0xC4, some.size, 1)
    elif some.size <= 0xFFFF:
        octets(out, 0xC5, some.size, 2)
    else:
        octets(out, 0xC6, some.size, 4)
    put_raw(out, some)


cdef inline void put_array(Out *out, int count) noexcept:
    if count < 16:
        octets(out, 0x90 | count, 0, 0)
    elif count <= 0xFFFF:
        octets(out, 0xDC, count, 2)
    else:
        octets(out, 0xDD, count, 4)


cdef inline void put_mapping(Out *out, int count) noexcept:
    if count < 16:
        octets(out, 0x80 | count, 0, 0)
    elif count <= 0xFFFF:
        octets(out, 0xDE, count, 2)
    else:
        octets(out, 0xDF, count, 4)


cdef inline void put_integers(Out *out, Vec *some) noexcept:
    cdef int place
    put_array(out, some.count)
    for place in range(some.count):
        put_integer(out, numbers(some)[place])
