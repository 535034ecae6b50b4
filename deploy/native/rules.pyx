# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Mechanisms in C, as far as they keep silent: `stream.mechanisms` over the states of one row.

Rule: the Python is the reference. A rule that has something to say marks the scratch as odd, and its state may be anything
then: what is said, and what becomes of it, is the Python's alone.
"""

from libc.stdlib cimport calloc, free

from stream.civil cimport date, days, length
from stream.folds cimport Features, Kind
from stream.packed cimport (
    In, Out, Span, Vec, array, beyond, drop, fields, i64, insert, integer, integers, item, mapping, numbers, order, push,
    put_array, put_integer, put_integers, put_mapping, put_text, same, text, vec, widen, within,
)

from stream.domain.days import EPOCH, NEVER
from stream.mechanisms import absence, count, ladder, rhythm, sequence, significance

cdef extern from *:
    # products of what may be large
    ctypedef long long i128 "__int128"

cdef i64 _NEVER = NEVER
cdef i64 _PPM = ladder.PPM
cdef i64 _UNSEEN = ladder.UNSEEN
cdef int _MOST_KEYS = absence.MOST_KEYS, _MOST_MORE = absence.MOST_MORE
cdef i64 _EPOCH = EPOCH, _CYCLE = rhythm.CYCLE
cdef int _REMEMBERED = rhythm.REMEMBERED
cdef int _MOST_OPEN = sequence.MOST_OPEN, _PERIODS = count.PERIODS
cdef i64 _LOWEST = -NEVER, _HIGHEST = NEVER
cdef enum:
    A = 1
    B = 2

_KINDS = {
    ladder.Ladder: Kind.LADDER,
    absence.Absence: Kind.ABSENCE,
    count.Count: Kind.COUNT,
    rhythm.Rhythm: Kind.RHYTHM,
    sequence.Sequence: Kind.SEQUENCE,
    significance.Significance: Kind.SIGNIFICANCE,
}


cdef struct Ladder:
    i64 band
    i64 entered
    i64 target
    i64 since
    i64 near
    i64 risk
    i64 value
    Vec days
    i64 judged
    Span origin

cdef struct Episode:
    Span key
    i64 at
    i64 day
    i64 stage
    Span label
    Span origin

cdef struct Met:
    Span key
    i64 at

cdef struct More:
    Span key
    Vec episodes

cdef struct Absence:
    Vec open
    Vec met
    Vec more

cdef struct Counted:
    i64 period
    i64 number

cdef struct Count:
    Vec counts
    Vec days

cdef struct Rhythm:
    Vec days
    Vec amounts
    i64 missed
    Span origin

cdef struct Waiting:
    i64 at
    i64 amount
    i64 followed
    Span key
    Span origin


cdef void _read_episode(In *of, Episode *into) noexcept:
    fields(of, 5)
    into.at, into.day, into.stage = integer(of), integer(of), integer(of)
    into.label, into.origin = text(of), text(of)


cdef void _put_episode(Out *out, Episode *put) noexcept:
    put_array(out, 5)
    put_integer(out, put.at)
    put_integer(out, put.day)
    put_integer(out, put.stage)
    put_text(out, put.label)
    put_text(out, put.origin)


cdef Episode *_episode(Vec *of, int place) noexcept:
    return <Episode *>item(of, place)


cdef More *_more(Vec *of, int place) noexcept:
    return <More *>item(of, place)


cdef int _found(Vec *of, Span key) noexcept:
    """Place of what has this key (each begins with one); -1 for none."""
    cdef int place
    for place in range(of.count):
        if same((<Span *>item(of, place))[0], key):
            return place
    return -1


cdef void _forget(Vec *of, Span key) noexcept:
    cdef int place = _found(of, key)
    if place >= 0:
        drop(of, place, 1)


cdef class Rules(Features):
    """The rules of a plan."""

    def __cinit__(self, plan, *_):
        self.rule_count = len(plan.rules)
        self.rules = <Rule *>calloc(self.rule_count, sizeof(Rule))
        if self.rules is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int place
        for place in range(self.rule_count):
            free(self.rules[place].thresholds.at)
            free(self.rules[place].least.at)
            free(self.rules[place].most.at)
            free(self.rules[place].stages.at)
            free(self.rules[place].targets.at)
        free(self.rules)

    def __init__(self, plan):
        cdef Rule *rule
        cdef bytes name
        super().__init__(plan)
        self.rule_names = [bound.name.encode() for bound in plan.rules]
        for number, bound in enumerate(plan.rules):
            rule, name, policy = self.rules + <int>number, self.rule_names[number], bound.mechanism
            rule.kind = _KINDS.get(type(policy), Kind.OTHER)
            rule.name.at, rule.name.size = name, len(name)
            rule.slot = self.places[bound.slot] if bound.keeps else -1
            rule.place = bound.place if bound.waits else -1
            rule.hushed, rule.asked = bound.quiet is not None, -1
            if rule.slot >= 0:
                self.slots[rule.slot].kind = rule.kind
            _learn(self, rule, plan, policy)

    # --- states

    cdef void *parse(self, int slot, In *of) noexcept:
        cdef int kind = self.slots[slot].kind
        if kind == Kind.LADDER:
            return _ladder(self, of)
        if kind == Kind.ABSENCE:
            return _absence(self, of)
        if kind == Kind.COUNT:
            return _count(self, of)
        if kind == Kind.SEQUENCE:
            return _sequence(self, of)
        if kind == Kind.RHYTHM:
            return _rhythm(self, of)
        return Features.parse(self, slot, of)

    cdef void write(self, int slot, void *state, Out *out) noexcept:
        cdef int kind = self.slots[slot].kind
        if kind == Kind.LADDER:
            _put_ladder(self, <Ladder *>state, out)
        elif kind == Kind.ABSENCE:
            _put_absence(self, <Absence *>state, out)
        elif kind == Kind.COUNT:
            _put_count(self, <Count *>state, out)
        elif kind == Kind.SEQUENCE:
            _put_sequence(self, <Vec *>state, out)
        elif kind == Kind.RHYTHM:
            put_array(out, 4)
            put_integers(out, &(<Rhythm *>state).days)
            put_integers(out, &(<Rhythm *>state).amounts)
            put_integer(out, (<Rhythm *>state).missed)
            put_text(out, (<Rhythm *>state).origin)
        else:
            Features.write(self, slot, state, out)

    # --- what the engine asks of every mechanism

    cdef void tell(self, Rule *rule, Fact *fact) noexcept:
        """Take a fact in; odd when that brings a signal."""
        cdef int kind = rule.kind
        cdef void *state = self.touch(rule.slot) if rule.slot >= 0 else NULL
        if self.scratch.odd:
            return
        if kind == Kind.LADDER:
            _climb(self, rule, <Ladder *>state, fact)
        elif kind == Kind.ABSENCE:
            _hear(self, rule, <Absence *>state, fact)
        elif kind == Kind.COUNT:
            _one_more(self, rule, <Count *>state, fact)
        elif kind == Kind.SEQUENCE:
            _follow(self, rule, <Vec *>state, fact)
        elif kind == Kind.RHYTHM:
            _paid(self, rule, <Rhythm *>state, fact)
        elif kind == Kind.SIGNIFICANCE:
            _weigh(self, rule, fact)
        else:
            self.scratch.odd = True

    cdef void fire(self, Rule *rule) noexcept:
        """The next deadline has passed; odd when that brings a signal."""
        cdef void *state = self.touch(rule.slot)
        if self.scratch.odd:
            return
        if rule.kind == Kind.LADDER:
            _close(self, rule, <Ladder *>state)
        elif rule.kind == Kind.ABSENCE:
            _pass(self, rule, <Absence *>state)
        else:
            self.scratch.odd = True

    cdef i64 due(self, Rule *rule) noexcept:
        """The next deadline."""
        cdef void *state = self.glance(rule.slot)
        cdef i64 found = _NEVER
        cdef int place
        if state is NULL:
            return _NEVER
        if rule.kind == Kind.LADDER:
            if (<Ladder *>state).days.count:
                found = self.days.close(&self.scratch, numbers(&(<Ladder *>state).days)[0])
        elif rule.kind == Kind.ABSENCE:
            for place in range((<Absence *>state).open.count):
                found = min(found, _deadline(self, rule, _episode(&(<Absence *>state).open, place)))
        elif rule.kind == Kind.RHYTHM:
            found = _expected(self, rule, <Rhythm *>state)
        else:
            self.scratch.odd = True
        return found

    cdef bint quiet(self, Rule *rule) noexcept:
        """Whether every deadline of a ladder will pass in silence."""
        cdef Ladder *state = <Ladder *>self.glance(rule.slot)
        cdef Vec *days
        cdef i64 band, value
        cdef int place
        if state is NULL or rule.kind != Kind.LADDER:
            self.scratch.odd = True
            return False
        days, band = &state.days, state.band
        if band == _UNSEEN and days.count:
            band = beyond(&rule.thresholds, self.amount(rule.asked, numbers(days)[0])) if rule.observes else 0
        for place in range(days.count):
            value = self.amount(rule.asked, numbers(days)[place])
            if not _calm(self, rule, band, value):
                return False
        return True

    cdef i64 judged(self, int slot) noexcept:
        """The last date a ladder has judged, _HIGHEST where there is none."""
        cdef Ladder *state = <Ladder *>self.glance(slot)
        return _HIGHEST if state is NULL else state.judged

    # --- ladder

    # --- absence

    # --- the others


cdef _learn(Rules self, Rule *rule, object plan, object policy):
    """The policy's figures."""
    if rule.kind == Kind.LADDER:
        rule.asked = self.places[plan.features[policy.value].slot]
        _given(&rule.thresholds, policy.thresholds)
        _given(&rule.least, [_LOWEST if least == -float("inf") else least for least, _ in policy.calm])
        _given(&rule.most, [_HIGHEST if most == float("inf") else most for _, most in policy.calm])
        rule.at_close, rule.observes = policy.at_close, policy.observe_first
        rule.hysteresis, rule.dwell = policy.hysteresis_ppm, policy.dwell
        rule.near, rule.near_days = policy.near_ppm, policy.near_days
        rule.risk, rule.risk_days = policy.risk_ppm, policy.risk_days
    elif rule.kind == Kind.ABSENCE:
        _given(&rule.stages, [stage.after for stage in policy.stages])
        rule.in_dates, rule.silence, rule.restarts = policy.in_dates, policy.silence, policy.restart
        rule.ends = policy.ended is not None
        if policy.given is not None:
            rule.asked = self.places[plan.features[policy.given.feature].slot]
            rule.at_most = policy.given.at_most
    elif rule.kind == Kind.COUNT:
        _given(&rule.targets, [target.number for target in policy.targets])
        rule.monthly = policy.period is count.Period.MONTH
        rule.rolling = policy.rolling if policy.period is count.Period.ROLLING else 0
    elif rule.kind == Kind.SEQUENCE:
        rule.window, rule.share = policy.within, policy.share_ppm
    elif rule.kind == Kind.RHYTHM:
        rule.grace, rule.apart, rule.learn, rule.give_up = policy.grace, policy.apart, policy.learn, policy.give_up
    elif rule.kind == Kind.SIGNIFICANCE:
        rule.asked = self.places[plan.features[policy.history].slot]
        rule.floor, rule.times, rule.least_history = policy.floor, policy.times_ppm, policy.least_history


