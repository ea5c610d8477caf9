"""What operators ask of a node, and what it answers: the one language of the Control service and its clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from atoll.causality.cut import Cut
from atoll.ids import NodeName, RegionName, ShardName, ZoneName


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardStatus:
    """One shard of the node's region, as this node sees it. Counts are 0 while it does not answer."""

    name: ShardName
    answering: bool
    problem: str = ""
    """Why it does not answer."""
    records: int = 0
    tombstones: int = 0
    log_rows: int = 0
    log_bytes: int = 0
    captured: int = 0
    ranges: int = 0
    records_merged: int = 0
    """Remote records that had changed on both sides and met the merge rules, since the node started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStatus:
    """Another region, as this node sees it."""

    region: RegionName
    connected: bool
    problem: str = ""
    batches_behind: int = 0
    """Batches that are captured there (as last heard) and not yet applied here."""
    lag_p50_seconds: float = 0.0
    lag_p99_seconds: float = 0.0
    """From a batch's newest write to its being applied here, over the last batches."""
    records_applied: int = 0
    """Records in the peer's batches that the whole region has applied since the node started."""
    refused: int = 0
    """Rows and frames refused since the node started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A node's view of its region and its peers."""

    ring: str
    region: RegionName
    node: NodeName
    map_version: int
    shards: Sequence[ShardStatus]
    peers: Sequence[PeerStatus]
    cut: Cut
    cut_off_from: Sequence[RegionName]
    """Regions this node plays dead to in a drill."""


class RowDigest(NamedTuple):
    """One row as a region holds it, tombstones included."""

    collection: str
    key: str
    digest: bytes
    """16 bytes of BLAKE2b over collection, key, canonical context and canonical state, each with its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a record lives, whether it exists or not."""

    zone: ZoneName
    position: bytes
    shard: ShardName | None
    """``None`` when the region does not host the zone."""
    epoch: int
    regions: Sequence[RegionName]
    """The regions that may hold the record, its home first."""
