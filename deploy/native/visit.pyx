# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One visit to a customer's row, in C: what its events and deadlines change in it.

Rule: knows the ordinary event and deadline only. Where a rule has something to say, it is asked in Python, over its own state
as it was (`step.hear`, `step.wake`). Where anything is out of the ordinary in any other way, the row is left as it was before
that, and that is the Python's (`Partition`, `Customer`, `step`, `timeline`). What this answers is what they would have: the
same bytes, alarms, counts and outputs.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.long cimport PyLong_AsLongLong
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memmove, memset

from stream.civil cimport floored
from stream.folds cimport Happened, Kept
from stream.packed cimport (
    In, LONGEST, NOBODY, Out, Span, Vec, array, big, binary, drop, fields, i64, insert, integer, item, mapping, octets,
    order, piece, push, put_array, put_binary, put_integer, put_mapping, put_raw, put_text, same, span, text, vec, whole, within, words,
)
from stream.rules cimport Fact, Rule, Rules
from stream.scan cimport COORDINATES, Cursor, Form, Payload, Scanned, Shape, shape_of, spot, there

import sys

from stream.domain import facts
from stream.domain.days import DAY, NEVER
from stream.domain.events import Order
from stream.domain.reasons import Outcome
from stream.engine import binding, step
from stream.engine.audience import MOST
from stream.engine.customer import RECENT, WIDTH, States
from stream.engine.filters import judge
from stream.engine.floating import Fading, Spread
from stream.engine.folding import Aum, History, WindowSum
from stream.engine.row import MARK, MOST_BYTES, VERSION, Row
from stream.wire.registry import REGISTRY

if sys.byteorder != "little":
    raise ImportError("digests are reckoned in little-endian numbers")

ctypedef unsigned long long u64

cdef i64 _NEVER = NEVER, _DAY = DAY
cdef object _WALL = Order.WALL, _SEQUENCED = Order.SEQUENCED, _RECORDED = Order.RECORDED
cdef object _PROCESSED = ("outcome", Outcome.PROCESSED.value), _UNHANDLED = ("outcome", Outcome.UNHANDLED.value)
cdef int _VERSION = VERSION
cdef int _MOST = MOST_BYTES
cdef enum:
    HEADER = 13
    MARKED = 4
    LONG = 0xDD
    # bytes of a digest; those of the last sixteen
    DIGEST = 8
    REMEMBERED = 128
    # bytes of a row that is written
    WRITTEN = 1 << 18
    # amounts of an event that a pack may ask for
    AMOUNTS = 8
    # digits of an amount
    DIGITS = 15
    # bytes of the answers to what conditions ask, and how much they may ask
    ANSWERS = 4096
    ASKED = 1024
    # visits made at once
    AT_ONCE = 16
    # bytes of room after which a visit is written down and begun anew
    ENOUGH = 1 << 19
assert (MARK, WIDTH, WIDTH * RECENT) == (MARKED, DIGEST, REMEMBERED)

cdef enum What:
    POSTED
    CLOSED
    ENDED
    ADDED
    TAKEN

_WHAT = {
    Aum._posted: What.POSTED,
    Aum._closed: What.CLOSED,
    Aum._ended: What.ENDED,
    WindowSum._add: What.ADDED,
    WindowSum._subtract: What.TAKEN,
    History._count: What.ADDED,
    Fading._add: What.ADDED,
    Fading._subtract: What.TAKEN,
    Spread._count: What.ADDED,
}
"""What a fold is, by the function that does it."""
_AMOUNTS = {What.POSTED: "balance_after", What.CLOSED: "closing_balance", What.ENDED: "amount"}
"""The amounts of balances; one whose account has ended asks for none."""


cdef struct Deadline:
    i64 place
    i64 due

cdef struct Wait:
    # facts that wait for a deadline: as they came, unread, and those that came since; or all of them, once read
    Rule *rule
    Span raw
    bint read
    Vec facts

cdef struct Held:
    # an event of an old log that waits for its recorded time to be proven complete, as it stands in the row
    i64 recorded
    Span raw

cdef struct Coming:
    # an event whose turn has come
    i64 at
    i64 recorded
    Span ident
    Span source
    Span sequence
    Span origin

cdef struct Amount:
    # an amount of a payload: which of those that the plan asks for, negative for none; the values that are its text and its currency
    int number
    int text
    int ccy

cdef struct Fold:
    int what
    int slot
    Amount amount

cdef struct Tell:
    Rule *rule
    i64 role
    Amount amount
    # values of the payload; negative for none
    int key
    int label

cdef struct Ask:
    # a value that conditions ask for: what it is, or one of the questions that are answered by yes or no
    int value
    int question


# --- the digest of an event (RFC 7693, BLAKE2b of at most one block, eight bytes long)

cdef u64[8] _IV = [
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
]
cdef unsigned char[160] _SIGMA = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
    11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
    7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
    9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
    2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
    12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
    13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
    6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
    10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
]


cdef inline u64 _turned(u64 value, int by) noexcept:
    return value >> by | value << (64 - by)