# --- states


cdef Ladder *_ladder(Rules self, In *of) noexcept:
    cdef Ladder *state = <Ladder *>self.room(sizeof(Ladder))
    vec(&state.days, sizeof(i64))
    if of is NULL:
        state.band = state.target = _UNSEEN
        return state
    fields(of, 10)
    state.band, state.entered, state.target, state.since = integer(of), integer(of), integer(of), integer(of)
    state.near, state.risk, state.value = integer(of), integer(of), integer(of)
    integers(of, &state.days)
    state.judged, state.origin = integer(of), text(of)
    return state


cdef Absence *_absence(Rules self, In *of) noexcept:
    cdef Absence *state = <Absence *>self.room(sizeof(Absence))
    cdef Episode *episode
    cdef More *more
    cdef Met *met
    cdef int open = 0, mets = 0, mores = 0, place, inner
    vec(&state.open, sizeof(Episode))
    vec(&state.met, sizeof(Met))
    vec(&state.more, sizeof(More))
    if of is NULL:
        return state
    fields(of, 3)
    open = mapping(of)
    widen(&self.scratch, &state.open, open + 1)
    for place in range(open):
        episode = <Episode *>push(&self.scratch, &state.open)
        episode.key = text(of)
        _read_episode(of, episode)
    mets = mapping(of)
    widen(&self.scratch, &state.met, mets + 1)
    for place in range(mets):
        met = <Met *>push(&self.scratch, &state.met)
        met.key, met.at = text(of), integer(of)
    mores = mapping(of)
    widen(&self.scratch, &state.more, mores + 1)
    for place in range(mores):
        more = <More *>push(&self.scratch, &state.more)
        more.key = text(of)
        vec(&more.episodes, sizeof(Episode))
        for inner in range(array(of)):
            episode = <Episode *>push(&self.scratch, &more.episodes)
            _read_episode(of, episode)
    return state


