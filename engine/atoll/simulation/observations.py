"""What the harness sees of a running ring from inside: the grey box that the clients cannot look into.

Storage in memory reports every transaction as it takes effect, in the order in which it does so, to one
:class:`Observer`. Observations are evidence about code under test and never an input to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from atoll.causality.cut import Cut
from atoll.ids import Origin, RecordId
from atoll.ports import Batch, Ownership, RowWrite, StoredRecord
from atoll.replication.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A group of local writes became durable and visible on ``shard``: only the rows that were ``DONE``."""

    at: float
    shard: Origin
    transaction: int
    rows: Sequence[RowWrite]
    dependencies: Cut
    owned: Sequence[Ownership]
    """The shard's ownership rows as the transaction saw them."""
    process: str = ""
    """Who wrote: a host in one of its lives; empty if nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A batch got its number on its origin. ``transactions`` are those whose changes it holds."""

    at: float
    batch: Batch
    transactions: Sequence[int]
    records: Sequence[RecordId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Remote rows were joined on ``shard``, or its cuts moved."""

    at: float
    shard: Origin
    begins: Cut
    completes: Cut
    rows: Sequence[Row]
    before: Cut
    """The shard's completed cut before."""
    after: Cut
    """And after."""
    held: Mapping[RecordId, StoredRecord] = field(default_factory=dict)
    """The records of ``rows`` as the shard holds them afterwards. Without it less can be checked: writes made on a
    state that nobody saw are left out of the replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """Batches up to ``number`` and their log rows were deleted on ``shard``."""

    at: float
    shard: Origin
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewound:
    """A server came back with less than it had: transactions that had been visible are gone (a failover to a replica
    that lagged). Nothing that is not named here may ever be lost."""

    at: float
    shard: Origin
    transactions: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A block of dot counters was leased."""

    at: float
    shard: Origin
    incarnation: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A process, which is a host in one of its lives, asked ``server`` for its first connection."""

    at: float
    server: Origin
    process: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A replication message crossed a link between regions, as the bytes that crossed."""

    at: float
    source: str
    target: str
    method: str
    payload: bytes


Observation = Committed | Captured | Applied | Collected | Rewound | Minted | Connected | Carried


class Observer(Protocol):
    """Takes observations, synchronously, in the order of their effects."""

    def observe(self, observation: Observation) -> None:
        """Called once an observation; must not change anything it is shown."""
        ...
