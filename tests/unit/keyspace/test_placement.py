"""Placement: which zone a record gets, and which keys are refused before they reach a shard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.crdt.schema import Schema
from atoll.errors import InvalidKey, UnknownZone
from atoll.ids import GLOBAL_ZONE, CollectionName, ZoneName
from atoll.keyspace.placement import STRATEGIES, check_key, place, resolve_zone
from atoll.keyspace.position import hashed_position
from atoll.keyspace.topology import Collection, Strategy

EUROPE, ASIA = ZoneName("europe"), ZoneName("asia")


def collection(strategy: Strategy, zone: ZoneName | None = None) -> Collection:
    return Collection(name=CollectionName("cities"), schema=Schema(), strategy=strategy, zone=zone)


HASHED, HYBRID = collection(Strategy.HASH), collection(Strategy.HYBRID)


def test_every_strategy_has_a_function() -> None:
    assert set(STRATEGIES) == set(Strategy)


@pytest.mark.parametrize(
    ("placed", "given", "expected"),
    [
        (HASHED, None, GLOBAL_ZONE),
        (HASHED, GLOBAL_ZONE, GLOBAL_ZONE),
        (HYBRID, EUROPE, EUROPE),
        (HYBRID, GLOBAL_ZONE, GLOBAL_ZONE),
        (collection(Strategy.HYBRID, EUROPE), None, EUROPE),
        (collection(Strategy.HYBRID, EUROPE), EUROPE, EUROPE),
        (collection(Strategy.HASH, EUROPE), None, EUROPE),
    ],
)
def test_zone_is_resolved(placed: Collection, given: ZoneName | None, expected: ZoneName) -> None:
    assert resolve_zone(placed, given) == expected
    assert place(placed, given, "Köln") == hashed_position(expected, "Köln")


@pytest.mark.parametrize(
    ("placed", "given"),
    [
        (HYBRID, None),
        (HYBRID, ZoneName("")),
        (HASHED, EUROPE),
        (collection(Strategy.HYBRID, EUROPE), ASIA),
        (collection(Strategy.HASH, EUROPE), GLOBAL_ZONE),
    ],
)
def test_missing_or_contradicting_zone_is_refused(placed: Collection, given: ZoneName | None) -> None:
    with pytest.raises(UnknownZone, match="'cities'"):
        place(placed, given, "Köln")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        ("k" * 1025, "1,025"),
        ("ö" * 513, "1,026"),
        (b"bytes", "bytes"),
        (None, "NoneType"),
    ],
)
def test_unstorable_key_is_refused_saying_why(key: str, why: str) -> None:
    with pytest.raises(InvalidKey, match=why):
        place(HASHED, None, key)


@given(st.text(min_size=1, max_size=256).filter(lambda key: "\0" not in key))
def test_any_short_text_is_a_key(key: str) -> None:
    assert check_key(key) == key


def test_key_of_exactly_the_limit_is_allowed() -> None:
    assert check_key("ö" * 512) == "ö" * 512