cdef Count *_count(Rules self, In *of) noexcept:
    cdef Count *state = <Count *>self.room(sizeof(Count))
    cdef Counted *counted
    cdef int place
    vec(&state.counts, sizeof(Counted))
    vec(&state.days, sizeof(i64))
    if of is NULL:
        return state
    fields(of, 2)
    for place in range(mapping(of)):
        counted = <Counted *>push(&self.scratch, &state.counts)
        counted.period, counted.number = integer(of), integer(of)
    integers(of, &state.days)
    return state


cdef Rhythm *_rhythm(Rules self, In *of) noexcept:
    cdef Rhythm *state = <Rhythm *>self.room(sizeof(Rhythm))
    vec(&state.days, sizeof(i64))
    vec(&state.amounts, sizeof(i64))
    if of is NULL:
        return state
    fields(of, 4)
    integers(of, &state.days)
    integers(of, &state.amounts)
    state.missed, state.origin = integer(of), text(of)
    return state


cdef Vec *_sequence(Rules self, In *of) noexcept:
    cdef Vec *open = <Vec *>self.room(sizeof(Vec))
    cdef Waiting *waiting
    cdef int place
    vec(open, sizeof(Waiting))
    if of is NULL:
        return open
    fields(of, 1)
    for place in range(array(of)):
        fields(of, 5)
        waiting = <Waiting *>push(&self.scratch, open)
        waiting.at, waiting.amount, waiting.followed = integer(of), integer(of), integer(of)
        waiting.key, waiting.origin = text(of), text(of)
    return open


