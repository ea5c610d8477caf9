"""Planned operations as requests, and answers as what the history keeps."""

from __future__ import annotations

from typing import Any

import pytest

from atoll.crdt.operations import Add, Clear, Delete, Increment, Remove, Set, Update
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.requests import Found, Get, Mutate
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.workloads.calls import field_value, to_call


def planned(action: Action, argument: Any = None, field: str | None = "f") -> PlannedOperation:
    return PlannedOperation(
        at_seconds=1.0,
        client="frankfurt/c1",
        region=RegionName("frankfurt"),
        workload="adds",
        action=action,
        collection=CollectionName("cities"),
        key="k",
        field=field,
        zone=ZoneName("eu"),
        argument=argument,
    )


@pytest.mark.parametrize(
    ("action", "argument", "write"),
    [
        (Action.ADD, "x", Update((Add("f", ("x",)),))),
        (Action.REMOVE, "x", Update((Remove("f", ("x",)),))),
        (Action.INCREMENT, -3, Update((Increment("f", -3),))),
        (Action.RESET, None, Update((Clear("f"),))),
        (Action.SET, "v", Update((Set("f", "v"),))),
        (Action.DELETE, None, Delete()),
    ],
)
def test_write_asks_for_its_one_change(action: Action, argument: Any, write: Any) -> None:
    expected = Mutate(collection=CollectionName("cities"), key="k", zone=ZoneName("eu"), write=write)
    assert to_call(planned(action, argument)) == expected


def test_read_asks_for_the_record() -> None:
    assert to_call(planned(Action.READ)) == Get(collection=CollectionName("cities"), key="k", zone=ZoneName("eu"))


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, None),
        ({}, None),
        ({"f": "v"}, "v"),
        ({"f": 7, "g": 1}, 7),
        ({"f": frozenset({"b", "a"})}, ("a", "b")),
        ({"f": frozenset({"b", 1})}, (1, "b")),
        ({"f": [2, 1]}, [2, 1]),
    ],
)
def test_read_keeps_the_value_of_its_field(value: Any, seen: Any) -> None:
    assert field_value(Found(value), planned(Action.READ)) == seen


def test_write_keeps_no_value() -> None:
    assert field_value(Found({"f": 1}), planned(Action.DELETE, field=None)) is None
