"""The values that cross the port :class:`~atoll.ports.ShardStore`: who a shard is, what is asked and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NewType

from atoll.causality.cut import Cut
from atoll.ids import Actor, Origin, RecordId
from atoll.instant import Timestamp
from atoll.keyspace.key_range import KeyRange


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIdentity:
    """Who a shard is. ``actor`` mints its dots; it changes with the incarnation (promise I2)."""

    origin: Origin
    incarnation: int
    actor: Actor
    birth: str = ""
    """Drawn at random when the shard's database was made: tells it from another database under the same name."""


@dataclass(frozen=True, slots=True)
class CounterBlock:
    """Dot counters ``first`` to ``last`` (both included), leased durably to one caller for ever."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """Canonical bytes of a record's causal context and state, as :mod:`atoll.crdt.codec` writes them."""

    context: bytes
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWrite:
    """One record's new state, valid only on top of ``previous_context`` (``b""``: the record has no row yet)."""

    id: RecordId
    previous_context: bytes
    context: bytes
    state: bytes
    document: bytes | None
    """Readable JSON of the value; ``None`` when the record is deleted."""
    counter: int
    """The greatest dot counter of this write: a writer whose answer was lost recognises its attempt by it."""
    timestamp: Timestamp


class Outcome(IntEnum):
    """What became of one row of :meth:`ShardStore.write` or one id of :meth:`ShardStore.read`."""

    DONE = 0
    STALE = 1
    """The record's context was not ``previous_context``: nothing written; read again."""
    FENCED = 2
    """The shard does not own the position: nothing written, nothing read (promise I6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a shard had come at one snapshot.

    ``captured`` is the number of its last batch; ``pending`` says that the snapshot saw own changes beyond it.
    ``applied`` holds, per remote origin, the last batch applied in full; ``begun`` the last one applied in part or
    in full (``begun >= applied`` entrywise).
    """

    origin: Origin
    captured: int
    pending: bool
    applied: Cut
    begun: Cut

    def seen(self) -> Cut:
        """An upper bound of everything visible in the snapshot: what a session that read it depends on.

        A capture takes its snapshot before its number is visible, so a change visible beyond batch *n* may fall in
        batch *n + 1* (already taking its snapshot) or at the latest in *n + 2*, which begins after *n + 1* is
        durable. Capture promises to emit batch *n + 2* even if it is empty.
        """
        return self.begun.advanced(self.origin, self.captured + 2 if self.pending else self.captured)

    def covered(self) -> Cut:
        """A lower bound of remote batches that every read of this shard reflects in full."""
        return self.applied


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """Answers in the order of the request, all from one snapshot."""

    outcomes: Sequence[Outcome]
    records: Sequence[StoredRecord | None]
    """``None`` where there is no row or the outcome is ``FENCED``."""
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """Outcomes in the order of the rows. ``progress`` was taken after the commit: it covers what was written."""

    outcomes: Sequence[Outcome]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The header of one captured batch. Numbers are dense per origin, from 1; content never changes (promise I5)."""

    origin: Origin
    incarnation: int
    number: int
    dependencies: Cut
    """What a receiver must have applied first; excludes the origin's own earlier batches, which are implied."""
    records: int
    """Distinct records changed, before residency filters."""
    timestamp: Timestamp
    """Greatest hybrid timestamp in the batch; 0 if it is empty."""


Rows = NewType("Rows", bytes)
"""Whole tuples of the PostgreSQL binary COPY format without header and trailer; columns: see
:mod:`atoll.replication.rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What joining one chunk of remote rows did."""

    inserted: int
    overwritten: int
    """Rows taken as bytes because the local context was the one they were made on."""
    merged: int
    """Rows joined in Python because both sides had changed."""
    unchanged: int
    fenced: Sequence[RecordId] = field(default=())
    """Rows this shard does not own; nothing of the chunk was applied if there are any."""


class RangeState(IntEnum):
    """What a shard may do with a range. Further states belong to moves."""

    OWNED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """A shard's own claim to a range. The epoch grows with every change of hands."""

    range: KeyRange
    epoch: int
    state: RangeState = RangeState.OWNED


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatistics:
    """Figures for status and metrics; counts may be estimates where the field says so."""

    records: int
    """Live records, exact."""
    tombstones: int
    log_rows: int
    """Rows of the change log, estimated."""
    log_bytes: int
    captured: int
