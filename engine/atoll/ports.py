"""The doors to the world: clock, entropy, storage, peers.

``node/`` knows nothing but these protocols, so that the simulator can run it unchanged. Each method says when it is
called and what it guarantees. The values that cross the shard's port are in :mod:`atoll.shard_values`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from atoll.causality.cut import Cut
from atoll.control import Location, NodeStatus, RowDigest
from atoll.ids import CollectionName, RecordId, RegionName, ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.keyspace.key_range import KeyRange
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Region, Shard
from atoll.replication.messages import Acknowledgement, Hello, StreamMessage
from atoll.requests import Reply, Request
from atoll.shard_values import (
    ApplyResult as ApplyResult,
)
from atoll.shard_values import (
    Batch as Batch,
)
from atoll.shard_values import (
    CounterBlock as CounterBlock,
)
from atoll.shard_values import (
    Outcome as Outcome,
)
from atoll.shard_values import (
    Ownership as Ownership,
)
from atoll.shard_values import (
    Progress as Progress,
)
from atoll.shard_values import (
    RangeState as RangeState,
)
from atoll.shard_values import (
    ReadResult as ReadResult,
)
from atoll.shard_values import (
    Rows as Rows,
)
from atoll.shard_values import (
    RowWrite as RowWrite,
)
from atoll.shard_values import (
    ShardIdentity as ShardIdentity,
)
from atoll.shard_values import (
    StoredRecord as StoredRecord,
)
from atoll.shard_values import (
    StoreStatistics as StoreStatistics,
)
from atoll.shard_values import (
    WriteResult as WriteResult,
)

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

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once after ``seconds``, on the running event loop; returns what calls it off, at any time."""
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

    async def known_birth(self, shard: ShardName, birth: str) -> str:
        """The birth of the database that the region has known as ``shard``; ``birth`` is noted, once and for all, if
        it has known none (promise I2)."""
        ...

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        """Persist a higher bound before timestamps up to it are used (promise I14). Lower values change nothing."""
        ...

    async def close(self) -> None:
        """Release connections. Idempotent."""
        ...


class Storage(Protocol):
    """Where a region's databases are opened: what its configuration calls a shard or a catalog, as a port."""

    async def open_catalog(self, region: Region, first_map: ShardMap) -> Catalog:
        """The region's catalog, made with ``first_map`` if it is new. Raises :class:`~atoll.errors.Unavailable`, or
        an :class:`~atoll.errors.OperatorError` for what only a person can mend."""
        ...

    async def open_shard(self, ring: str, region: Region, shard: Shard) -> ShardStore:
        """The store of one shard, fit to keep promises; raises as :meth:`open_catalog` does."""
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