cdef inline void _mix(u64 *v, int a, int b, int c, int d, u64 x, u64 y) noexcept:
    v[a] = v[a] + v[b] + x
    v[d] = _turned(v[d] ^ v[a], 32)
    v[c] = v[c] + v[d]
    v[b] = _turned(v[b] ^ v[c], 24)
    v[a] = v[a] + v[b] + y
    v[d] = _turned(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = _turned(v[b] ^ v[c], 63)


cdef u64 _digest(const u64 *block, int size) noexcept:
    """Of a block whose first ``size`` bytes are the message and the others nought."""
    cdef u64[16] v
    cdef const unsigned char *s
    cdef int place
    cdef u64 first = _IV[0] ^ 0x01010000 ^ DIGEST
    for place in range(8):
        v[place] = v[place + 8] = _IV[place]
    v[0] = first
    v[12] ^= <u64>size
    v[14] = ~v[14]
    for place in range(12):
        s = _SIGMA + 16 * (place % 10)
        _mix(v, 0, 4, 8, 12, block[s[0]], block[s[1]])
        _mix(v, 1, 5, 9, 13, block[s[2]], block[s[3]])
        _mix(v, 2, 6, 10, 14, block[s[4]], block[s[5]])
        _mix(v, 3, 7, 11, 15, block[s[6]], block[s[7]])
        _mix(v, 0, 5, 10, 15, block[s[8]], block[s[9]])
        _mix(v, 1, 6, 11, 12, block[s[10]], block[s[11]])
        _mix(v, 2, 7, 8, 13, block[s[12]], block[s[13]])
        _mix(v, 3, 4, 9, 14, block[s[14]], block[s[15]])
    return first ^ v[0] ^ v[8]


# --- who listens


cdef class Hearing:
    """What concerns itself with events of the same codes (`audience.Heard`)."""

    cdef Fold *folds
    cdef Tell *tells
    cdef int fold_count
    cdef int tell_count
    # whether there is something in it that only the Python does
    cdef bint foreign

    def __dealloc__(self):
        free(self.folds)
        free(self.tells)


cdef class Type:
    """One event type."""

    cdef object audience
    cdef object decode
    cdef Shape shape
    cdef dict known
    cdef list questions
    cdef Ask *asks
    cdef int ask_count
    # values of the payload; negative where the type has none
    cdef int account
    cdef int product

    def __dealloc__(self):
        free(self.asks)


cdef class Visitor(Rules):
    """Visits rows of one plan, one after the other.

    Attributes:
        alarm: When somebody has to look at the row although no event comes (`Customer.alarm`), after a visit.
        head: When the first held event was recorded.
        moved: Whether that, any deadline that may be heard, or the clock may be another than before the visit.
        reached: Of the events of a visit, the first that was not taken.
        left: Whether there is more to be done after the last of several visits, for the Python; its row, if it has one.
        stuck: Whether there is more to be done when somebody was woken, for the Python.
    """

    cdef readonly i64 alarm
    cdef readonly i64 head
    cdef readonly bint moved
    cdef readonly int reached
    cdef readonly bint stuck
    cdef readonly bint left
    cdef readonly bytes row
    cdef dict _types
    cdef dict _spoken
    cdef object _handled
    cdef dict _topics
    cdef dict _unhandled
    cdef dict _numbers
    cdef list _amounts
    cdef object _rates
    cdef Span _base
    cdef int _decimals
    cdef bytes _mark
    cdef i64 _lateness
    cdef Rule **_timed
    cdef int _timed_count
    cdef int *_ladders
    cdef int _ladder_count
    cdef int *_balances
    cdef int _balance_count
    # the clock
    cdef i64 *_reached
    cdef i64 _latest
    cdef i64 _release
    # the row
    cdef i64 _seen
    cdef char[136] _recent
    cdef int _recent_size
    cdef Vec _inbox
    cdef Vec _waits
    cdef Vec _deadlines
    cdef Vec _loud
    cdef Vec _before
    cdef i64 _was
    cdef i64 _headed
    cdef i64 _due
    cdef i64 _timer
    cdef list _alive
    cdef Out _out
    # what the Python needs where a rule has something to say: the plan, the chunk's work, the customer, the event that came;
    # and what was said before this visit
    cdef object _plan
    cdef object _codec
    cdef object _work
    cdef object _order
    cdef object _subject
    cdef object _came
    cdef object _before_said
    # the event
    cdef Happened _event
    cdef Payload *_payload
    cdef Payload _freed
    cdef object _whole
    cdef bint[AMOUNTS] _asked
    cdef i64[AMOUNTS] _figures
    # what happened in this visit, and in all since the last `reckon`
    cdef i64 _taken
    cdef i64 _sum_taken
    cdef i64 *_late
    cdef i64 *_fired
    cdef i64 *_sum_late
    cdef i64 *_sum_fired

    def __cinit__(self, plan, codec):
        cdef int rules = len(plan.rules) + 1
        self._timed = <Rule **>calloc(rules, sizeof(Rule *))
        self._ladders = <int *>calloc(rules, sizeof(int))
        self._balances = <int *>calloc(len(plan.balances) + 1, sizeof(int))
        self._reached = <i64 *>calloc(5 * rules, sizeof(i64))
        self._out.base = <char *>malloc(WRITTEN)
        if self._timed is NULL or self._ladders is NULL or self._balances is NULL:
            raise MemoryError
        if self._reached is NULL or self._out.base is NULL:
            raise MemoryError
        self._late, self._fired = self._reached + rules, self._reached + 2 * rules
        self._sum_late, self._sum_fired = self._reached + 3 * rules, self._reached + 4 * rules

    def __dealloc__(self):
        free(self._timed)
        free(self._ladders)
        free(self._balances)
        free(self._reached)
        free(self._out.base)

    def __init__(self, plan, codec):
        cdef int place
        super().__init__(plan)
        self._plan, self._codec = plan, codec
        self._out.size = WRITTEN
        self._mark, self._lateness = plan.mark, plan.lateness
        self._rates, self._base, self._decimals = plan.rates, span(plan.rates.base), plan.rates.places
        self._amounts, self._types = [], {}
        self._timed_count, self._ladder_count = len(plan.timed), len(plan.ladders)
        self._balance_count = len(plan.balances)
        for place in range(self.rule_count):
            if self.rules[place].place >= 0:
                self._timed[self.rules[place].place] = self.rules + place
        for place in range(self._ladder_count):
            self._ladders[place] = self.places[plan.ladders[place]]
        for place in range(self._balance_count):
            self._balances[place] = self.places[plan.balances[place]]
        self._numbers = {rule.name: number for number, rule in enumerate(plan.rules)}
        for kind, audience in plan.audiences.items():
            found = None if kind in (*binding.PERMISSIONS, binding.ARREARS) else self._type(kind, audience)
            if found is not None:
                self._types[kind] = found
        self._handled, self._topics, self._unhandled = plan.handled, {}, {}
        self._spoken = {kind.encode(): found for kind, found in self._types.items()}

    cdef Type _type(self, str kind, audience):
        """None where its events are for the Python."""
        cdef Type found = Type()
        cdef Ask *ask
        found.audience, found.decode, found.known = audience, REGISTRY[kind].decoder.decode, {}
        found.shape = shape_of(kind)
        if found.shape is None or sum(map(len, audience.asked)) > ASKED:
            return None
        values = found.shape.leaves
        found.account, found.product = values.get("account_ref", -1), values.get("product_class", -1)
        coded, tests = audience.asked
        found.questions = [judge(test) for test in tests]
        found.asks = <Ask *>calloc(len(coded) + len(tests) + 1, sizeof(Ask))
        if found.asks is NULL:
            raise MemoryError
        for question, path in enumerate([*coded, *[test.field for test in tests]], -len(coded)):
            ask = found.asks + found.ask_count
            ask.value, ask.question = values[path], question
            found.ask_count += 1
        return found

    cdef Hearing _hearing(self, Type kind, object heard):
        """`audience.Heard`, bound to slots, rules and values."""
        cdef Hearing found = Hearing()
        cdef Fold *fold
        cdef Tell *tell
        found.folds = <Fold *>calloc(len(heard.folds) + 1, sizeof(Fold))
        found.tells = <Tell *>calloc(len(heard.rules) + 1, sizeof(Tell))
        if found.folds is NULL or found.tells is NULL:
            raise MemoryError
        for slot, take in heard.folds:
            what = _WHAT.get(getattr(take, "__func__", take))
            if what is None:
                found.foreign = True
                return found
            fold = found.folds + found.fold_count
            fold.what, fold.slot = what, self.places[slot]
            fold.amount = self._amount(kind, _AMOUNTS[what] if what in _AMOUNTS else take.__self__.field)
            found.fold_count += 1
            found.foreign = found.foreign or fold.amount.number >= AMOUNTS
        for rule, role in heard.rules:
            tell = found.tells + found.tell_count
            tell.rule, tell.role = self.rules + <int>self._numbers[rule.name], role
            tell.amount = self._amount(kind, rule.amount)
            tell.key, tell.label = kind.shape.leaves.get(rule.key, -1), kind.shape.leaves.get(rule.label, -1)
            found.tell_count += 1
            found.foreign = found.foreign or tell.amount.number >= AMOUNTS
        return found

    cdef Amount _amount(self, Type kind, object field) except *:
        """Where an amount is found; nowhere for no field, or one that the type has not."""
        cdef Amount found
        found.number = -1
        if field is not None:
            if field not in self._amounts:
                self._amounts.append(field)
            found.number = self._amounts.index(field)
        found.text = kind.shape.leaves.get(f"{field}.amount", -1)
        found.ccy = kind.shape.leaves.get(f"{field}.ccy", -1)
        return found

    # --- what the engine asks

    def admit(self, entry, told, dict high, dict dead, place, clock, order):
        """`Partition._admit` of an ordinary event of this order; False where it is for the Python."""
        cdef Scanned event
        cdef PyObject *known
        cdef object floor
        if type(entry) is not Scanned:
            return False
        event = <Scanned>entry
        if event.order is not order:
            return False
        floor = clock.floor
        if order is _SEQUENCED:
            if event.recorded - 1 > floor:
                floor = clock.floor = event.recorded - 1
        else:
            source = <object>PyTuple_GET_ITEM(event.place, 0)
            known = PyDict_GetItem(high, source)
            if known is not NULL and event.offset <= <i64>PyLong_AsLongLong(<object>known):
                return False
            high[source] = event.offset
        topic = <object>PyTuple_GET_ITEM(event.place, 1)
        if dead:
            dead.pop(topic, None)
        known = PyDict_GetItem(self._topics, topic)
        self._topics[topic] = 1 if known is NULL else <object>known + 1
        if event.shape.name not in self._handled:
            self._unhandled[event.shape.name] = self._unhandled.get(event.shape.name, 0) + 1
            return True
        subject = event.subject
        known = PyDict_GetItem(<dict>told, subject)
        if known is NULL:
            (<dict>told)[subject] = [(place, entry, floor)]
        else:
            (<list>known).append((place, entry, floor))
        return True

    def begin(self, work, order, list reached, i64 latest, i64 release):
        """Before visits: who collects what they bring about, and how far the clock is.

        Args:
            order: Of all events that come.
            reached: For each of the rules that wait.
            latest: For whoever is furthest.
            release: For events that are held.
        """
        cdef int place
        self._work, self._order = work, order
        for place in range(self._timed_count):
            self._reached[place] = reached[place]
        self._latest, self._release = latest, release

    def visits(self, list told, int place, dict overlay, dict rows):
        """Visits of these customers from a place on: some, or up to the first with more to do than its row; the next place."""
        cdef int end = min(<int>len(told), place + AT_ONCE)
        self.left = False
        while place < end and not self.left:
            subject, events = told[place]
            place += 1
            row = self.visit(subject, overlay.get(subject) or rows.get(subject), events, 0)
            if row is not None:
                overlay[subject] = row
            self.row = row
            self.left = row is None or self.moved or self.reached < len(events) or len(row) > _MOST
        return place

    def visit(self, subject, bytes raw, list events, int begin):
        """The row after these events, as far as they could be taken; None where the first already is for the Python.

        Args:
            raw: The row; None where there is none yet.
            events: Place in the chunk, `Entry` and the recorded time that was complete before it, which for
                `Order.SEQUENCED` is what the clock says; else it is what `begin` said.
            begin: The first event that counts. Afterwards `reached` is the first that was not taken.
        """
        cdef int end = <int>len(events)
        self.reached, self._subject = begin, subject
        try:
            end = self._run(raw, events, begin, end)
            if end < len(events) and end > begin:
                # once more, up to where it became odd
                self._run(raw, events, begin, end)
            row = self._end() if end > begin else None
        except Exception:
            row = None
        self._said(row is not None)
        if row is not None:
            self.reached = end
            # the clock of a log of its own order moves between ticks
            self.moved = self._order is _SEQUENCED or self.alarm != self._was or self.head != self._headed or self._loud.count != self._before.count or (
                self._loud.count and memcmp(self._loud.at, self._before.at, self._loud.count * sizeof(Deadline)) != 0
            )
        return row

    cdef int _run(self, bytes raw, list events, int place, int end) except -1:
        """Take the events from one place to another; where it became odd."""
        cdef bint sequenced = self._order is _SEQUENCED, recorded = self._order is _RECORDED
        cdef Scanned event
        self._begin(raw)
        if self.scratch.odd:
            return place
        self._listen()
        self._before, self._was, self._headed = self._loud, self.alarm, self.head
        self._next_due()
        while place < end and not self.scratch.odd and self.scratch.used < ENOUGH:
            came = self._came = events[place]
            if type(came[1]) is not Scanned:
                self.scratch.odd = True
                break
            event = <Scanned>came[1]
            if recorded:
                self._hold(event)
                if event.recorded <= self._release and not self.scratch.odd:
                    self._advance(-1)
            else:
                if sequenced:
                    self._behind(came[2])
                if self._due <= self._latest:
                    self._advance(-1)
                if not self.scratch.odd:
                    self._event_of(event)
            if self.scratch.odd:
                break
            place += 1
        return place

    cdef void _behind(self, i64 floor) noexcept:
        """The clock of a log of its own order: all sources are complete up to here."""
        cdef int place
        self._latest, self._release = floor, floor
        for place in range(self._timed_count):
            self._reached[place] = floor

    def wake(self, subject, bytes raw, bint begun):
        """The row after its deadlines and held events whose time has come, as far as they could be; None where none could.

        The same row where nothing has come that may be heard. Afterwards `stuck` says whether there is more, for the Python.

        Args:
            begun: Whether something has come already, so that all that has come is due now, heard or not.
        """
        self.stuck, self._subject, self._came = True, subject, None
        try:
            row = self._woken(raw, begun)
        except Exception:
            row = None
        self._said(row is not None)
        return row

    cdef object _woken(self, bytes raw, bint begun):
        cdef int steps
        self._begin(raw)
        if self.scratch.odd:
            return None
        self._listen()
        if self.scratch.odd:
            return None
        if not begun and not self._awaited():
            self.stuck = False
            return raw
        steps = self._advance(-1)
        if not self.scratch.odd:
            row = self._end()
            self.stuck = row is None
            return row
        if steps < 1:
            return None
        self._begin(raw)
        self._advance(steps)
        return self._end()

    cdef bint _awaited(self) noexcept:
        """`Partition._awaited`, after `_listen`."""
        cdef Deadline *deadline
        cdef int place
        if self.head <= self._release:
            return True
        for place in range(self._loud.count):
            deadline = <Deadline *>item(&self._loud, place)
            if deadline.due <= self._reached[deadline.place]:
                return True
        return False

    def loud(self):
        """`Customer.loud`, after a visit."""
        cdef Deadline *deadline
        cdef int place
        found = {}
        for place in range(self._loud.count):
            deadline = <Deadline *>item(&self._loud, place)
            found[deadline.place] = deadline.due
        return found

    def reckon(self, counts):
        """What happened in the visits since this was last asked."""
        cdef int place
        if self._topics:
            for topic, read in self._topics.items():
                counts["read", topic] += read
            self._topics.clear()
        if self._unhandled:
            for name, met in self._unhandled.items():
                counts[_UNHANDLED] += met
                counts["unhandled", name] += met
            self._unhandled.clear()
        if self._sum_taken:
            counts[_PROCESSED] += self._sum_taken
            self._sum_taken = 0
        for place in range(self._timed_count):
            if self._sum_late[place]:
                counts["late", self._name(place)] += self._sum_late[place]
            if self._sum_fired[place]:
                counts["timer_fired", self._name(place)] += self._sum_fired[place]
            self._sum_late[place] = self._sum_fired[place] = 0

    cdef object _name(self, int place):
        return PyBytes_FromStringAndSize(self._timed[place].name.at, self._timed[place].name.size).decode()

    # --- the row

    cdef int _begin(self, bytes raw) except -1:
        cdef In of
        self._said(False)
        self.scratch.used, self.scratch.odd = NOBODY, False
        memset(self.kept, 0, self.count * sizeof(self.kept[0]))
        memset(self._late, 0, self._timed_count * sizeof(i64))
        memset(self._fired, 0, self._timed_count * sizeof(i64))
        vec(&self._deadlines, sizeof(Deadline))
        vec(&self._loud, sizeof(Deadline))
        vec(&self._waits, sizeof(Wait))
        vec(&self._inbox, sizeof(Held))
        self.head = _NEVER
        self._seen, self._recent_size, self._taken = 0, 0, 0
        self._alive = None
        if raw is None:
            return 0
        of.at, of.scratch = PyBytes_AS_STRING(raw), &self.scratch
        of.end = of.at + PyBytes_GET_SIZE(raw)
        if not HEADER < of.end - of.at <= LONGEST or of.at[0] != _VERSION:
            self.scratch.odd = True
        elif memcmp(of.at + HEADER - MARKED, PyBytes_AS_STRING(self._mark), MARKED) != 0:
            self.scratch.odd = True
        else:
            of.at += HEADER
            self._read(&of)
        return 0

    cdef void _read(self, In *of) noexcept:
        cdef Deadline *deadline
        cdef Span recent, name, state, before
        cdef int place, slot
        fields(of, 6)
        self._seen = integer(of)
        recent = binary(of)
        if recent.size > REMEMBERED or recent.size % DIGEST:
            self.scratch.odd = True
            return
        memcpy(self._recent, recent.at, recent.size)
        self._recent_size = recent.size
        for place in range(array(of)):
            self._held(whole(of))
        for place in range(mapping(of)):
            name = text(of)
            self._waited(name, whole(of))
        for place in range(mapping(of)):
            deadline = <Deadline *>push(&self.scratch, &self._deadlines)
            deadline.place, deadline.due = integer(of), integer(of)
            if not 0 <= deadline.place < self._timed_count:
                self.scratch.odd = True
                return
            for slot in range(place):
                if (<Deadline *>item(&self._deadlines, slot)).place == deadline.place:
                    self.scratch.odd = True
                    return
        slot = 0
        for place in range(mapping(of)):
            name = text(of)
            state = whole(of)
            if place and order(before, name) >= 0:
                self.scratch.odd = True
                return
            before = name
            while slot < self.count and order(self.slots[slot].name, name) < 0:
                slot += 1
            if slot < self.count and same(self.slots[slot].name, name):
                self.kept[slot].there, self.kept[slot].raw = True, state
        if of.at != of.end:
            self.scratch.odd = True

    cdef void _held(self, Span raw) noexcept:
        """An event that waits, as it came."""
        cdef Held *held
        cdef In of
        of.at, of.end, of.scratch = raw.at, raw.at + raw.size, &self.scratch
        held = <Held *>push(&self.scratch, &self._inbox)
        fields(&of, 10)
        held.recorded, held.raw = integer(&of), raw
        if self._inbox.count > 1 and held.recorded < (<Held *>item(&self._inbox, self._inbox.count - 2)).recorded:
            self.scratch.odd = True
        self.head = min(self.head, held.recorded)

    cdef void _waited(self, Span name, Span raw) noexcept:
        """Facts of a rule that wait, as they came."""
        cdef Wait *wait
        cdef int place
        for place in range(self._timed_count):
            if self._wait(self._timed[place]) is NULL and same(self._timed[place].name, name) and raw.size >= 5 and <unsigned char>raw.at[0] == LONG:
                wait = <Wait *>push(&self.scratch, &self._waits)
                wait.rule, wait.raw, wait.read = self._timed[place], raw, False
                vec(&wait.facts, sizeof(Fact))
                return
        self.scratch.odd = True

    cdef object _end(self):
        """The row's bytes; None where the visit was odd after all."""
        cdef int place
        self._listen()
        self._write()
        if self.scratch.odd or self._out.full:
            return None
        self._sum_taken += self._taken
        for place in range(self._timed_count):
            self._sum_late[place] += self._late[place]
            self._sum_fired[place] += self._fired[place]
        return PyBytes_FromStringAndSize(self._out.base, self._out.used)

    cdef void _listen(self) noexcept:
        """Which deadlines may be heard, and the alarm for the first of them."""
        cdef Deadline *deadline
        cdef Rule *rule
        cdef int place
        vec(&self._loud, sizeof(Deadline))
        self.alarm = self.head
        for place in range(self._deadlines.count):
            deadline = <Deadline *>item(&self._deadlines, place)
            rule = self._timed[deadline.place]
            if not (rule.hushed and self._wait(rule) is NULL and self.quiet(rule)):
                (<Deadline *>push(&self.scratch, &self._loud))[0] = deadline[0]
                self.alarm = min(self.alarm, deadline.due)

    cdef void _write(self) noexcept:
        cdef Out *out = &self._out
        cdef Deadline *deadline
        cdef Span recent
        cdef int place, slots = 0
        out.used, out.full = 0, False
        octets(out, <unsigned char>_VERSION, self.alarm, 8)
        recent.at, recent.size = PyBytes_AS_STRING(self._mark), MARKED
        put_raw(out, recent)
        put_array(out, 6)
        put_integer(out, self._seen)
        recent.at, recent.size = self._recent, self._recent_size
        put_binary(out, recent)
        put_array(out, self._inbox.count)
        for place in range(self._inbox.count):
            put_raw(out, (<Held *>item(&self._inbox, place)).raw)
        put_mapping(out, self._waits.count)
        for place in range(self._waits.count):
            self._put_wait(<Wait *>item(&self._waits, place), out)
        put_mapping(out, self._deadlines.count)
        for place in range(self._deadlines.count):
            deadline = <Deadline *>item(&self._deadlines, place)
            put_integer(out, deadline.place)
            put_integer(out, deadline.due)
        for place in range(self.count):
            slots += self.kept[place].there or self.kept[place].touched
        put_mapping(out, slots)
        for place in range(self.count):
            if self.kept[place].touched:
                put_text(out, self.slots[place].name)
                self.write(place, self.kept[place].state, out)
            elif self.kept[place].there:
                put_text(out, self.slots[place].name)
                put_raw(out, self.kept[place].raw)

    cdef void _put_wait(self, Wait *wait, Out *out) noexcept:
        cdef i64 count = wait.facts.count
        cdef Span body
        cdef Fact *fact
        cdef int place
        put_text(out, wait.rule.name)
        body.size = 0
        if not wait.read and wait.raw.size:
            count += big(wait.raw.at + 1, 4)
            body.at, body.size = wait.raw.at + 5, wait.raw.size - 5
        octets(out, LONG, count, 4)
        if body.size:
            put_raw(out, body)
        for place in range(wait.facts.count):
            fact = <Fact *>item(&wait.facts, place)
            put_array(out, 7)
            put_integer(out, fact.role)
            put_integer(out, fact.at)
            put_integer(out, fact.day)
            put_integer(out, fact.amount)
            put_text(out, fact.key)
            put_text(out, fact.label)
            put_text(out, fact.origin)

    # --- an event

    cdef int _event_of(self, Scanned event) except -1:
        """An event whose turn has come."""
        cdef PyObject *known = PyDict_GetItem(self._types, event.shape.name)
        cdef Coming coming
        if known is NULL:
            self.scratch.odd = True
            return 0
        coming.at, coming.recorded = event.at, event.recorded
        coming.ident, coming.source, coming.sequence = event.ident, event.producer, event.sequence
        coming.origin = self._origin(event)
        self._payload, self._whole = &event.payload, event
        return self._take(<Type>known, &coming)

    cdef Span _origin(self, Scanned event) noexcept:
        """Its coordinates, in no more room than they take."""
        cdef char *room = <char *>piece(&self.scratch, COORDINATES)
        cdef Span found = event.origin(room)
        if not self.scratch.odd:
            self.scratch.used -= COORDINATES
            if found.at == room:
                piece(&self.scratch, found.size)
        return found

    cdef int _take(self, Type kind, Coming *coming) except -1:
        """`timeline.take`."""
        if not self._fresh(coming.source, coming.ident):
            self.scratch.odd = True
            return 0
        self._taken += 1
        if coming.recorded > self._seen:
            if floored(coming.recorded, _DAY) > floored(self._seen, _DAY):
                self._prune()
            self._seen = coming.recorded
        if self.scratch.odd:
            return 0
        self._event.at, self._event.origin, self._event.sequence = coming.at, coming.origin, coming.sequence
        self._event.day = self._payload.booked or self.days.day(&self.scratch, self._event.at)
        memset(self._asked, 0, sizeof(self._asked))
        return self._step(kind, coming.recorded)

    cdef bint _fresh(self, Span one, Span other) noexcept:
        """`Customer.repeats`, the other way round: an event comes for the first time, and is remembered."""
        cdef u64[16] block
        cdef int size = one.size + 1 + other.size, place
        cdef u64 digest
        if size > 128:
            return False
        memset(block, 0, sizeof(block))
        memcpy(block, one.at, one.size)
        (<char *>block)[one.size] = 0x1F
        memcpy(<char *>block + one.size + 1, other.at, other.size)
        digest = _digest(block, size)
        for place in range(0, self._recent_size, DIGEST):
            if memcmp(self._recent + place, &digest, DIGEST) == 0:
                return False
        memcpy(self._recent + self._recent_size, &digest, DIGEST)
        self._recent_size += DIGEST
        if self._recent_size > REMEMBERED:
            memmove(self._recent, self._recent + DIGEST, REMEMBERED)
            self._recent_size = REMEMBERED
        return True

    # --- events that are held

    cdef int _hold(self, Scanned event) except -1:
        """`timeline.hold`: the event waits in the row, in canonical order."""
        cdef Span name = span(event.shape.name), topic = span(<object>PyTuple_GET_ITEM(event.place, 1)), origin, body
        cdef i64 recorded = event.recorded
        cdef Held *held
        cdef Out out
        cdef int place
        cdef size_t size = event.shape.written + PyBytes_GET_SIZE(event.value)
        origin = self._origin(event)
        body.at = out.base = <char *>piece(&self.scratch, size)
        if self.scratch.odd:
            return 0
        out.size, out.used, out.full = size, 0, False
        event.shape.write(&event.payload, &out)
        body.size = <int>out.used
        size = body.size + event.sequence.size + event.producer.size + event.ident.size + name.size + origin.size + topic.size + 96
        out.base = <char *>piece(&self.scratch, size)
        if self.scratch.odd or out.full:
            self.scratch.odd = True
            return 0
        out.size, out.used = size, 0
        put_array(&out, 10)
        put_integer(&out, recorded)
        put_integer(&out, event.at)
        put_text(&out, event.sequence)
        put_text(&out, event.producer)
        put_text(&out, event.ident)
        put_text(&out, name)
        put_text(&out, origin)
        put_text(&out, topic)
        put_integer(&out, 0)
        put_binary(&out, body)
        body.at, body.size = out.base, <int>out.used
        place = self._inbox.count
        while place and self._sorted_after((<Held *>item(&self._inbox, place - 1)), recorded, body):
            place -= 1
        held = <Held *>insert(&self.scratch, &self._inbox, place)
        held.recorded, held.raw = recorded, body
        self.head = min(self.head, recorded)
        return 0

    cdef bint _sorted_after(self, Held *held, i64 recorded, Span other) noexcept:
        """Whether a held event comes after another one in canonical order."""
        cdef In one, two
        cdef Span left, right
        cdef i64 first, second
        cdef int place, found
        if held.recorded != recorded:
            return held.recorded > recorded
        one.at, one.end, one.scratch = held.raw.at, held.raw.at + held.raw.size, &self.scratch
        two.at, two.end, two.scratch = other.at, other.at + other.size, &self.scratch
        fields(&one, 10)
        fields(&two, 10)
        for place in range(10):
            if place in (0, 1, 8):
                first, second = integer(&one), integer(&two)
                if first != second:
                    return first > second
            else:
                left, right = (binary(&one), binary(&two)) if place == 9 else (text(&one), text(&two))
                found = order(left, right)
                if found:
                    return found > 0
        return False

    cdef int _released(self) except -1:
        """The turn of the first held event has come."""
        cdef Span raw = (<Held *>item(&self._inbox, 0)).raw, name, body
        cdef Coming coming
        cdef Cursor at
        cdef PyObject *known
        cdef In of
        drop(&self._inbox, 0, 1)
        self.head = (<Held *>item(&self._inbox, 0)).recorded if self._inbox.count else _NEVER
        of.at, of.end, of.scratch = raw.at, raw.at + raw.size, &self.scratch
        fields(&of, 10)
        coming.recorded, coming.at = integer(&of), integer(&of)
        coming.sequence, coming.source, coming.ident = text(&of), text(&of), text(&of)
        name, coming.origin = text(&of), text(&of)
        text(&of)
        integer(&of)
        body = binary(&of)
        known = PyDict_GetItem(self._spoken, PyBytes_FromStringAndSize(name.at, name.size))
        self._payload, self._whole = &self._freed, None
        at.at = at.base = body.at
        at.end = body.at + body.size
        if self.scratch.odd or known is NULL or not (<Type>known).shape.read(&at, &self._freed, NULL) or at.at != at.end:
            self.scratch.odd = True
            return 0
        return self._take(<Type>known, &coming)

    cdef void _prune(self) noexcept:
        """`Customer.prune`."""
        cdef Deadline *deadline
        cdef i64 least
        cdef int place, other
        for place in range(self._balance_count):
            if not self.prunable(self._balances[place]):
                continue
            least = self.days.day(&self.scratch, self._seen)
            for other in range(self._ladder_count):
                least = min(least, self.judged(self._ladders[other]))
            for other in range(self._deadlines.count):
                deadline = <Deadline *>item(&self._deadlines, other)
                least = min(least, self.days.day(&self.scratch, deadline.due - self._lateness - 1))
            self.prune(self._balances[place], least - 1)

    cdef int _step(self, Type kind, i64 now) except -1:
        """`step.step`."""
        cdef Hearing hearing = self._heard(kind)
        cdef int place
        if hearing is None or hearing.foreign:
            self.scratch.odd = True
            return 0
        place = 0
        while place < hearing.fold_count and not self.scratch.odd:
            self._fold(hearing.folds + place, kind)
            place += 1
        place = 0
        while place < hearing.tell_count and not self.scratch.odd:
            self._tell(hearing.tells + place, kind, now)
            place += 1
        return 0

    cdef Hearing _heard(self, Type kind):
        """Whom the payload concerns, by the values that their conditions ask for; None where these are too long."""
        cdef char[ANSWERS] answers
        cdef PyObject *known
        cdef Ask *ask
        cdef Span answer
        cdef int place, used = 0
        for place in range(kind.ask_count):
            ask = kind.asks + place
            if ask.question >= 0:
                answers[used] = <bint>kind.questions[ask.question](kind.shape.value(ask.value, self._payload))
            else:
                answer = spot(self._payload, ask.value)
                if used + answer.size + 2 > ANSWERS - ASKED:
                    return None
                answers[used] = there(self._payload, ask.value)
                memcpy(answers + used + 1, answer.at, answer.size)
                used += answer.size + 1
                # no text has such a character
                answers[used] = 0x1F
            used += 1
        key = PyBytes_FromStringAndSize(answers, used)
        known = PyDict_GetItem(kind.known, key)
        if known is not NULL:
            return <Hearing>known
        if len(kind.known) >= MOST:
            kind.known.clear()
        found = kind.known[key] = self._hearing(kind, kind.audience.of(self._data(kind)))
        return found

    cdef object _data(self, Type kind):
        """The payload as the Python knows it."""
        cdef Out out
        if self._whole is not None:
            return self._whole.item.data
        out.base, out.size, out.used, out.full = self._out.base, self._out.size, 0, False
        kind.shape.write(self._payload, &out)
        if out.full:
            raise MemoryError
        return kind.decode(PyBytes_FromStringAndSize(out.base, out.used))

    cdef int _fold(self, Fold *fold, Type kind) except -1:
        cdef Span account, product
        if fold.what == What.ADDED:
            self.fold(fold.slot, &self._event, self._money(&fold.amount))
        elif fold.what == What.TAKEN:
            self.fold(fold.slot, &self._event, -self._money(&fold.amount))
        else:
            self.touch(fold.slot)
            account = spot(self._payload, kind.account)
            if fold.what == What.ENDED:
                self.ended(fold.slot, account, self._event.day)
            elif account.size and there(self._payload, fold.amount.text):
                product = spot(self._payload, kind.product)
                self.posted(fold.slot, &self._event, account, product, self._money(&fold.amount), fold.what == What.CLOSED)
        return 0

    cdef i64 _money(self, Amount *amount) except? -1:
        """`Seen.amount`."""
        cdef int number = amount.number
        if not self._asked[number]:
            self._figures[number] = 0
            if there(self._payload, amount.text):
                self._figures[number] = self._minor(spot(self._payload, amount.text), spot(self._payload, amount.ccy))
            self._asked[number] = True
        return within(&self.scratch, self._figures[number])

    cdef i64 _minor(self, Span digits, Span ccy) except? -1:
        """`Rates.to_base`; in C for the base currency, as it is written."""
        cdef i64 value = 0
        cdef int place = 0, after = -1
        if not same(ccy, self._base) or digits.size > DIGITS:
            return self._rates.to_base(words(digits), words(ccy))
        if digits.size and digits.at[0] == b"-":
            place = 1
        for place in range(place, digits.size):
            if digits.at[place] == b"." and after < 0:
                after = 0
            elif 48 <= digits.at[place] <= 57:
                value = value * 10 + digits.at[place] - 48
                after += after >= 0
            else:
                return self._rates.to_base(words(digits), words(ccy))
        if after > self._decimals:
            return self._rates.to_base(words(digits), words(ccy))
        for place in range(max(after, 0), self._decimals):
            value *= 10
        return -value if digits.size and digits.at[0] == b"-" else value

    cdef int _tell(self, Tell *tell, Type kind, i64 now) except -1:
        """`step.tell`."""
        cdef Rule *rule = tell.rule
        cdef i64 proven
        cdef Fact fact
        fact.role, fact.at, fact.day = tell.role, self._event.at, self._event.day
        fact.amount = 0 if tell.amount.number < 0 else self._money(&tell.amount)
        fact.key, fact.label = self._text(kind.shape, tell.key), self._text(kind.shape, tell.label)
        fact.origin = self._event.origin
        if self.scratch.odd:
            return 0
        if rule.place < 0:
            self._hear(rule, &fact, now)
            return 0
        proven = fact.at + self._lateness
        if proven >= self._deadline_of(rule):
            self._defer(rule, &fact)
            return 0
        self._hear(rule, &fact, now)
        self._renew(rule)
        if now > proven:
            self._late[rule.place] += 1
        if self._wait(rule) is not NULL:
            self._catch_up(rule, now)
        return 0

    # --- what is said

    cdef int _hear(self, Rule *rule, Fact *fact, i64 now) except -1:
        """`step.hear`; `step.wake` without a fact."""
        cdef Kept before
        cdef int slot
        if rule.slot >= 0:
            before = self._still(rule.slot)
        if self.scratch.odd:
            return 0
        if fact is NULL:
            self.fire(rule)
        else:
            self.tell(rule, fact)
        if self.scratch.odd:
            self.scratch.odd = False
            for slot in range(self.count):
                if not self.kept[slot].touched:
                    # it may be because of what was read there, which must not be taken for read
                    self.kept[slot].state = NULL
            if rule.slot >= 0:
                self.kept[rule.slot] = before
            self._aloud(rule, fact, now)
        return 0

    cdef Kept _still(self, int slot) noexcept:
        """A slot as it is now, in bytes: what is done to its state from here on does not change them."""
        cdef Kept found = self.kept[slot]
        cdef Out out
        if found.touched:
            out.used, out.full = 0, False
            out.base, out.size = self._out.base, self._out.size
            self.write(slot, found.state, &out)
            if out.full:
                self.scratch.odd = True
                return found
            found.raw.at, found.raw.size = <char *>piece(&self.scratch, out.used), <int>out.used
            if not self.scratch.odd:
                memcpy(<char *>found.raw.at, out.base, out.used)
            found.there, found.touched = True, False
        found.state = NULL
        return found

    cdef int _aloud(self, Rule *rule, Fact *fact, i64 now) except -1:
        """A rule has something to say: what is known of the customer goes to the Python, and what changed comes back."""
        cdef Kept *kept
        cdef bytes raw
        if self._before_said is None:
            self._before_said = self._work.mark
        if self._came is not None:
            self._work.place = self._came[0]
        known = self._known()
        if self.scratch.odd:
            return 0
        states = States(self._plan, self._codec, self._subject, Row(slots=known))
        bound = self._plan.rules[<int>(rule - self.rules)]
        if fact is NULL:
            step.wake(self._work, states, bound, now)
        else:
            told = facts.Fact(
                fact.role, fact.at, fact.day, fact.amount, words(fact.key), words(fact.label), words(fact.origin)
            )
            step.hear(self._work, states, bound, told, now)
        if self._alive is None:
            self._alive = []
        for name, raw in states.changes().items():
            kept = self.kept + <int>self.places[name]
            kept.there, kept.touched, kept.state = True, False, NULL
            kept.raw.at, kept.raw.size = PyBytes_AS_STRING(raw), <int>PyBytes_GET_SIZE(raw)
            self._alive.append(raw)
        return 0

    cdef dict _known(self):
        """The slots of the row as they are now, in bytes."""
        cdef Kept kept
        cdef int place = 0
        found = {}
        for name in self.places:
            kept = self._still(place)
            if kept.there:
                found[name] = PyBytes_FromStringAndSize(kept.raw.at, kept.raw.size)
            place += 1
        return found

    cdef int _said(self, bint kept) except -1:
        """What was said in this visit is kept, or was not said."""
        if self._before_said is not None:
            if not kept:
                self._work.undo(self._before_said)
            self._before_said = None
        return 0

    cdef Span _text(self, Shape shape, int value) noexcept:
        """`rules._text` of a value; nothing where there is none."""
        cdef Span found = spot(self._payload, value)
        if value >= 0 and there(self._payload, value):
            if shape.forms[value] == Form.TRUTH:
                found.at = "True" if found.at[0] == b"t" else "False"
            elif shape.forms[value] == Form.OBJECT:
                self.scratch.odd = True
        return found

    # --- deadlines

    cdef i64 _deadline_of(self, Rule *rule) noexcept:
        cdef int place
        for place in range(self._deadlines.count):
            if (<Deadline *>item(&self._deadlines, place)).place == rule.place:
                return (<Deadline *>item(&self._deadlines, place)).due
        return _NEVER

    cdef void _renew(self, Rule *rule) noexcept:
        """`Customer.renew`."""
        cdef Deadline *deadline
        cdef i64 due
        cdef int place
        due = self.due(rule)
        for place in range(self._deadlines.count):
            deadline = <Deadline *>item(&self._deadlines, place)
            if deadline.place == rule.place:
                break
        else:
            if due == _NEVER:
                return
            deadline = <Deadline *>push(&self.scratch, &self._deadlines)
            deadline.place, place = rule.place, self._deadlines.count - 1
        if due == _NEVER:
            drop(&self._deadlines, place, 1)
            return
        deadline.due = due + self._lateness
        if deadline.due < self._due:
            self._due = deadline.due

    cdef void _next_due(self) noexcept:
        """`Customer.next_due`."""
        cdef int place
        self._timer = _NEVER
        for place in range(self._deadlines.count):
            self._timer = min(self._timer, (<Deadline *>item(&self._deadlines, place)).due)
        self._due = min(self._timer, self.head)

    cdef int _advance(self, int most) except -2:
        """`timeline.advance`, of so many steps at most unless that is negative; how many were made before one was odd."""
        cdef Deadline *deadline
        cdef i64 due, head
        cdef int place, chosen, steps = 0
        self._next_due()
        while self._due <= self._latest and steps != most:
            head = self.head if self.head <= self._release else _NEVER
            chosen, due = -1, head
            if head == _NEVER or head > self._timer:
                for place in range(self._deadlines.count):
                    deadline = <Deadline *>item(&self._deadlines, place)
                    if deadline.due < due or (deadline.due == due and chosen >= 0 and deadline.place < chosen):
                        if deadline.due <= self._reached[deadline.place]:
                            chosen, due = <int>deadline.place, deadline.due
            if chosen >= 0:
                self._fired[chosen] += 1
                self._fire(self._timed[chosen], self._reached[chosen] if self._order is _WALL else max(due, self._seen))
            elif head < _NEVER:
                self._released()
            else:
                break
            if self.scratch.odd:
                break
            steps += 1
            self._next_due()
        return steps

    cdef int _fire(self, Rule *rule, i64 now) except -1:
        """`step.fire`."""
        self._hear(rule, NULL, now)
        if self._wait(rule) is not NULL:
            self._catch_up(rule, now)
        else:
            self._renew(rule)
        return 0

    # --- facts that wait

    cdef Wait *_wait(self, Rule *rule) noexcept:
        cdef int place
        for place in range(self._waits.count):
            if (<Wait *>item(&self._waits, place)).rule is rule:
                return <Wait *>item(&self._waits, place)
        return NULL

    cdef void _defer(self, Rule *rule, Fact *fact) noexcept:
        """`Customer.defer`."""
        cdef Wait *wait = self._wait(rule)
        if wait is NULL:
            wait = <Wait *>push(&self.scratch, &self._waits)
            wait.rule, wait.read, wait.raw.size = rule, False, 0
            vec(&wait.facts, sizeof(Fact))
        (<Fact *>push(&self.scratch, &wait.facts))[0] = fact[0]

    cdef void _waiting(self, Wait *wait) noexcept:
        """`Customer.waiting`: read, and in the order of their times."""
        cdef Vec facts
        cdef In of
        cdef Fact moved
        cdef Fact *fact
        cdef int count, place, to
        if not wait.read and wait.raw.size:
            of.at, of.end, of.scratch = wait.raw.at, wait.raw.at + wait.raw.size, &self.scratch
            vec(&facts, sizeof(Fact))
            for place in range(array(&of)):
                fact = <Fact *>push(&self.scratch, &facts)
                fields(&of, 7)
                fact.role, fact.at, fact.day, fact.amount = integer(&of), integer(&of), integer(&of), integer(&of)
                fact.key, fact.label, fact.origin = text(&of), text(&of), text(&of)
            for place in range(wait.facts.count):
                (<Fact *>push(&self.scratch, &facts))[0] = (<Fact *>item(&wait.facts, place))[0]
            if self.scratch.odd:
                return
            wait.facts = facts
        wait.read = True
        for place in range(1, wait.facts.count):
            to = place
            moved = (<Fact *>item(&wait.facts, place))[0]
            while to and self._sooner(&moved, <Fact *>item(&wait.facts, to - 1)):
                (<Fact *>item(&wait.facts, to))[0] = (<Fact *>item(&wait.facts, to - 1))[0]
                to -= 1
            (<Fact *>item(&wait.facts, to))[0] = moved

    cdef bint _sooner(self, Fact *one, Fact *other) noexcept:
        return one.at < other.at or (one.at == other.at and order(one.origin, other.origin) < 0)

    cdef int _catch_up(self, Rule *rule, i64 now) except -1:
        """`step.catch_up`."""
        cdef Wait *wait = self._wait(rule)
        cdef int heard = 0
        self.touch(rule.slot)
        self._waiting(wait)
        while heard < wait.facts.count and not self.scratch.odd:
            if (<Fact *>item(&wait.facts, heard)).at >= self.due(rule):
                break
            self._hear(rule, <Fact *>item(&wait.facts, heard), now)
            heard += 1
        drop(&wait.facts, 0, heard)
        if not wait.facts.count:
            self._forget(rule)
        self._renew(rule)
        return 0

    cdef void _forget(self, Rule *rule) noexcept:
        cdef int place
        for place in range(self._waits.count):
            if (<Wait *>item(&self._waits, place)).rule is rule:
                drop(&self._waits, place, 1)
                return