cdef void _put_ladder(Rules self, Ladder *state, Out *out) noexcept:
    put_array(out, 10)
    put_integer(out, state.band)
    put_integer(out, state.entered)
    put_integer(out, state.target)
    put_integer(out, state.since)
    put_integer(out, state.near)
    put_integer(out, state.risk)
    put_integer(out, state.value)
    put_integers(out, &state.days)
    put_integer(out, state.judged)
    put_text(out, state.origin)


cdef void _put_absence(Rules self, Absence *state, Out *out) noexcept:
    cdef More *more
    cdef int place, inner
    put_array(out, 3)
    put_mapping(out, state.open.count)
    for place in range(state.open.count):
        put_text(out, _episode(&state.open, place).key)
        _put_episode(out, _episode(&state.open, place))
    put_mapping(out, state.met.count)
    for place in range(state.met.count):
        put_text(out, (<Met *>item(&state.met, place)).key)
        put_integer(out, (<Met *>item(&state.met, place)).at)
    put_mapping(out, state.more.count)
    for place in range(state.more.count):
        more = _more(&state.more, place)
        put_text(out, more.key)
        put_array(out, more.episodes.count)
        for inner in range(more.episodes.count):
            _put_episode(out, _episode(&more.episodes, inner))


cdef void _put_count(Rules self, Count *state, Out *out) noexcept:
    cdef int place
    put_array(out, 2)
    put_mapping(out, state.counts.count)
    for place in range(state.counts.count):
        put_integer(out, (<Counted *>item(&state.counts, place)).period)
        put_integer(out, (<Counted *>item(&state.counts, place)).number)
    put_integers(out, &state.days)


cdef void _put_sequence(Rules self, Vec *open, Out *out) noexcept:
    cdef Waiting *waiting
    cdef int place
    put_array(out, 1)
    put_array(out, open.count)
    for place in range(open.count):
        waiting = <Waiting *>item(open, place)
        put_array(out, 5)
        put_integer(out, waiting.at)
        put_integer(out, waiting.amount)
        put_integer(out, waiting.followed)
        put_text(out, waiting.key)
        put_text(out, waiting.origin)


