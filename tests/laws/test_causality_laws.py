"""Contexts and version vectors against plain sets of dots; the hybrid clock against its promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.laws.histories import ACTORS, LAW

from atoll.causality.context import Context
from atoll.causality.hybrid_clock import HybridClock
from atoll.causality.ordering import Ordering
from atoll.causality.version_vector import VersionVector
from atoll.crdt.codec import decode_record, encode_record
from atoll.crdt.record import Record
from atoll.errors import ClockTooFarAhead
from atoll.ids import Actor
from atoll.instant import LOGICAL_MAX, Timestamp, timestamp, wall_ms
from atoll.limits import CLOCK_AHEAD_MAX_MS

COUNTER_MAX = 9
Dots = frozenset[tuple[Actor, int]]

ends = st.tuples(st.integers(0, COUNTER_MAX - 1), st.integers(1, COUNTER_MAX))
intervals = ends.filter(lambda pair: pair[0] < pair[1])
parts = st.lists(st.tuples(st.sampled_from(ACTORS[:3]), intervals), max_size=5)
vectors = st.dictionaries(st.sampled_from(ACTORS[:3]), st.integers(0, 5)).map(VersionVector)


def built(pieces: list[tuple[Actor, tuple[int, int]]]) -> Context:
    context = Context.EMPTY
    for actor, (lo, hi) in pieces:
        context = context.with_interval(actor, lo, hi)
    context.check_invariants()
    return context


def dots_of(pieces: list[tuple[Actor, tuple[int, int]]]) -> Dots:
    return frozenset((actor, counter) for actor, (lo, hi) in pieces for counter in range(lo + 1, hi + 1))


def covered(context: Context) -> Dots:
    return frozenset((a, n) for a in ACTORS for n in range(1, COUNTER_MAX + 2) if context.covers((a, n)))


def relation(left: Dots, right: Dots) -> Ordering:
    if left == right:
        return Ordering.EQUAL
    if left < right:
        return Ordering.BEFORE
    return Ordering.AFTER if left > right else Ordering.CONCURRENT


@LAW
@given(left=parts, right=parts)
def test_context_is_the_set_of_its_dots(left, right) -> None:
    a, b = built(left), built(right)
    x, y = dots_of(left), dots_of(right)
    joined = a.join(b)
    joined.check_invariants()
    assert covered(a) == x, "a gap covers nothing"
    assert covered(joined) == x | y
    assert a.includes(b) == (x >= y) == (b <= a)
    assert a.overlaps(b) == bool(x & y)
    assert a.compare(b) is relation(x, y)
    assert (a == b) == (x == y)
    assert (a < b) == (x < y)
    assert bool(a) == bool(x)
    if a == b:
        assert hash(a) == hash(b)
        assert repr(a) == repr(b)


@LAW
@given(pieces=parts)
def test_context_answers_by_actor(pieces) -> None:
    context, dots = built(pieces), dots_of(pieces)
    for actor in ACTORS:
        counters = {counter for name, counter in dots if name == actor}
        whole = next(n for n in range(COUNTER_MAX + 2) if n + 1 not in counters)
        assert context.get(actor) == whole
        assert context.highest(actor) == max(counters, default=0)
        assert (actor in context.actors()) == bool(counters)
    assert context.is_contiguous == all(context.get(a) == context.highest(a) for a in ACTORS)


@LAW
@given(pieces=parts, data=st.data())
def test_context_built_in_any_order_is_the_same_value_and_the_same_bytes(pieces, data) -> None:
    context, other = built(pieces), built(data.draw(st.permutations(pieces)))
    assert context == other
    encoded = encode_record(Record({}, (), context))
    assert encode_record(Record({}, (), other)) == encoded
    assert decode_record(*encoded).context == context


@LAW
@given(a=parts.map(built), b=parts.map(built), c=parts.map(built))
def test_context_join_is_commutative_associative_idempotent_and_least(a, b, c) -> None:
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(a) == a
    assert a <= a.join(b)
    assert not (a <= c and b <= c) or a.join(b) <= c


@LAW
@given(a=vectors, b=vectors, c=vectors)
def test_version_vectors_are_a_lattice(a, b, c) -> None:
    assert a.join(b) == b.join(a)
    assert a.meet(b) == b.meet(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.meet(b).meet(c) == a.meet(b.meet(c))
    assert a.join(a.meet(b)) == a == a.meet(a.join(b))
    assert (a <= b) == (a.join(b) == b) == (a.meet(b) == a)
    assert (a.compare(b) is Ordering.EQUAL) == (a == b)
    assert (a.compare(b) is Ordering.BEFORE) == (a < b) == (b.compare(a) is Ordering.AFTER)
    assert (a.compare(b) is Ordering.CONCURRENT) == (not a <= b and not b <= a)


steps = st.lists(st.tuples(st.booleans(), st.integers(0, 50), st.integers(0, 60), st.integers(0, LOGICAL_MAX)))


@LAW
@given(floor=st.integers(0, 20 << 16).map(Timestamp), steps=steps)
def test_clock_never_goes_back_and_follows_what_it_observed(floor, steps) -> None:
    wall = 0
    clock = HybridClock(lambda: wall, floor)
    known = [floor]
    for is_tick, reading, remote_ms, remote_logical in steps:
        wall = reading  # the wall clock may jump, either way
        if is_tick:
            stamp = clock.tick()
            assert stamp > max(known)
            assert wall_ms(stamp) >= reading
            assert stamp == max(reading << 16, max(known) + 1), "no further ahead than it must be"
            known.append(stamp)
        else:
            known.append(timestamp(remote_ms, remote_logical))
            clock.observe(known[-1])
        assert clock.last == max(known)


@LAW
@given(wall=st.integers(0, 1 << 45), ahead_ms=st.integers(-100_000, 200_000), logical=st.integers(0, LOGICAL_MAX))
def test_clock_guards_only_the_future(wall, ahead_ms, logical) -> None:
    clock = HybridClock(lambda: wall)
    before = clock.tick()
    remote = timestamp(max(0, wall + ahead_ms), logical)
    try:
        clock.observe(remote)
    except ClockTooFarAhead:
        assert ahead_ms > CLOCK_AHEAD_MAX_MS
        assert clock.last == before, "a refused timestamp leaves no trace"
    else:
        assert ahead_ms <= CLOCK_AHEAD_MAX_MS
        assert clock.tick() > remote
