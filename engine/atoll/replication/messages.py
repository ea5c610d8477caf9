"""What two regions say to each other on a replication stream: hello, acknowledgements, batch parts, heartbeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from atoll.causality.cut import Cut
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import Timestamp

WIRE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The receiver opens: who it is and from which batch of each of the sender's shards it wants to go on."""

    ring: str
    region: RegionName
    wire_version: int = WIRE_VERSION
    after: Mapping[ShardName, int] = field(default_factory=dict)
    """Per shard of the sender, the last batch applied in full on all of the receiver's shards; 0 if absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What the receiver has made durable. Numbers never go back; they open the sender's window and its retention."""

    applied: Mapping[ShardName, int]
    """Per shard of the sender."""
    cut: Cut = Cut.EMPTY
    """The receiver's whole cut, for lag and stability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPart:
    """A piece of one batch. The parts of a batch arrive in order and uninterrupted per origin; the last is final.

    ``payload`` is a piece of a stream of binary COPY tuples (see :mod:`atoll.replication.rows`) and may end in the
    middle of a tuple. ``records`` and ``digest`` are set on the final part: the number of tuples, and xxh3-64 over
    the whole batch's payload.
    """

    origin: Origin
    incarnation: int
    number: int
    dependencies: Cut
    timestamp: Timestamp
    payload: bytes
    final: bool
    records: int = 0
    digest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The sender lives: its clock, and the last captured batch of each of its shards."""

    timestamp: Timestamp
    captured: Mapping[ShardName, int]


StreamMessage = BatchPart | Heartbeat