# --- what the engine asks of every mechanism


# --- ladder


cdef bint _calm(Rules self, Rule *rule, i64 band, i64 value) noexcept:
    if not 0 <= band < rule.least.count:
        self.scratch.odd = True
        return False
    return numbers(&rule.least)[band] <= value < numbers(&rule.most)[band]


cdef void _climb(Rules self, Rule *rule, Ladder *state, Fact *fact) noexcept:
    state.origin = fact.origin
    if rule.at_close:
        _await(self, state, max(fact.day, state.judged + 1))
    else:
        _judge(self, rule, state, max(fact.day, state.judged))


cdef void _close(Rules self, Rule *rule, Ladder *state) noexcept:
    cdef i64 day
    if not state.days.count:
        self.scratch.odd = True
        return
    day = numbers(&state.days)[0]
    drop(&state.days, 0, 1)
    _judge(self, rule, state, day)


cdef void _await(Rules self, Ladder *state, i64 day) noexcept:
    cdef int place = beyond(&state.days, day)
    if not place or numbers(&state.days)[place - 1] != day:
        (<i64 *>insert(&self.scratch, &state.days, place))[0] = day


cdef void _judge(Rules self, Rule *rule, Ladder *state, i64 day) noexcept:
    cdef i64 value = self.amount(rule.asked, day), before = state.value
    state.value, state.judged = value, max(day, state.judged)
    if state.band == _UNSEEN:
        state.band = beyond(&rule.thresholds, value) if rule.observes else 0
        state.entered = day
    if _calm(self, rule, state.band, value):
        state.target, state.near, state.risk = _UNSEEN, 0, 0
        return
    if self.scratch.odd:
        return
    _cross(self, rule, state, day, value)
    _approach(self, rule, state, day, value)
    _hang(self, rule, state, day, value, before)


cdef i64 _target(Rules self, Rule *rule, i64 band, i64 value) noexcept:
    cdef i64 up = beyond(&rule.thresholds, value)
    if up >= band:
        return up
    while band and <i128>value * _PPM < <i128>numbers(&rule.thresholds)[band - 1] * (_PPM - rule.hysteresis):
        band -= 1
    return band


cdef void _cross(Rules self, Rule *rule, Ladder *state, i64 day, i64 value) noexcept:
    cdef i64 target = _target(self, rule, state.band, value)
    if target == state.band:
        state.target = _UNSEEN
        return
    if target != state.target:
        state.target, state.since = target, day
    if day - state.since < rule.dwell:
        _await(self, state, state.since + rule.dwell)
    else:
        self.scratch.odd = True


cdef void _approach(Rules self, Rule *rule, Ladder *state, i64 day, i64 value) noexcept:
    cdef i64 level
    cdef bint inside
    if not rule.near or state.band >= rule.thresholds.count:
        return
    level = numbers(&rule.thresholds)[state.band]
    inside = <i128>level * (_PPM - rule.near) <= <i128>value * _PPM and value < level
    state.near = _visit(self, state, state.near, inside, day, rule.near_days)
    if state.near > 0 and day - state.near + 1 >= rule.near_days:
        self.scratch.odd = True


cdef void _hang(Rules self, Rule *rule, Ladder *state, i64 day, i64 value, i64 before) noexcept:
    cdef i128 ceiling
    cdef bint inside
    if not rule.risk or state.band < 1:
        return
    ceiling = <i128>numbers(&rule.thresholds)[state.band - 1] * (_PPM + rule.risk)
    inside = _target(self, rule, state.band, value) == state.band and <i128>value * _PPM < ceiling
    inside = inside and (state.risk != 0 or <i128>before * _PPM >= ceiling)
    state.risk = _visit(self, state, state.risk, inside, day, rule.risk_days)
    if state.risk > 0 and day - state.risk + 1 >= rule.risk_days:
        self.scratch.odd = True


cdef i64 _visit(Rules self, Ladder *state, i64 since, bint inside, i64 day, i64 wanted) noexcept:
    if not inside:
        return 0
    if since == 0:
        since = day
        if wanted > 1:
            _await(self, state, day + wanted - 1)
    return since


# --- absence


