"""Joining rows of other shards into records: what the SQL and the merge code do together, one record at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

from atoll.crdt.codec import merge_bytes
from atoll.ids import RecordId
from atoll.replication.rows import Row


class Held(NamedTuple):
    """A record's row. No document: the record is deleted, and the row is its tombstone."""

    context: bytes
    state: bytes
    document: bytes | None


class How(Enum):
    """What joining one record took: the fields of :class:`~atoll.ports.ApplyResult`."""

    INSERTED = "inserted"
    OVERWRITTEN = "overwritten"
    MERGED = "merged"
    UNCHANGED = "unchanged"


def by_record(rows: Iterable[Row]) -> Iterator[tuple[RecordId, list[Row]]]:
    """Rows by record, in the order of the records; each record's rows in the order of arrival."""
    for record, found in groupby(sorted(rows, key=attrgetter("id")), key=attrgetter("id")):
        yield record, list(found)


def collapsed(changes: Sequence[Row]) -> Sequence[Row]:
    """One record's changes in one batch: the last state on the first previous context, unless there are deltas."""
    if not all(change.complete for change in changes):
        return changes
    return [changes[-1]._replace(previous_context=changes[0].previous_context)]


def joined(held: Held | None, changes: Sequence[Row]) -> tuple[How, Held]:
    """One record's row after the join, and what that took. Raises :class:`~atoll.errors.CorruptFrame`."""
    last = changes[-1]
    arrived = Held(last.context, last.state, last.document)
    if _is_chain(changes):
        if held is None:
            return How.INSERTED, arrived
        if held.context == changes[0].previous_context:
            return How.OVERWRITTEN, arrived
    merged = held or Held(b"", b"", None)
    for change in changes:
        if change.context != merged.context or not change.complete:
            merged = Held(*merge_bytes(merged[:2], (change.context, change.state))[:3])
    if held is None:
        return How.INSERTED, merged
    if merged[:2] == held[:2]:
        return How.UNCHANGED, held
    return How.MERGED, merged


def _is_chain(changes: Sequence[Row]) -> bool:
    """Whether each change is a whole state made on the one before."""
    links = all(earlier.context == later.previous_context for earlier, later in pairwise(changes))
    return links and all(change.complete for change in changes)
