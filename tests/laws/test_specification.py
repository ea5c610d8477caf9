"""The implementation against the specification: the same writes, the same value."""

from __future__ import annotations

import os
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.histories import LAW, SCHEMA, SCOPES, World, play, worlds
from tests.laws.specification import FIELD_VALUE, expected_value

from atoll.crdt.schema import Rule

OPERATIONS = int(os.environ.get("ATOLL_LAWS_OPERATIONS", "20000"))
"""Steps of the long random run."""

SEED = int(os.environ.get("ATOLL_LAWS_SEED", "1"))

over_scopes = pytest.mark.parametrize("rules", SCOPES.values(), ids=SCOPES.keys())


def agree(found: dict[str, Any] | None, expected: dict[str, Any] | None) -> bool:
    """Equal values; in lists and maps too, ``1``, ``1.0`` and ``True`` are told apart. Counters compare exactly."""
    if found is None or expected is None:
        return found is expected
    return found.keys() == expected.keys() and all(_same(name, found[name], expected[name]) for name in found)


def _same(name: str, found: Any, expected: Any) -> bool:
    if SCHEMA.fields.get(name) is Rule.COUNTER:
        return type(found) in (int, Decimal) and found == expected
    return type(found) is type(expected) and found == expected


def check(world: World) -> int:
    """Compare every replica whose history is whole; the number compared."""
    compared = 0
    for replica in world.replicas:
        if world.is_closed(replica.seen):
            history = [world.writes[dot] for dot in replica.seen]
            expected = expected_value(history, SCHEMA)
            assert agree(replica.state.value(), expected), f"{replica.state}\nexpected {expected}\nafter {history}"
            compared += 1
    return compared


def test_every_rule_has_a_specification() -> None:
    assert FIELD_VALUE.keys() == set(Rule)


@over_scopes
@LAW
@given(data=st.data())
def test_value_is_what_the_specification_says(rules: tuple[Rule, ...], data: st.DataObject) -> None:
    check(data.draw(worlds(rules, causal=True)))


def test_value_is_what_the_specification_says_over_a_long_random_run() -> None:
    chance = Random(SEED)
    compared = done = 0
    while done < OPERATIONS:
        world = play(chance, tuple(Rule), steps=40, causal=True)
        done += 40
        compared += check(world)
    assert compared > OPERATIONS // 40, "most replicas were compared"