cdef i64 _deadline(Rules self, Rule *rule, Episode *episode) noexcept:
    cdef i64 after
    if episode.stage >= rule.stages.count:
        return _NEVER
    if episode.stage < 0:
        self.scratch.odd = True
        return _NEVER
    after = numbers(&rule.stages)[episode.stage]
    return self.days.close(&self.scratch, episode.day + after) if rule.in_dates else episode.at + after


cdef void _hear(Rules self, Rule *rule, Absence *state, Fact *fact) noexcept:
    cdef int place
    if not rule.silence:
        if fact.role & B:
            _meet(self, rule, state, fact)
        if fact.role & A:
            _open(self, rule, state, fact)
        return
    place = _found(&state.open, fact.key)
    if place < 0:
        _put(self, state, fact)
    elif fact.at > _episode(&state.open, place).at:
        _end(self, rule, _episode(&state.open, place))
        _begin(self, _episode(&state.open, place), fact, max(fact.day, _episode(&state.open, place).day))


cdef void _begin(Rules self, Episode *episode, Fact *fact, i64 day) noexcept:
    episode.at, episode.day, episode.stage = fact.at, day, 0
    episode.label, episode.origin = fact.label, fact.origin


cdef void _end(Rules self, Rule *rule, Episode *episode) noexcept:
    if rule.ends and episode.stage:
        self.scratch.odd = True


cdef void _put(Rules self, Absence *state, Fact *fact) noexcept:
    """Open an episode, or open the one of this key anew."""
    cdef Vec *open = &state.open
    cdef Episode *episode
    cdef int place = _found(open, fact.key), oldest = 0
    if place < 0:
        episode = <Episode *>push(&self.scratch, open)
        episode.key = fact.key
    else:
        episode = _episode(open, place)
    _begin(self, episode, fact, fact.day)
    if open.count > _MOST_KEYS:
        for place in range(1, open.count):
            if _older(self, _episode(open, place), _episode(open, oldest)):
                oldest = place
        _forget(&state.more, _episode(open, oldest).key)
        drop(open, oldest, 1)


cdef bint _older(Rules self, Episode *one, Episode *other) noexcept:
    return one.at < other.at or (one.at == other.at and order(one.key, other.key) < 0)


cdef void _meet(Rules self, Rule *rule, Absence *state, Fact *fact) noexcept:
    cdef Met *met
    cdef Vec later
    cdef int place = _found(&state.met, fact.key), first = 0
    if place < 0:
        met = <Met *>push(&self.scratch, &state.met)
        met.key, met.at = fact.key, fact.at
    else:
        met = <Met *>item(&state.met, place)
        met.at = max(met.at, fact.at)
    if state.met.count > _MOST_KEYS:
        _bound(self, &state.met)
    place = _found(&state.open, fact.key)
    if place < 0 or fact.at < _episode(&state.open, place).at:
        return
    _end(self, rule, _episode(&state.open, place))
    drop(&state.open, place, 1)
    place = _found(&state.more, fact.key)
    if place < 0:
        return
    later = _more(&state.more, place).episodes
    drop(&state.more, place, 1)
    # they stand in the order of their times
    while first < later.count and _episode(&later, first).at <= fact.at:
        first += 1
    drop(&later, 0, first)
    if later.count:
        _reopen(self, state, fact.key, &later)


cdef void _reopen(Rules self, Absence *state, Span key, Vec *later) noexcept:
    """The first of these waits now, the others stand behind it."""
    cdef Episode *episode = <Episode *>push(&self.scratch, &state.open)
    cdef More *more
    episode[0] = _episode(later, 0)[0]
    episode.key = key
    drop(later, 0, 1)
    if later.count:
        more = <More *>push(&self.scratch, &state.more)
        more.key, more.episodes = key, later[0]


cdef void _bound(Rules self, Vec *mets) noexcept:
    cdef Met *met
    cdef Met *least = <Met *>item(mets, 0)
    cdef int place, oldest = 0
    for place in range(1, mets.count):
        met = <Met *>item(mets, place)
        if met.at < least.at or (met.at == least.at and order(met.key, least.key) < 0):
            oldest, least = place, met
    drop(mets, oldest, 1)


