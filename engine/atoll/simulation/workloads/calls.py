"""From a planned operation to what the engine is asked, and from its answer to what the history keeps."""

from __future__ import annotations

from typing import Any, assert_never

from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Remove, Set, Update
from atoll.crdt.packing import sorted_elements
from atoll.requests import Found, Get, Mutate
from atoll.simulation.plan import Action, PlannedOperation


def to_call(planned: PlannedOperation) -> Get | Mutate:
    """The request of one operation: a whole record for ``READ`` and ``DELETE``, one field for everything else."""
    if planned.action is Action.READ:
        return Get(collection=planned.collection, key=planned.key, zone=planned.zone)
    return Mutate(collection=planned.collection, key=planned.key, zone=planned.zone, write=_write(planned))


def field_value(found: Found, planned: PlannedOperation) -> Any:
    """What a read saw of its field: ``None`` without record or field, a set as a sorted tuple."""
    if found.value is None or planned.field is None:
        return None
    value = found.value.get(planned.field)
    return tuple(sorted_elements(value)) if isinstance(value, (set, frozenset)) else value


def _write(planned: PlannedOperation) -> Update | Delete:
    if planned.action is Action.DELETE:
        return Delete()
    assert planned.field is not None, f"{planned.action} needs a field"
    return Update((_change(planned.action, planned.field, planned.argument),))


def _change(action: Action, field: str, argument: Any) -> FieldOperation:
    match action:
        case Action.ADD:
            return Add(field, (argument,))
        case Action.REMOVE:
            return Remove(field, (argument,))
        case Action.INCREMENT:
            return Increment(field, argument)
        case Action.RESET:
            return Clear(field)
        case Action.SET:
            return Set(field, argument)
        case Action.READ | Action.DELETE:
            raise AssertionError(f"{action} changes no single field")
        case _:
            assert_never(action)
