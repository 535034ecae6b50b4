# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Features of one row in C: the states of `stream.features`, folded and asked as `stream.engine.folding` does.

Rule: the Python is the reference. What is out of the ordinary marks the scratch as odd (see `packed`).
"""

from libc.math cimport exp, expm1, fabs, floor, llrint, log1p, sqrt
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memset

from stream.civil cimport floored
from stream.packed cimport (
    In, Out, ROOM, Scratch, Span, Vec, array, beyond, drop, fields, i64, insert, integer, integers, item, mapping, numbers,
    order, piece, push, put_array, put_integer, put_integers, put_mapping, put_real, put_text, real, same, text, vec, widen, within,
)

from stream.domain.days import DAY, EPOCH
from stream.features.balances import SPARE, Balances
from stream.features.decayed import Decayed as DecayedState
from stream.features.histograms import BITS, Histogram as HistogramState
from stream.features.moments import ROUNDING, Moments as MomentsState
from stream.features.windows import SLACK, Window as WindowState

cdef i64 _DAY = DAY, _EPOCH = EPOCH, _SLACK = SLACK, _QUARTER = 900_000, _PPM = 1_000_000
cdef int _BITS = BITS, _SPARE = SPARE
cdef double _ROUNDED = 1 + ROUNDING
cdef double _EXACT = 1 << 53
cdef i64 _NONE = -1 << 60

_KINDS = {
    Balances: Kind.BALANCES,
    WindowState: Kind.WINDOW,
    HistogramState: Kind.HISTOGRAM,
    DecayedState: Kind.DECAYED,
    MomentsState: Kind.MOMENTS,
}
_FIGURES = {Kind.WINDOW: "days", Kind.HISTOGRAM: "quantile", Kind.DECAYED: "span", Kind.MOMENTS: "deviations"}
"""The one figure that a feature of this kind has."""


cdef struct Entry:
    i64 day
    i64 at
    Span sequence
    i64 minor
    Span origin

cdef struct Pot:
    Span product
    Vec entries

cdef struct Account:
    Span reference
    Vec posted
    Vec closed
    i64 ended

cdef struct Moved:
    i64 at
    Span origin

cdef struct Window:
    Vec days
    Vec sums
    Moved moved

cdef struct Bucket:
    i64 index
    i64 count

cdef struct Histogram:
    Vec buckets
    Moved moved

cdef struct Decayed:
    double value
    Moved moved

cdef struct Moments:
    i64 count
    double mean
    double squares
    Moved moved


cdef class Days:
    """A calendar; remembers what it was asked, as `Calendar` does, in C."""

    def __init__(self, calendar):
        cdef int place
        self._calendar = calendar
        for place in range(1024):
            self._quarters[place] = self._days[place] = _NONE

    cdef i64 day(self, Scratch *scratch, i64 at) noexcept:
        cdef i64 quarter = floored(at, _QUARTER)
        cdef int place = quarter & 1023
        if self._quarters[place] != quarter:
            try:
                self._offsets[place] = self._calendar.offset(at)
            except BaseException:
                scratch.odd = True
                return 0
            self._quarters[place] = quarter
        return floored(at + self._offsets[place], _DAY) + _EPOCH

    cdef i64 close(self, Scratch *scratch, i64 day) noexcept:
        cdef int place = day & 1023
        if self._days[place] != day:
            try:
                self._starts[place] = self._calendar.close(day)
            except BaseException:
                scratch.odd = True
                return 0
            self._days[place] = day
        return self._starts[place]


cdef void _read_moved(In *of, Moved *into) noexcept:
    into.at = integer(of)
    into.origin = text(of)


cdef void _put_moved(Out *out, Moved *moved) noexcept:
    put_integer(out, moved.at)
    put_text(out, moved.origin)


cdef void _move(Moved *moved, Happened *event) noexcept:
    """Whichever is the later, by time and origin."""
    if event.at > moved.at or (event.at == moved.at and order(event.origin, moved.origin) > 0):
        moved.at, moved.origin = event.at, event.origin


cdef int _later(Entry *one, Entry *other) noexcept:
    """Above nought if ``one`` is the greater, as tuples are compared."""
    cdef int found
    if one.day != other.day:
        return 1 if one.day > other.day else -1
    if one.at != other.at:
        return 1 if one.at > other.at else -1
    found = order(one.sequence, other.sequence)
    if found:
        return found
    if one.minor != other.minor:
        return 1 if one.minor > other.minor else -1
    return order(one.origin, other.origin)


cdef int _after(Vec *entries, i64 day) noexcept:
    """How many entries are not after this date."""
    cdef int place = entries.count
    while place and (<Entry *>item(entries, place - 1)).day > day:
        place -= 1
    return place


cdef Entry *_latest(Vec *entries, i64 day) noexcept:
    cdef int place = _after(entries, day)
    return <Entry *>item(entries, place - 1) if place else NULL


cdef bint _one_pot(Account *account) noexcept:
    cdef Pot *posted
    cdef Pot *closed
    if account.posted.count + account.closed.count == 1:
        return True
    if account.posted.count != 1 or account.closed.count != 1:
        return False
    posted, closed = <Pot *>item(&account.posted, 0), <Pot *>item(&account.closed, 0)
    return not posted.product.size or not closed.product.size or same(posted.product, closed.product)


cdef void _read_pots(In *of, Vec *into) noexcept:
    cdef int pots = mapping(of), pot, entry, entries
    cdef Pot *read
    cdef Entry *found
    vec(into, sizeof(Pot))
    widen(of.scratch, into, pots + 1)
    for pot in range(pots):
        read = <Pot *>push(of.scratch, into)
        read.product = text(of)
        entries = array(of)
        vec(&read.entries, sizeof(Entry))
        widen(of.scratch, &read.entries, entries + 2)
        for entry in range(entries):
            fields(of, 5)
            found = <Entry *>push(of.scratch, &read.entries)
            found.day, found.at = integer(of), integer(of)
            found.sequence = text(of)
            found.minor = integer(of)
            found.origin = text(of)


cdef void _put_pots(Out *out, Vec *pots) noexcept:
    cdef int place, entry
    cdef Pot *pot
    cdef Entry *put
    put_mapping(out, pots.count)
    for place in range(pots.count):
        pot = <Pot *>item(pots, place)
        put_text(out, pot.product)
        put_array(out, pot.entries.count)
        for entry in range(pot.entries.count):
            put = <Entry *>item(&pot.entries, entry)
            put_array(out, 5)
            put_integer(out, put.day)
            put_integer(out, put.at)
            put_text(out, put.sequence)
            put_integer(out, put.minor)
            put_text(out, put.origin)


cdef i64 _bucket(i64 amount) noexcept:
    cdef int bits = 0, shift
    while amount >> bits:
        bits += 1
    shift = max(bits - _BITS - 1, 0)
    return (<i64>shift << _BITS) + (amount >> shift)


cdef i64 _ceiling(i64 index) noexcept:
    cdef i64 shift
    if index < 2 << _BITS:
        return index
    shift = (index >> _BITS) - 1
    return ((index - (shift << _BITS) + 1) << shift) - 1


cdef class Features:
    """The slots of one row after the other.

    Args:
        plan: The pack, bound: its slots are those that a row may have.
    """

    def __cinit__(self, plan, *_):
        self.scratch.base = <char *>malloc(ROOM)
        self.count = len(plan.slots)
        self.slots = <Slot *>calloc(self.count, sizeof(Slot))
        self.kept = <Kept *>calloc(self.count, sizeof(Kept))
        if self.scratch.base is NULL or self.slots is NULL or self.kept is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.scratch.base)
        free(self.slots)
        free(self.kept)

    def __init__(self, plan):
        cdef Slot *slot
        cdef bytes name
        self.days = Days(plan.calendar)
        self.places = {key: number for number, key in enumerate(sorted(plan.slots))}
        self.names = [key.encode() for key in self.places]
        for key, place in self.places.items():
            slot = self.slots + <int>place
            name = self.names[place]
            slot.kind = _KINDS.get(plan.slots[key], Kind.OTHER)
            slot.name.at, slot.name.size = name, len(name)
        for feature in plan.features.values():
            slot = self.slots + <int>self.places[feature.slot]
            if slot.kind in _FIGURES:
                slot.figure = getattr(feature, _FIGURES[slot.kind])

    cdef void *room(self, size_t size) noexcept:
        """An empty state: nought everywhere."""
        cdef void *found = piece(&self.scratch, size)
        memset(found, 0, size)
        return found

    cdef void *glance(self, int slot) noexcept:
        """The state in a slot, only to be read; NULL while it is empty."""
        cdef Kept *kept = self.kept + slot
        cdef In of
        if kept.state is NULL and kept.there:
            of.at, of.end, of.scratch = kept.raw.at, kept.raw.at + kept.raw.size, &self.scratch
            kept.state = self.parse(slot, &of)
            if of.at != of.end:
                self.scratch.odd = True
        return kept.state

    cdef void *touch(self, int slot) noexcept:
        """The state in a slot, to be changed; an empty one is begun."""
        cdef Kept *kept = self.kept + slot
        if self.glance(slot) is NULL:
            kept.state = self.parse(slot, NULL)
        kept.touched = True
        return kept.state

    cdef void *parse(self, int slot, In *of) noexcept:
        """The state in these bytes; an empty one where there are none."""
        cdef int kind = self.slots[slot].kind
        if kind == Kind.BALANCES:
            return _balances(self, of)
        if kind == Kind.WINDOW:
            return _window(self, of)
        if kind == Kind.HISTOGRAM:
            return _histogram(self, of)
        if kind == Kind.DECAYED:
            return _decayed(self, of)
        if kind == Kind.MOMENTS:
            return _moments(self, of)
        self.scratch.odd = True
        return self.scratch.base

    cdef void write(self, int slot, void *state, Out *out) noexcept:
        """Inverse of `parse`."""
        cdef int kind = self.slots[slot].kind, place
        if kind == Kind.BALANCES:
            _put_balances(self, <Vec *>state, out)
        elif kind == Kind.WINDOW:
            put_array(out, 4)
            put_integers(out, &(<Window *>state).days)
            put_integers(out, &(<Window *>state).sums)
            _put_moved(out, &(<Window *>state).moved)
        elif kind == Kind.HISTOGRAM:
            put_array(out, 3)
            put_mapping(out, (<Histogram *>state).buckets.count)
            for place in range((<Histogram *>state).buckets.count):
                put_integer(out, (<Bucket *>item(&(<Histogram *>state).buckets, place)).index)
                put_integer(out, (<Bucket *>item(&(<Histogram *>state).buckets, place)).count)
            _put_moved(out, &(<Histogram *>state).moved)
        elif kind == Kind.DECAYED:
            put_array(out, 3)
            put_real(out, (<Decayed *>state).value)
            _put_moved(out, &(<Decayed *>state).moved)
        elif kind == Kind.MOMENTS:
            put_array(out, 5)
            put_integer(out, (<Moments *>state).count)
            put_real(out, (<Moments *>state).mean)
            put_real(out, (<Moments *>state).squares)
            _put_moved(out, &(<Moments *>state).moved)
        else:
            self.scratch.odd = True

    # --- folds

    cdef void posted(self, int slot, Happened *event, Span account, Span product, i64 minor, bint closing) noexcept:
        """`balances.post`, or `balances.close`."""
        cdef Vec *accounts = <Vec *>self.touch(slot)
        cdef Account *found
        cdef Vec *pots
        cdef Pot *pot = NULL
        cdef Entry entry
        cdef Entry *there
        cdef int place
        if self.scratch.odd:
            return
        found = _account(self, accounts, account)
        pots = &found.closed if closing else &found.posted
        if self.scratch.odd:
            return
        entry.day, entry.at, entry.sequence, entry.minor, entry.origin = event.day, event.at, event.sequence, minor, event.origin
        for place in range(pots.count):
            if same((<Pot *>item(pots, place)).product, product):
                pot = <Pot *>item(pots, place)
                break
        if pot is NULL:
            pot = <Pot *>push(&self.scratch, pots)
            pot.product = product
            vec(&pot.entries, sizeof(Entry))
        if self.scratch.odd:
            return
        place = _after(&pot.entries, entry.day)
        there = <Entry *>item(&pot.entries, place - 1) if place else NULL
        if there is not NULL and there.day == entry.day:
            if _later(&entry, there) > 0:
                there[0] = entry
        else:
            (<Entry *>insert(&self.scratch, &pot.entries, place))[0] = entry

    cdef void ended(self, int slot, Span account, i64 day) noexcept:
        """`balances.end`."""
        cdef Vec *accounts = <Vec *>self.touch(slot)
        cdef Account *found
        if self.scratch.odd:
            return
        found = _account(self, accounts, account)
        found.ended = max(found.ended, day)

    cdef void fold(self, int slot, Happened *event, i64 amount) noexcept:
        """One amount into a feature that is no balance."""
        cdef int kind = self.slots[slot].kind
        cdef void *state = self.touch(slot)
        if self.scratch.odd:
            return
        if kind == Kind.WINDOW:
            _add(self, <Window *>state, self.slots[slot].figure, event, amount)
        elif kind == Kind.HISTOGRAM:
            _tally(self, <Histogram *>state, event, -amount if amount < 0 else amount)
        elif kind == Kind.DECAYED:
            _fade(self, <Decayed *>state, self.slots[slot].figure, event, amount)
        elif kind == Kind.MOMENTS:
            _spread(self, <Moments *>state, event, -amount if amount < 0 else amount)
        else:
            self.scratch.odd = True

    # --- questions

    cdef i64 amount(self, int slot, i64 day) noexcept:
        """`Read.amount`: base minor units at the close of a date; 0 while the slot is empty."""
        cdef int kind = self.slots[slot].kind
        cdef void *state = self.glance(slot)
        if state is NULL:
            return 0
        if kind == Kind.BALANCES:
            return _as_of(self, <Vec *>state, day)
        if kind == Kind.WINDOW:
            return _total(self, <Window *>state, self.slots[slot].figure, day)
        if kind == Kind.DECAYED:
            return _left(self, <Decayed *>state, self.slots[slot].figure, day)
        return self.standing(slot, 0).usual

    cdef Standing standing(self, int slot, i64 amount) noexcept:
        """`Read.standing` without the rank, which only a trigger shows."""
        cdef int kind = self.slots[slot].kind
        cdef void *state = self.glance(slot)
        cdef Standing none
        none.history = none.usual = 0
        if state is NULL:
            return none
        if kind == Kind.HISTOGRAM:
            return _among(self, <Histogram *>state, self.slots[slot].figure, amount)
        if kind == Kind.MOMENTS:
            return _beside(self, <Moments *>state, self.slots[slot].figure, amount)
        return none

    cdef bint prunable(self, int slot) noexcept:
        """`balances.prunable`; not of an empty slot."""
        cdef Vec *accounts = <Vec *>self.glance(slot)
        cdef Vec *pots
        cdef int place, which, pot
        if accounts is NULL:
            return False
        for place in range(accounts.count):
            for which in range(2):
                pots = &(<Account *>item(accounts, place)).posted if which else &(<Account *>item(accounts, place)).closed
                for pot in range(pots.count):
                    if (<Pot *>item(pots, pot)).entries.count > _SPARE:
                        return True
        return False

    cdef void prune(self, int slot, i64 before) noexcept:
        """`balances.prune`."""
        cdef Vec *accounts = <Vec *>self.touch(slot)
        cdef Vec *pots
        cdef Vec *entries
        cdef int place, which, pot
        for place in range(accounts.count):
            for which in range(2):
                pots = &(<Account *>item(accounts, place)).posted if which else &(<Account *>item(accounts, place)).closed
                for pot in range(pots.count):
                    entries = &(<Pot *>item(pots, pot)).entries
                    if entries.count > 1:
                        drop(entries, 0, _after(entries, before) - 1)


cdef Vec *_balances(Features self, In *of) noexcept:
    cdef Vec *accounts = <Vec *>self.room(sizeof(Vec))
    cdef Account *account
    cdef int count = 0, place
    vec(accounts, sizeof(Account))
    if of is not NULL:
        fields(of, 1)
        count = mapping(of)
    widen(&self.scratch, accounts, count + 1)
    for place in range(count):
        account = <Account *>push(&self.scratch, accounts)
        account.reference = text(of)
        fields(of, 3)
        _read_pots(of, &account.posted)
        _read_pots(of, &account.closed)
        account.ended = integer(of)
    return accounts


cdef Window *_window(Features self, In *of) noexcept:
    cdef Window *state = <Window *>self.room(sizeof(Window))
    vec(&state.days, sizeof(i64))
    vec(&state.sums, sizeof(i64))
    if of is not NULL:
        fields(of, 4)
        integers(of, &state.days)
        integers(of, &state.sums)
        _read_moved(of, &state.moved)
        if state.days.count != state.sums.count:
            self.scratch.odd = True
    return state


cdef Histogram *_histogram(Features self, In *of) noexcept:
    cdef Histogram *state = <Histogram *>self.room(sizeof(Histogram))
    cdef Bucket *bucket
    cdef int count, place
    vec(&state.buckets, sizeof(Bucket))
    if of is not NULL:
        fields(of, 3)
        count = mapping(of)
        widen(&self.scratch, &state.buckets, count + 2)
        for place in range(count):
            bucket = <Bucket *>push(&self.scratch, &state.buckets)
            bucket.index, bucket.count = integer(of), integer(of)
        _read_moved(of, &state.moved)
    return state


cdef Decayed *_decayed(Features self, In *of) noexcept:
    cdef Decayed *state = <Decayed *>self.room(sizeof(Decayed))
    if of is not NULL:
        fields(of, 3)
        state.value = real(of)
        _read_moved(of, &state.moved)
    return state


cdef Moments *_moments(Features self, In *of) noexcept:
    cdef Moments *state = <Moments *>self.room(sizeof(Moments))
    if of is not NULL:
        fields(of, 5)
        state.count = integer(of)
        state.mean, state.squares = real(of), real(of)
        _read_moved(of, &state.moved)
    return state


cdef void _put_balances(Features self, Vec *accounts, Out *out) noexcept:
    cdef Account *account
    cdef int place
    put_array(out, 1)
    put_mapping(out, accounts.count)
    for place in range(accounts.count):
        account = <Account *>item(accounts, place)
        put_text(out, account.reference)
        put_array(out, 3)
        _put_pots(out, &account.posted)
        _put_pots(out, &account.closed)
        put_integer(out, account.ended)


# --- folds


cdef Account *_account(Features self, Vec *accounts, Span reference) noexcept:
    cdef Account *account
    cdef int place
    for place in range(accounts.count):
        account = <Account *>item(accounts, place)
        if same(account.reference, reference):
            return account
    account = <Account *>push(&self.scratch, accounts)
    memset(account, 0, sizeof(Account))
    account.reference = reference
    vec(&account.posted, sizeof(Pot))
    vec(&account.closed, sizeof(Pot))
    return account


cdef void _add(Features self, Window *state, i64 length, Happened *event, i64 amount) noexcept:
    cdef Vec *days = &state.days
    cdef Vec *sums = &state.sums
    cdef i64 day = event.day
    cdef int place, gone
    if not days.count or numbers(days)[days.count - 1] < day:
        (<i64 *>push(&self.scratch, days))[0] = day
        (<i64 *>push(&self.scratch, sums))[0] = amount
        gone = beyond(days, day - length - _SLACK)
        drop(days, 0, gone)
        drop(sums, 0, gone)
    elif day > numbers(days)[days.count - 1] - length - _SLACK:
        place = beyond(days, day)
        if place and numbers(days)[place - 1] == day:
            numbers(sums)[place - 1] = within(&self.scratch, numbers(sums)[place - 1] + amount)
        else:
            (<i64 *>insert(&self.scratch, days, place))[0] = day
            (<i64 *>insert(&self.scratch, sums, place))[0] = amount
    _move(&state.moved, event)


cdef void _tally(Features self, Histogram *state, Happened *event, i64 amount) noexcept:
    cdef i64 index = _bucket(amount)
    cdef Bucket *bucket
    cdef int place
    for place in range(state.buckets.count):
        bucket = <Bucket *>item(&state.buckets, place)
        if bucket.index == index:
            bucket.count += 1
            break
    else:
        bucket = <Bucket *>push(&self.scratch, &state.buckets)
        bucket.index, bucket.count = index, 1
    _move(&state.moved, event)


cdef void _fade(Features self, Decayed *state, i64 span, Happened *event, i64 amount) noexcept:
    cdef i64 ahead = event.at - state.moved.at
    if ahead >= 0:
        state.value = state.value * exp(<double>-ahead / <double>span) + <double>amount
        if ahead or order(event.origin, state.moved.origin) > 0:
            state.moved.at, state.moved.origin = event.at, event.origin
    else:
        state.value += <double>amount * exp(<double>ahead / <double>span)


cdef void _spread(Features self, Moments *state, Happened *event, i64 amount) noexcept:
    cdef double x = log1p(<double>amount), distance
    state.count += 1
    distance = x - state.mean
    state.mean += distance / <double>state.count
    state.squares += distance * (x - state.mean)
    _move(&state.moved, event)


# --- questions


cdef i64 _as_of(Features self, Vec *accounts, i64 day) noexcept:
    cdef Account *account
    cdef Entry *movement
    cdef Entry *closing
    cdef i64 total = 0
    cdef int place
    for place in range(accounts.count):
        account = <Account *>item(accounts, place)
        if account.ended and day >= account.ended:
            continue
        if not _one_pot(account):
            total = within(&self.scratch, total + _merged(self, account, day))
            continue
        movement = closing = NULL
        if account.posted.count:
            movement = _latest(&(<Pot *>item(&account.posted, 0)).entries, day)
        if account.closed.count:
            closing = _latest(&(<Pot *>item(&account.closed, 0)).entries, day)
        if closing is NULL or (movement is not NULL and movement.day > closing.day):
            closing = movement
        if closing is not NULL:
            total = within(&self.scratch, total + within(&self.scratch, closing.minor))
    return total


cdef i64 _merged(Features self, Account *account, i64 day) noexcept:
    """`balances._merged`, summed: events that name no product belong to the only one, else to the demand deposit."""
    cdef Span home
    cdef Span product
    cdef Vec *pots
    cdef i64 total = 0
    cdef int which, place
    cdef bint known = False
    home.at, home.size = "", 0
    for which in range(2):
        pots = &account.closed if which else &account.posted
        for place in range(pots.count):
            product = (<Pot *>item(pots, place)).product
            if product.size == 6 and memcmp(product.at, b"DEMAND", 6) == 0:
                home, known = product, True
            elif product.size and not known and (not home.size or order(product, home) < 0):
                home = product
    if not home.size:
        return _standing_in(self, account, home, False, day)
    for which in range(2):
        pots = &account.closed if which else &account.posted
        for place in range(pots.count):
            product = (<Pot *>item(pots, place)).product
            if product.size and not (which and _pot(&account.posted, product) is not NULL):
                total = within(&self.scratch, total + _standing_in(self, account, product, same(product, home), day))
    return total


cdef Pot *_pot(Vec *pots, Span product) noexcept:
    cdef int place
    for place in range(pots.count):
        if same((<Pot *>item(pots, place)).product, product):
            return <Pot *>item(pots, place)
    return NULL


cdef i64 _standing_in(Features self, Account *account, Span product, bint home, i64 day) noexcept:
    """What is in one product of an account as of a date."""
    cdef Entry *movement = _best(&account.posted, product, home, day)
    cdef Entry *closing = _best(&account.closed, product, home, day)
    if closing is NULL or (movement is not NULL and movement.day > closing.day):
        closing = movement
    return 0 if closing is NULL else within(&self.scratch, closing.minor)


cdef Entry *_best(Vec *pots, Span product, bint home, i64 day) noexcept:
    """The latest entry of a product, for the home of what names none of those, too; NULL for none."""
    cdef Entry *best = NULL
    cdef Entry *found
    cdef Pot *pot
    cdef int place
    for place in range(pots.count):
        pot = <Pot *>item(pots, place)
        if same(pot.product, product) or (home and not pot.product.size):
            found = _latest(&pot.entries, day)
            if found is not NULL and (best is NULL or _later(found, best) > 0):
                best = found
    return best


cdef i64 _total(Features self, Window *state, i64 length, i64 day) noexcept:
    cdef int low = beyond(&state.days, day - length), high = beyond(&state.days, day), place
    cdef i64 total = 0
    for place in range(low, high):
        total = within(&self.scratch, total + within(&self.scratch, numbers(&state.sums)[place]))
    return total


cdef i64 _left(Features self, Decayed *state, i64 span, i64 day) noexcept:
    cdef i64 since = self.days.close(&self.scratch, day) - state.moved.at
    cdef double value = state.value * exp(-<double>(since if since > 0 else 0) / <double>span)
    if not fabs(value) < _EXACT:
        self.scratch.odd = True
        return 0
    return llrint(value)


cdef Standing _among(Features self, Histogram *state, i64 quantile, i64 amount) noexcept:
    cdef Standing found
    cdef Vec *buckets = &state.buckets
    cdef Bucket *bucket
    cdef i64 own = _bucket(amount), history = -1, seen = 0, wanted, others, below = -1
    cdef int place, turn, next
    found.history = found.usual = 0
    if amount < 0:
        self.scratch.odd = True
        return found
    for place in range(buckets.count):
        history += (<Bucket *>item(buckets, place)).count
    if history <= 0:
        return found
    found.history = history
    wanted = (history * quantile + _PPM - 1) // _PPM
    for turn in range(buckets.count):
        # the next bucket in ascending order
        next = -1
        for place in range(buckets.count):
            bucket = <Bucket *>item(buckets, place)
            if bucket.index > below and (next < 0 or bucket.index < (<Bucket *>item(buckets, next)).index):
                next = place
        if next < 0:
            self.scratch.odd = True
            return found
        bucket = <Bucket *>item(buckets, next)
        below = bucket.index
        others = bucket.count - (bucket.index == own)
        if seen < wanted and wanted <= seen + others:
            found.usual = _ceiling(bucket.index)
        seen += others
    return found


cdef Standing _beside(Features self, Moments *state, i64 deviations, i64 amount) noexcept:
    cdef Standing found
    cdef i64 others = state.count - 1
    cdef double x, mean, squares, bound
    found.history = found.usual = 0
    if others <= 0:
        return found
    x = log1p(<double>amount)
    mean = state.mean - (x - state.mean) / <double>others
    squares = state.squares - (x - state.mean) * (x - mean)
    if squares < 0:
        squares = 0
    bound = expm1(mean + sqrt(squares / <double>others) * <double>deviations / <double>_PPM) * _ROUNDED
    if not fabs(bound) < _EXACT:
        self.scratch.odd = True
        return found
    found.history, found.usual = others, <i64>floor(bound) + 1
    return found


