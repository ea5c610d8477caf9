"""The doors to the world: clock, entropy, storage, peers.

``node/`` knows nothing but these protocols, so that the simulator can run it unchanged. Each method says when it is
called and what it guarantees. The value types that cross a port stand here beside it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NewType, Protocol

from atoll.causality.cut import Cut
from atoll.control import Location, NodeStatus, RowDigest
from atoll.ids import Actor, CollectionName, Origin, RecordId, RegionName, ZoneName
from atoll.instant import Timestamp
from atoll.keyspace.key_range import KeyRange
from atoll.keyspace.shard_map import ShardMap
from atoll.replication.messages import Acknowledgement, Hello, StreamMessage
from atoll.requests import Reply, Request

# -- time and randomness ------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time. Durations come from :meth:`monotonic`; :meth:`wall_ms` is only for hybrid timestamps and people."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970; may jump in both directions."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``; cancellable."""
        ...


class Entropy(Protocol):
    """Randomness: jitter and identifiers, never decisions of the protocol."""

    def uniform(self, low: float, high: float) -> float:
        """A number between ``low`` and ``high``."""
        ...

    def token(self) -> str:
        """A fresh unguessable identifier of 32 hexadecimal digits."""
        ...


# -- a shard's storage --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIdentity:
    """Who a shard is. ``actor`` mints its dots; it changes with the incarnation (promise I2)."""

    origin: Origin
    incarnation: int
    actor: Actor


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
    """The greatest dot counter of this write; orders the changes of one record in the log."""
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


class ShardStore(Protocol):
    """One shard's storage. All methods are safe to call concurrently and may raise
    :class:`~atoll.errors.Unavailable` (nothing happened) when the shard does not answer."""

    @property
    def identity(self) -> ShardIdentity:
        """Fixed while the store is open."""
        ...

    async def lease_counters(self, count: int) -> CounterBlock:
        """Lease dot counters, greater than all leased before, durably before returning (promise I2)."""
        ...

    async def read(self, ids: Sequence[RecordId]) -> ReadResult:
        """Read records in one snapshot, with the shard's progress in the same snapshot."""
        ...

    async def write(self, rows: Sequence[RowWrite], dependencies: Cut) -> WriteResult:
        """Write what can be written, in one durable transaction: state, document and change-log row (promise I1).

        Rows are independent: a stale or fenced row does not stop the others. ``rows`` hold distinct ids.
        ``dependencies`` is what the writers' sessions had seen; the batch that carries the changes depends on it, and
        readers do too: entries of other regions become begun here. Raises :class:`~atoll.errors.OutcomeUnknown` when
        the connection broke after the commit was sent; repeating is safe, since a row that did commit is ``STALE``.
        """
        ...

    async def capture(self) -> Batch | None:
        """Turn what was committed since the last batch into the next one and make its boundary durable.

        Returns the batch, or ``None`` when there is nothing to capture or another node captured at the same moment.
        Exactly one empty batch follows each non-empty one (see :meth:`Progress.seen`).
        """
        ...

    async def batches(self, after: int, limit: int) -> Sequence[Batch]:
        """Captured batches with numbers above ``after``, in order, from the shard's own durable list."""
        ...

    def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
        """Stream the rows of a captured batch that lie in ``allowed``, as pieces of a :data:`Rows` stream.

        Several changes of one record are collapsed to the last state on the first previous context. Pieces may end
        in the middle of a tuple. Repeatable: the content is the same at each call until the batch is collected.
        """
        ...

    async def apply(self, begins: Cut, completes: Cut, rows: Rows) -> ApplyResult:
        """Join remote rows into this shard and move its cuts, in one durable transaction (promise I4).

        The rows belong to batches of any origins, several of one record in the order of the batches. ``begins`` names
        these batches and ``completes`` those of them that are complete with this chunk; ``begins`` covers
        ``completes``. Both are joined into the shard's cuts, entry by entry, which never go back; without rows only
        the cuts move. Idempotent; older chunks change nothing. The caller keeps the causal order
        (:mod:`atoll.replication.inbox`) and has checked residency. If any row is fenced nothing is applied and both
        cuts stay.
        """
        ...

    async def progress(self) -> Progress:
        """The shard's progress in a fresh snapshot."""
        ...

    async def acknowledge(self, peer: RegionName, number: int) -> None:
        """Note durably that ``peer`` has applied this shard's batches up to ``number``. Never goes back."""
        ...

    async def acknowledged(self) -> Mapping[RegionName, int]:
        """What each peer has acknowledged of this shard's batches."""
        ...

    async def collect(self, members: Sequence[RegionName]) -> int:
        """Delete batches and log rows that every one of ``members`` has acknowledged; returns log rows deleted."""
        ...

    async def ownership(self) -> Sequence[Ownership]:
        """The shard's ownership rows in order of position."""
        ...

    async def claim(self, ownership: Ownership) -> None:
        """Insert or replace one ownership row; waits for writes in flight on the range. Lower epochs are refused
        with :class:`~atoll.errors.StaleRoute`. Overlap with another owned range is refused."""
        ...

    def scan(
        self, within: KeyRange, collection: CollectionName | None = None
    ) -> AsyncIterator[Sequence[tuple[RecordId, StoredRecord]]]:
        """All rows of a range in order of :class:`RecordId`, tombstones included, in chunks, from one snapshot."""
        ...

    async def statistics(self) -> StoreStatistics:
        """Figures for people and metrics."""
        ...

    async def close(self) -> None:
        """Release connections; writes in flight are finished or fail as unknown. Idempotent."""
        ...


