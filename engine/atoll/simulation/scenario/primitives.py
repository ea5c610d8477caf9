"""The faults of a plan, as they are written in a file: one table a kind, with the parameters that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from atoll.keyspace.topology import Topology
from atoll.simulation.plan import FaultKind
from atoll.simulation.scenario.story import (
    Primitive,
    Problem,
    link_names,
    node_names,
    region_names,
    shard_names,
)


class _OnLinks(Primitive):
    noun = "link"

    def known(self, topology: Topology) -> Sequence[str]:
        return link_names(topology)


class _OnNodes(Primitive):
    noun = "node"

    def known(self, topology: Topology) -> Sequence[str]:
        return node_names(topology)


class _OnShards(Primitive):
    noun = "shard"

    def known(self, topology: Topology) -> Sequence[str]:
        return shard_names(topology)


class Cut(_OnLinks):
    """Nothing crosses; ``reset = 1`` breaks connections at once instead of letting them hang."""

    primitive = FaultKind.CUT
    reset: float | None = Field(default=None, ge=0, le=1)


class Degrade(_OnLinks):
    """Links that are bad, not broken."""

    primitive = FaultKind.DEGRADE
    latency_factor: float | None = Field(default=None, ge=1, le=1_000)
    jitter_factor: float | None = Field(default=None, ge=1, le=1_000)
    loss: float | None = Field(default=None, ge=0, le=0.9)
    duplicate: float | None = Field(default=None, ge=0, le=1)
    reorder: float | None = Field(default=None, ge=0, le=1)
    bandwidth_kbps: float | None = Field(default=None, ge=8)

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from super().problems(topology)
        if not self.parameters():
            yield (
                "kind",
                "'degrade' changes nothing as it is: give latency_factor, jitter_factor, loss, duplicate, "
                "reorder or bandwidth_kbps",
            )


class CrashNode(_OnNodes):
    """The process is killed and started again at the end."""

    primitive = FaultKind.CRASH_NODE


class PauseNode(_OnNodes):
    """The process stands still until the end."""

    primitive = FaultKind.PAUSE_NODE


class Clock(_OnNodes):
    """The wall clock is set off, or runs at another pace."""

    primitive = FaultKind.CLOCK
    offset_ms: float | None = Field(default=None, ge=-86_400_000, le=86_400_000)
    drift_ppm: float | None = Field(default=None, ge=-500_000, le=500_000)
    keep: float | None = Field(default=None, ge=0, le=1)

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from super().problems(topology)
        if self.offset_ms is None and self.drift_ppm is None:
            yield "kind", "'clock' changes nothing as it is: give offset_ms or drift_ppm"


class CrashShard(_OnShards):
    """The database server dies and is back at the end."""

    primitive = FaultKind.CRASH_SHARD


class StallShard(_OnShards):
    """The database answers nothing until the end."""

    primitive = FaultKind.STALL_SHARD


class SlowShard(_OnShards):
    """The database's disk takes ``factor`` times as long."""

    primitive = FaultKind.SLOW_SHARD
    factor: float | None = Field(default=None, ge=1, le=10_000)


class FullShard(_OnShards):
    """The database refuses to write."""

    primitive = FaultKind.FULL_SHARD


class AmbiguousShard(_OnShards):
    """A ``share`` of commits break their connection; half of them have happened."""

    primitive = FaultKind.AMBIGUOUS_SHARD
    share: float | None = Field(default=None, ge=0, le=1)


class FailoverShard(_OnShards):
    """A replica that lags by ``lag_seconds`` takes over until the end."""

    primitive = FaultKind.FAILOVER_SHARD
    lag_seconds: float | None = Field(default=None, ge=0, le=60)


class PreparedTransaction(_OnShards):
    """Somebody's prepared transaction holds its locks until the end; ``commit = 0`` rolls it back then."""

    primitive = FaultKind.PREPARED_TRANSACTION
    commit: float | None = Field(default=None, ge=0, le=1)


class LoseRegion(Primitive):
    """All of a region dies at once."""

    primitive = FaultKind.LOSE_REGION
    noun = "region"

    def known(self, topology: Topology) -> Sequence[str]:
        return region_names(topology)


PRIMITIVES: Mapping[FaultKind, type[Primitive]] = {
    story.primitive: story
    for story in (
        Cut,
        Degrade,
        CrashNode,
        PauseNode,
        Clock,
        CrashShard,
        StallShard,
        SlowShard,
        FullShard,
        AmbiguousShard,
        FailoverShard,
        PreparedTransaction,
        LoseRegion,
    )
}
