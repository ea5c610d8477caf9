"""Contexts, version vectors and dots by example; in general they are in the laws."""

from __future__ import annotations

import pytest

from atoll.causality.context import Context
from atoll.causality.dot import Dot
from atoll.causality.ordering import Ordering
from atoll.causality.version_vector import VersionVector
from atoll.ids import Actor

EU, US = Actor("eu/s1/1"), Actor("us/s1/1")


def test_dot_equals_and_hashes_like_its_tuple() -> None:
    assert Dot(EU, 7) == (EU, 7)
    assert hash(Dot(EU, 7)) == hash((EU, 7))
    assert str(Dot(EU, 7)) == "eu/s1/1:7"


def test_delta_that_follows_the_last_write_compresses_into_the_vector() -> None:
    context = Context.of_interval(EU, 0, 7).join(Context.of_interval(EU, 7, 1000))
    assert context.is_contiguous
    assert context.get(EU) == 1000


def test_gap_stays_a_gap_until_the_missing_write_arrives() -> None:
    context = Context.of_interval(EU, 0, 3).join(Context.of_interval(EU, 5, 9))
    assert not context.is_contiguous
    assert (context.get(EU), context.highest(EU)) == (3, 9)
    assert [counter for counter in range(1, 11) if context.covers(Dot(EU, counter))] == [1, 2, 3, 6, 7, 8, 9]
    assert context.join(Context.of_interval(EU, 3, 5)) == Context.of_interval(EU, 0, 9)


def test_contexts_of_different_actors_are_concurrent_until_joined() -> None:
    left, right = Context.of_interval(EU, 0, 3), Context.of_interval(US, 0, 2)
    assert left.compare(right) is Ordering.CONCURRENT
    assert left.compare(left.join(right)) is Ordering.BEFORE
    assert left.join(right).compare(left) is Ordering.AFTER
    assert left.compare(Context.of_interval(EU, 0, 3)) is Ordering.EQUAL


def test_context_repr_shows_gaps() -> None:
    context = Context.of_interval(US, 0, 2).with_interval(EU, 0, 3).with_interval(EU, 5, 9)
    assert repr(context) == "Context(eu/s1/1: (0, 3] (5, 9], us/s1/1: 2)"


def test_context_is_not_equal_to_something_else() -> None:
    assert Context.EMPTY != {}
    assert VersionVector.EMPTY != {}


def test_empty_interval_is_a_broken_invariant() -> None:
    with pytest.raises(AssertionError):
        Context.of_interval(EU, 5, 5)
    with pytest.raises(AssertionError):
        Context.EMPTY.with_interval(EU, 5, 4)


def test_version_vector_leaves_zeros_out() -> None:
    vector = VersionVector({US: 2, EU: 0})
    assert vector == VersionVector({US: 2})
    assert hash(vector) == hash(VersionVector({US: 2}))
    assert repr(vector.with_entry(EU, 4).with_entry(EU, 3)) == "VersionVector(eu/s1/1: 4, us/s1/1: 2)"
    assert vector.covers(Dot(US, 2))
    assert not vector.covers(Dot(EU, 1))
    assert not VersionVector.EMPTY