cdef void _open(Rules self, Rule *rule, Absence *state, Fact *fact) noexcept:
    cdef int place = _found(&state.met, fact.key)
    cdef Episode *episode
    cdef Episode other
    if place >= 0 and (<Met *>item(&state.met, place)).at >= fact.at:
        return
    if place < 0 and fact.at <= -1:
        return
    place = _found(&state.open, fact.key)
    episode = _episode(&state.open, place) if place >= 0 else NULL
    if episode is NULL or (rule.restarts and fact.at >= episode.at):
        _put(self, state, fact)
    elif not rule.restarts and fact.at < episode.at and episode.stage == 0:
        other = episode[0]
        _begin(self, episode, fact, fact.day)
        _queue(self, state, &other)
    elif not rule.restarts and fact.at > episode.at:
        other.key = fact.key
        _begin(self, &other, fact, fact.day)
        _queue(self, state, &other)


cdef void _queue(Rules self, Absence *state, Episode *episode) noexcept:
    cdef int place = _found(&state.more, episode.key)
    cdef Vec *waiting
    cdef Episode *there
    if place < 0:
        place = state.more.count
        (<More *>push(&self.scratch, &state.more)).key = episode.key
        if self.scratch.odd:
            return
        vec(&_more(&state.more, place).episodes, sizeof(Episode))
    waiting = &_more(&state.more, place).episodes
    place = waiting.count
    while place:
        there = _episode(waiting, place - 1)
        if there.at < episode.at or (there.at == episode.at and order(there.origin, episode.origin) <= 0):
            break
        place -= 1
    (<Episode *>insert(&self.scratch, waiting, place))[0] = episode[0]
    drop(waiting, 0, waiting.count - _MOST_MORE)


cdef void _pass(Rules self, Rule *rule, Absence *state) noexcept:
    cdef Vec *open = &state.open
    cdef Episode *episode
    cdef i64 deadline = _NEVER, its, date
    cdef int place, first = -1
    for place in range(open.count):
        its = _deadline(self, rule, _episode(open, place))
        if first < 0 or its < deadline or (its == deadline and order(_episode(open, place).key, _episode(open, first).key) < 0):
            first, deadline = place, its
    if first < 0 or deadline == _NEVER or rule.asked < 0:
        self.scratch.odd = True
        return
    date = self.days.day(&self.scratch, deadline - 1 if rule.in_dates else deadline)
    if self.amount(rule.asked, date) <= rule.at_most:
        self.scratch.odd = True
        return
    episode = _episode(open, first)
    episode.stage += 1
    if episode.stage == rule.stages.count and not rule.silence and not rule.ends:
        _forget(&state.more, episode.key)
        drop(open, first, 1)


# --- the others


