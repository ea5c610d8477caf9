"""Which committed write was an acknowledged operation: by record, by time and by the unique value it wrote.

An operation and its transaction share the record, and the transaction took effect between the call and the answer. A
value is looked for in what the write did to the field. One that another operation of the same transaction replaced
before anybody could see it leaves no trace but the write itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from atoll.errors import AtollError
from atoll.ids import RecordId
from atoll.instant import Timestamp
from atoll.keyspace.placement import place
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.writes import Assignment, Membership, RecordedWrite
from atoll.simulation.history import Entry
from atoll.simulation.plan import Action

_TOLERANCE_SECONDS = 1e-6
"""The clock of the history and that of the storage count in floating-point seconds from different beginnings."""


class Matches:
    """Looks operations up among the writes of a ledger that is complete."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def id_of(self, entry: Entry) -> RecordId | None:
        """The record that an operation was about; ``None`` if it names none that can be."""
        planned = entry.planned
        try:
            collection = self._ledger.topology.collection(planned.collection)
            return RecordId(place(collection, planned.zone, planned.key), planned.collection, planned.key)
        except AtollError:
            return None

    def during(self, entry: Entry) -> Sequence[RecordedWrite]:
        """The writes of the record that took effect between the call and the answer."""
        id = self.id_of(entry)
        story = self._ledger.stories.get(id) if id else None
        if story is None:
            return ()
        first = bisect_left(story.writes, entry.began - _TOLERANCE_SECONDS, key=lambda write: write.at)
        found = []
        for write in story.writes[first:]:
            if write.at > entry.ended + _TOLERANCE_SECONDS:
                break
            found.append(write)
        return found

    def showing(self, entry: Entry, writes: Sequence[RecordedWrite]) -> Sequence[RecordedWrite]:
        """Those of ``writes`` that show what the operation wrote."""
        planned = entry.planned
        return [write for write in writes if _shows(write, planned.action, planned.field, planned.argument)]

    def timestamp(self, entry: Entry) -> Timestamp | None:
        """The timestamp of an assignment, if its value is found in exactly one write."""
        if entry.planned.action is not Action.SET:
            return None
        found = self.showing(entry, self.during(entry))
        if len(found) != 1:
            return None
        effect = found[0].effects[entry.planned.field or ""]
        assert isinstance(effect, Assignment), "it shows an assignment"
        assert effect.entry is not None, "and a value"
        stamp: Timestamp = effect.entry[2]
        return stamp


def needs_trace(entry: Entry) -> bool:
    """Whether the operation's value can be recognised in a state."""
    return entry.planned.action in (Action.SET, Action.ADD)


def _shows(write: RecordedWrite, action: Action, field: str | None, argument: Any) -> bool:
    effect = write.effects.get(field or "")
    if action is Action.SET and isinstance(effect, Assignment):
        return effect.entry is not None and bool(effect.entry[3] == argument)
    if action is Action.ADD and isinstance(effect, Membership):
        wanted = argument if isinstance(argument, (list, tuple, set, frozenset)) else (argument,)
        return all(element in effect.added for element in wanted)
    return action not in (Action.SET, Action.ADD)
