"""A history by field: writes that may have happened, reads that were answered, writes that were refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from atoll.crdt.schema import Rule
from atoll.ids import CollectionName, ZoneName
from atoll.keyspace.placement import resolve_zone
from atoll.keyspace.topology import Topology
from atoll.simulation.history import Entry, History, Status
from atoll.simulation.plan import Action, PlannedOperation

NEW_VALUES = frozenset({Action.SET, Action.ADD, Action.INCREMENT})
"""Actions that bring something into a field; all other writes take away what they have seen."""


class RecordKey(NamedTuple):
    """The identity of a record, its zone resolved."""

    collection: CollectionName
    zone: ZoneName
    key: str


class FieldKey(NamedTuple):
    """One field of one record."""

    record: RecordKey
    field: str


@dataclass(slots=True)
class Field:
    """What happened to one field, everything in the order of beginnings."""

    key: FieldKey
    rule: Rule
    additions: list[Entry] = field(default_factory=list)
    """Acknowledged or of unknown outcome: they set, add or increment."""
    removals: list[Entry] = field(default_factory=list)
    """Acknowledged or of unknown outcome: they remove, reset or delete the record."""
    refused: list[Entry] = field(default_factory=list)
    """Additions that certainly did not happen."""
    reads: list[Entry] = field(default_factory=list)
    """Only those that were answered."""

    @property
    def writes(self) -> Sequence[Entry]:
        """Additions and removals, in the order of beginnings."""
        return sorted([*self.additions, *self.removals], key=lambda entry: entry.index)


def record_key(planned: PlannedOperation, topology: Topology) -> RecordKey:
    """The record that an operation is about. Raises what the topology raises for names it does not know."""
    zone = resolve_zone(topology.collection(planned.collection), planned.zone)
    return RecordKey(planned.collection, zone, planned.key)


def rule_of(planned: PlannedOperation, topology: Topology) -> Rule:
    """The merge rule of the operation's field."""
    fields = topology.collection(planned.collection).schema.fields
    return fields.get(planned.field or "", Rule.LWW)


def by_field(history: History, topology: Topology) -> Sequence[Field]:
    """The fields that were touched, in the order in which they first were; deletions are in every field of their
    record."""
    fields: dict[FieldKey, Field] = {}
    deletions: dict[RecordKey, list[Entry]] = {}
    for entry in history:
        record = record_key(entry.planned, topology)
        if entry.planned.field is None:
            if entry.status is not Status.FAILED:
                deletions.setdefault(record, []).append(entry)
            continue
        key = FieldKey(record, entry.planned.field)
        if key not in fields:
            fields[key] = Field(key, rule_of(entry.planned, topology))
        _sort_in(fields[key], entry)
    for found in fields.values():
        if found.key.record in deletions:
            found.removals += deletions[found.key.record]
            found.removals.sort(key=lambda entry: entry.index)
    return list(fields.values())


def shrinking_fields(operations: Sequence[PlannedOperation], topology: Topology) -> set[FieldKey]:
    """The fields from which something is taken away, by a removal, a reset or a deletion of the record."""
    touched: dict[RecordKey, set[str]] = {}
    shrinking: set[FieldKey] = set()
    deleted: list[RecordKey] = []
    for operation in operations:
        record = record_key(operation, topology)
        if operation.field is None:
            deleted.append(record)
            continue
        touched.setdefault(record, set()).add(operation.field)
        if operation.action in (Action.REMOVE, Action.RESET):
            shrinking.add(FieldKey(record, operation.field))
    return shrinking | {FieldKey(record, field) for record in deleted for field in touched.get(record, ())}


def _sort_in(found: Field, entry: Entry) -> None:
    if entry.planned.action is Action.READ:
        if entry.status is Status.OK:
            found.reads.append(entry)
    elif entry.status is Status.FAILED:
        if entry.planned.action in NEW_VALUES:
            found.refused.append(entry)
    elif entry.planned.action in NEW_VALUES:
        found.additions.append(entry)
    else:
        found.removals.append(entry)


def known_until(entry: Entry) -> float:
    """The last moment at which a write may have taken effect: for ever, if its outcome is unknown."""
    return entry.ended if entry.status is Status.OK else math.inf


def same(value: Any) -> Any:
    """A stand-in for a value that is hashable, and equal only for equal values of one type."""
    return value if type(value) is str else (type(value).__name__, repr(value))


def elements_of(read: Entry) -> Sequence[Any]:
    """The elements that a read of a set saw, as often as it saw them."""
    if read.value is None:
        return ()
    return read.value if isinstance(read.value, (tuple, list)) else (read.value,)