cdef void _weigh(Rules self, Rule *rule, Fact *fact) noexcept:
    cdef i64 needed
    if fact.amount < rule.floor:
        return
    standing = self.standing(rule.asked, fact.amount)
    needed = max(<i64>(<i128>standing.usual * rule.times // _PPM), rule.floor)
    if standing.history >= rule.least_history and fact.amount >= needed:
        self.scratch.odd = True


cdef void _one_more(Rules self, Rule *rule, Count *state, Fact *fact) noexcept:
    cdef i64 number = _rolled(self, rule, &state.days, fact.day) if rule.rolling else _counted(self, rule, &state.counts, fact.day)
    cdef int place
    for place in range(rule.targets.count):
        if numbers(&rule.targets)[place] == number:
            self.scratch.odd = True


cdef i64 _counted(Rules self, Rule *rule, Vec *counts, i64 day) noexcept:
    cdef i64 period = 0, number
    cdef Counted *counted
    cdef int place, least = 0, found = -1
    if rule.monthly:
        period = date(day - _EPOCH, &place)
    for place in range(counts.count):
        counted = <Counted *>item(counts, place)
        if counted.period < (<Counted *>item(counts, least)).period:
            least = place
        if counted.period == period:
            found = place
    if counts.count == _PERIODS and period < (<Counted *>item(counts, least)).period:
        return 0
    if found < 0:
        found = counts.count
        counted = <Counted *>push(&self.scratch, counts)
        counted.period, counted.number = period, 0
        if self.scratch.odd:
            return 0
    counted = <Counted *>item(counts, found)
    counted.number += 1
    number = counted.number
    if counts.count > _PERIODS:
        drop(counts, least, 1)
    return number


cdef i64 _rolled(Rules self, Rule *rule, Vec *days, i64 day) noexcept:
    cdef i64 number, most = 0
    cdef int place
    if days.count and day <= numbers(days)[days.count - 1] - rule.rolling:
        return 0
    (<i64 *>insert(&self.scratch, days, beyond(days, day)))[0] = day
    if not days.count:
        return 0
    drop(days, 0, beyond(days, numbers(days)[days.count - 1] - rule.rolling))
    number = days.count
    for place in range(rule.targets.count):
        most = max(most, numbers(&rule.targets)[place])
    if number >= most:
        drop(days, 0, days.count)
    return number


cdef void _follow(Rules self, Rule *rule, Vec *open, Fact *fact) noexcept:
    cdef Waiting *waiting
    cdef int place = 0
    while place < open.count:
        if fact.at < (<Waiting *>item(open, place)).at + rule.window:
            place += 1
        else:
            drop(open, place, 1)
    if fact.role & B:
        for place in range(open.count):
            waiting = <Waiting *>item(open, place)
            if same(waiting.key, fact.key) and fact.at >= waiting.at:
                waiting.followed = within(&self.scratch, waiting.followed + fact.amount)
                if <i128>waiting.followed * _PPM >= <i128>waiting.amount * rule.share:
                    self.scratch.odd = True
    if fact.role & A:
        place = open.count
        while place and _before(self, fact, <Waiting *>item(open, place - 1)):
            place -= 1
        waiting = <Waiting *>insert(&self.scratch, open, place)
        waiting.at, waiting.amount, waiting.followed = fact.at, fact.amount, 0
        waiting.key, waiting.origin = fact.key, fact.origin
        drop(open, 0, open.count - _MOST_OPEN)


cdef bint _before(Rules self, Fact *fact, Waiting *waiting) noexcept:
    return fact.at < waiting.at or (fact.at == waiting.at and order(fact.origin, waiting.origin) < 0)


cdef void _paid(Rules self, Rule *rule, Rhythm *state, Fact *fact) noexcept:
    cdef int count = state.days.count
    if count and fact.day - numbers(&state.days)[count - 1] < rule.apart:
        return
    if not count or state.missed >= rule.give_up:
        self.scratch.odd = True
        return
    (<i64 *>push(&self.scratch, &state.days))[0] = fact.day
    (<i64 *>push(&self.scratch, &state.amounts))[0] = fact.amount
    drop(&state.days, 0, state.days.count - _REMEMBERED)
    drop(&state.amounts, 0, state.amounts.count - _REMEMBERED)
    state.missed, state.origin = 0, fact.origin


cdef i64 _expected(Rules self, Rule *rule, Rhythm *state) noexcept:
    """The end of the grace after the expected date; NEVER while there is no habit."""
    cdef int count = state.days.count, place, to, usual, step
    cdef int[8] dates
    cdef i64 target, middle, near = 0, day
    if count < rule.learn or state.missed >= rule.give_up:
        return _NEVER
    if not 0 < count <= 8:
        self.scratch.odd = True
        return _NEVER
    for place in range(count):
        date(numbers(&state.days)[place] - _EPOCH, &usual)
        to = place
        while to and dates[to - 1] > usual:
            dates[to] = dates[to - 1]
            to -= 1
        dates[to] = usual
    usual = dates[count // 2]
    target = numbers(&state.days)[count - 1] + _CYCLE
    middle = date(target - _EPOCH, &to)
    for step in range(-1, 2):
        day = _in_month(middle + step, usual)
        if step < 0 or _away(day, target) < _away(near, target):
            near = day
    return self.days.close(&self.scratch, _in_month(date(near - _EPOCH, &to) + state.missed, usual) + rule.grace)


cdef i64 _away(i64 day, i64 target) noexcept:
    return day - target if day > target else target - day


cdef i64 _in_month(i64 number, int day) noexcept:
    """`days.in_month`."""
    cdef i64 year = number // 12
    cdef int month = <int>(number % 12) + 1
    return days(year, month, min(day, length(year, month))) + _EPOCH


cdef _given(Vec *into, object values):
    """Figures of a policy, for as long as the rule lives."""
    vec(into, sizeof(i64))
    into.at = <char *>calloc(max(len(values), 1), sizeof(i64))
    if into.at is NULL:
        raise MemoryError
    into.count = into.room = len(values)
    for place, value in enumerate(values):
        numbers(into)[<int>place] = value
