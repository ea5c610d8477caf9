"""Planted violations of I4: dependencies that do not exist, effects before causes, dots from nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import FRANKFURT, OREGON, TOKYO, added, origin, titled

from atoll.causality.context import Context
from atoll.causality.cut import Cut
from atoll.crdt.codec import decode_record, encode_record
from atoll.crdt.record import Record
from atoll.ids import actor_of
from atoll.simulation.observations import Applied, Captured, Committed, Observation
from atoll.simulation.storage.joining import Held


def chain(ring: Ring) -> None:
    """A cause in Frankfurt, and in Tokyo an effect of it, each captured."""
    ring.write(FRANKFURT, "cause", added("x"), client="c")
    ring.capture(origin("frankfurt"))
    ring.capture(origin("frankfurt"))
    for _ in range(2):
        ring.carry(origin("frankfurt"), TOKYO)
        ring.join(origin("tokyo"))
    ring.write(TOKYO, "effect", added("y"), client="c")
    ring.capture(origin("tokyo"))


def test_effect_after_its_cause_is_valid() -> None:
    ring = Ring()
    chain(ring)
    ring.settle()
    assert ring.anomalies() == set()


def test_effect_joined_before_its_cause_is_found() -> None:
    ring = Ring()
    chain(ring)
    ring.orders[OREGON].append((origin("tokyo"), 1))
    ring.join(origin("oregon"))
    ring.sample()
    assert ring.anomalies(converged=False) == {("causality", "effect before its cause")}


def test_effect_joined_in_one_transaction_with_its_cause_is_valid() -> None:
    ring = Ring()
    chain(ring)
    ring.orders[OREGON] += [(origin("tokyo"), 1), (origin("frankfurt"), 1), (origin("frankfurt"), 2)]
    ring.join(origin("oregon"), 3)
    assert ring.anomalies(converged=False) == set()


def test_part_of_a_batch_that_begins_before_its_cause_is_found() -> None:
    ring = Ring()
    chain(ring)
    ring.observe(
        Applied(
            at=0,
            shard=origin("oregon"),
            begins=Cut({origin("tokyo"): 1}),
            completes=Cut.EMPTY,
            rows=[],
            before=Cut.EMPTY,
            after=Cut.EMPTY,
        )
    )
    assert ring.anomalies(converged=False) == {("causality", "effect before its cause")}


def test_sibling_shard_that_lags_is_no_violation() -> None:
    ring = Ring(count=2)
    ring.write(FRANKFURT, "cause", added("x"), client="c")
    ring.settle()
    ring.write(TOKYO, "effect", added("y"), client="c")
    ring.settle()
    for number in range(6):
        ring.write(FRANKFURT, f"k{number}", added("z"), client="c")
        ring.capture(origin("frankfurt"))
        ring.capture(origin("frankfurt", "s2"))
    for name in ("s1", "s2"):
        while ring.carry(origin("frankfurt", name), OREGON):
            pass
    while ring.join(origin("oregon", "s1")):
        pass
    ring.sample()
    assert ring.anomalies(converged=False) == set()


def test_write_that_depends_on_a_batch_to_come_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")

    def unsettled(seen: Observation) -> Sequence[Observation]:
        return [replace(seen, dependencies=Cut({origin("frankfurt"): 2}))] if isinstance(seen, Committed) else [seen]

    ring.tamper = unsettled
    ring.write(TOKYO, "b", added("y"))
    assert ring.anomalies(converged=False) == {("causality", "dependency that does not exist yet")}


def test_batch_that_hides_a_dependency_is_found() -> None:
    ring = Ring()

    def careless(seen: Observation) -> Sequence[Observation]:
        if isinstance(seen, Captured):
            return [replace(seen, batch=replace(seen.batch, dependencies=Cut.EMPTY))]
        return [seen]

    ring.tamper = careless
    chain(ring)
    assert ("causality", "batch hides a dependency") in ring.anomalies(converged=False)


def test_batches_that_name_each_other_are_found() -> None:
    ring = Ring()

    def circular(seen: Observation) -> Sequence[Observation]:
        if isinstance(seen, Captured) and seen.batch.number == 1 and seen.batch.origin.region != OREGON:
            other = origin("tokyo" if seen.batch.origin.region == FRANKFURT else "frankfurt")
            return [replace(seen, batch=replace(seen.batch, dependencies=Cut({other: 1})))]
        return [seen]

    ring.tamper = circular
    ring.write(FRANKFURT, "a", added("x"))
    ring.write(TOKYO, "b", added("y"))
    ring.settle()
    assert ("causality", "dependencies in a circle") in ring.anomalies()


def test_cut_that_goes_back_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.settle()
    before = ring.shards[origin("tokyo")].completed
    back = Applied(
        at=0,
        shard=origin("tokyo"),
        begins=Cut.EMPTY,
        completes=Cut.EMPTY,
        rows=[],
        before=before,
        after=Cut({origin("frankfurt"): 1}),
    )
    ring.observe(back)
    assert ("causality", "cut goes back") in ring.anomalies(converged=False)


def test_rows_without_their_batch_are_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", titled("x"))
    ring.capture(origin("frankfurt"))
    ring.carry(origin("frankfurt"), TOKYO)

    def hidden(seen: Observation) -> Sequence[Observation]:
        if isinstance(seen, Applied):
            return [replace(seen, begins=Cut.EMPTY, completes=Cut.EMPTY, after=Cut.EMPTY)]
        return [seen]

    ring.tamper = hidden
    ring.join(origin("tokyo"))
    ring.sample()
    assert ("causality", "visible before its batch has begun") in ring.anomalies(converged=False)


def test_context_that_covers_what_nobody_wrote_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.settle()
    ring.shards[origin("tokyo")].records[ring.id("a")] = _with_interval(ring, 1, 9)
    assert ("causality", "context covers what nobody wrote") in ring.anomalies(converged=False)


def test_hole_in_a_context_is_found() -> None:
    ring = Ring()
    for element in "xyz":
        ring.write(FRANKFURT, "a", added(element))
    ring.settle()
    ring.shards[origin("tokyo")].records[ring.id("a")] = _with_interval(ring, 2, 3)
    assert ("causality", "hole in a context") in ring.anomalies(converged=False)


def _with_interval(ring: Ring, low: int, high: int) -> Held:
    """The record as Tokyo holds it with another context: the dots in ``(low, high]``; the first as well if ``low`` is
    1."""
    held = ring.shards[origin("tokyo")].records[ring.id("a")]
    record = decode_record(held.context, held.state)
    actor = actor_of(origin("frankfurt"), 1)
    context = Context.of_interval(actor, 0 if low == 1 else low, high)
    return Held(*encode_record(Record(record.fields, record.presence, context)), record.document())