# -- a region's catalog -------------------------------------------------------------------------------------------


class Catalog(Protocol):
    """The region's control-plane database: shard map, clock bound, peers' addresses as last seen."""

    async def shard_map(self) -> ShardMap:
        """The newest version of the map."""
        ...

    async def publish(self, shard_map: ShardMap) -> None:
        """Store a map whose version is exactly one above the newest; raises
        :class:`~atoll.errors.StaleRoute` when somebody else published first."""
        ...

    async def clock_bound(self) -> Timestamp:
        """The upper bound of hybrid timestamps that this region may have used; 0 before the first."""
        ...

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        """Persist a higher bound before timestamps up to it are used (promise I14). Lower values change nothing."""
        ...

    async def close(self) -> None:
        """Release connections. Idempotent."""
        ...


# -- peers --------------------------------------------------------------------------------------------------------


class PullStream(Protocol):
    """The receiver's end of one replication stream."""

    async def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Tell the sender what has been applied; it opens the sender's window."""
        ...

    async def receive(self) -> StreamMessage | None:
        """The next message; ``None`` when the peer closed the stream. Raises :class:`~atoll.errors.Unavailable`
        when the connection broke, :class:`~atoll.errors.PeerError` when the peer refused or broke the protocol."""
        ...

    async def close(self) -> None:
        """Give the stream up. Idempotent."""
        ...


class Transport(Protocol):
    """Ways to other regions. Messages cross it as serialized bytes: nothing is shared between nodes."""

    async def pull(self, region: RegionName, hello: Hello) -> PullStream:
        """Open a replication stream from ``region``."""
        ...

    async def execute(self, region: RegionName, request: Request, deadline_seconds: float) -> Reply:
        """Forward a client's request to a node of ``region``; raises its typed errors."""
        ...

    async def close(self) -> None:
        """Close all channels. Idempotent."""
        ...


# -- operators ----------------------------------------------------------------------------------------------------


class ControlSurface(Protocol):
    """What the Control service serves: a node's answers to operators and tools."""

    async def status(self) -> NodeStatus:
        """The node's view now; shards that do not answer are told as such, within a bound."""
        ...

    def digest(self, zone: ZoneName) -> AsyncIterator[Sequence[RowDigest]]:
        """All rows of a zone in this region, tombstones too, in the order of :class:`~atoll.ids.RecordId`. Raises
        :class:`~atoll.errors.UnknownZone`, ``ZoneNotHosted``, :class:`~atoll.errors.Unavailable`."""
        ...

    async def locate(self, collection: CollectionName, zone: ZoneName | None, key: str) -> Location:
        """Where a record lives in this region; raises the caller's errors of a request for it."""
        ...

    async def drill(self, cut_off_from: Collection[RegionName]) -> None:
        """Play dead to exactly these regions from now on; none of them: heal. Does not outlive the node."""
        ...
