"""Decoded records that were written lately: a hint that saves reading and decoding, never the truth.

A writer that builds on a record which another process has written since is found out by the shard, which compares
contexts: the row comes back stale, is forgotten here and read again. A reader compares the context that it was just
given: equal contexts have equal states (promise I3), so what is known needs no decoding.
"""

from __future__ import annotations

from typing import NamedTuple

from atoll.crdt.record import Record
from atoll.ids import RecordId


class Known(NamedTuple):
    """A record as last seen in the shard, with the bytes of its context (``b""``: it has no row)."""

    record: Record
    context: bytes


NO_ROW = Known(Record.empty(), b"")


class RecordCache:
    """The ``size_max`` most recently used records."""

    __slots__ = ("_known", "_size_max")

    def __init__(self, size_max: int) -> None:
        assert size_max > 0, "a cache holds something"
        self._size_max = size_max
        self._known: dict[RecordId, Known] = {}

    def get(self, id: RecordId) -> Known | None:
        """The record, which becomes the most recently used; ``None`` if it is not known."""
        found = self._known.pop(id, None)
        if found is not None:
            self._known[id] = found
        return found

    def peek(self, id: RecordId, context: bytes) -> Record | None:
        """The record with exactly this context, if it is known; not a use."""
        found = self._known.get(id)
        return found.record if found is not None and found.context == context else None

    def put(self, id: RecordId, known: Known) -> None:
        """Remember a record as the most recently used; forget the least recently used one when full."""
        self._known.pop(id, None)
        self._known[id] = known
        if len(self._known) > self._size_max:
            del self._known[next(iter(self._known))]

    def forget(self, id: RecordId) -> None:
        """What was known of the record may be old."""
        self._known.pop(id, None)

    def __len__(self) -> int:
        return len(self._known)
