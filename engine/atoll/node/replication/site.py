"""What every part of a node's replication stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from atoll.causality.hybrid_clock import HybridClock
from atoll.ids import Origin, RegionName, ShardName
from atoll.keyspace.topology import Topology
from atoll.metrics import Metrics
from atoll.node.clock_keeper import ClockKeeper
from atoll.node.drill import Drill
from atoll.ports import Clock, Entropy, ShardStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One node's place in the ring. Shared by reference; nothing here changes but what the members do themselves."""

    topology: Topology
    region: RegionName
    stores: Mapping[ShardName, ShardStore]
    """All shards of the own region."""
    timestamps: ClockKeeper | HybridClock
    clock: Clock
    entropy: Entropy
    metrics: Metrics
    drill: Drill

    def origins_of(self, region: RegionName) -> list[Origin]:
        """The shards of a region, as the topology names them."""
        return [Origin(region, shard.name) for shard in self.topology.regions[region].shards]
