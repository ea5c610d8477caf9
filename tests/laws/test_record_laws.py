"""The laws of delta-state CRDTs, for each merge rule by itself and for records that hold them all."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.histories import LAW, SCOPES, World, worlds

from atoll.causality.ordering import Ordering
from atoll.crdt.codec import decode_record, encode_record, merge_bytes
from atoll.crdt.record import Record
from atoll.crdt.registry import RULES
from atoll.crdt.schema import Rule

over_scopes = pytest.mark.parametrize("rules", SCOPES.values(), ids=SCOPES.keys())


def three(data: st.DataObject, world: World) -> tuple[Record, Record, Record]:
    states = st.sampled_from(world.states)
    return data.draw(states), data.draw(states), data.draw(states)


def test_every_rule_in_the_registry_is_put_to_the_laws() -> None:
    assert {rule for rules in SCOPES.values() for rule in rules} == RULES.keys() == set(Rule)


@over_scopes
@LAW
@given(data=st.data())
def test_join_is_commutative_associative_and_idempotent(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    a, b, c = three(data, data.draw(worlds(rules)))
    for join in (Record.join, Record.merge):
        assert join(a, b) == join(b, a)
        assert join(join(a, b), c) == join(a, join(b, c))
        assert join(a, a) == a
        assert join(a, Record.empty()) == a


@over_scopes
@LAW
@given(data=st.data())
def test_join_is_the_merge_whatever_the_short_cut_says(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    a, b, _ = three(data, data.draw(worlds(rules)))
    joined = a.merge(b)
    joined.check_invariants()
    assert a.join(b) == joined


@over_scopes
@LAW
@given(data=st.data())
def test_join_is_above_both_sides(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    a, b, _ = three(data, data.draw(worlds(rules)))
    joined = a.join(b)
    assert joined.merge(a) == joined
    assert joined.merge(b) == joined
    assert joined.context == a.context.join(b.context)


@over_scopes
@LAW
@given(data=st.data())
def test_each_write_moves_its_replica_forward_and_its_delta_is_below_the_result(
    rules: tuple[Rule, ...], data: st.DataObject
) -> None:
    world = data.draw(worlds(rules))
    for dot, delta in world.deltas.items():
        before = world.joined(sorted(world.writes[dot].seen))
        after = before.merge(delta)
        assert before.context.compare(after.context) is Ordering.BEFORE
        assert after.merge(delta) == after
        assert after.merge(before) == after


@over_scopes
@LAW
@given(data=st.data())
def test_deltas_in_any_order_and_number_give_the_same_bytes(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    world = data.draw(worlds(rules))
    for replica in world.replicas:
        dots = sorted(replica.seen)
        order = data.draw(st.permutations(dots))
        repeated = order + order[: len(order) // 2]
        assert encode_record(world.joined(repeated)) == encode_record(replica.state)


@over_scopes
@LAW
@given(data=st.data())
def test_equal_contexts_have_equal_bytes(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    """Promise I3, also for states with gaps and for deltas."""
    world = data.draw(worlds(rules))
    pairs = st.tuples(st.sampled_from(world.states), st.sampled_from(world.states))
    joins = [a.merge(b) for a, b in data.draw(st.lists(pairs, max_size=10))]
    bytes_of: dict[bytes, bytes] = {}
    for state in (*world.states, *joins):
        context, encoded = encode_record(state)
        assert bytes_of.setdefault(context, encoded) == encoded, f"two states at {state.context}"


@over_scopes
@LAW
@given(data=st.data())
def test_bytes_decode_to_the_same_record_and_encode_to_the_same_bytes(
    rules: tuple[Rule, ...], data: st.DataObject
) -> None:
    world = data.draw(worlds(rules))
    for state in world.states:
        encoded = encode_record(state)
        decoded = decode_record(*encoded)
        assert decoded == state
        assert encode_record(decoded) == encoded
        assert decoded.value() == state.value()
        assert decoded.document() == state.document()


@over_scopes
@LAW
@given(data=st.data())
def test_merging_bytes_is_joining_records(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    parts = three(data, data.draw(worlds(rules)))[: data.draw(st.integers(1, 3))]
    joined = functools.reduce(Record.join, parts)
    merged = merge_bytes(*map(encode_record, parts))
    assert (merged.context, merged.state) == encode_record(joined)
    assert merged.document == joined.document()
    assert merged.absent == (joined.value() is None)


@over_scopes
@LAW
@given(data=st.data())
def test_replicas_that_have_seen_everything_agree_and_owe_nothing(
    rules: tuple[Rule, ...], data: st.DataObject
) -> None:
    world = data.draw(worlds(rules))
    final = world.joined(list(world.deltas))
    assert final.context.is_contiguous, "no write is missing"
    assert not final.removed, "no removal waits for its write"
    for replica in world.replicas:
        for other in world.replicas:
            replica.state = replica.state.join(other.state)
    rejoined = Record.empty()
    for replica in world.replicas:
        rejoined = rejoined.join(replica.state)
    assert rejoined == final
