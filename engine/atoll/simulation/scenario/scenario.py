"""A scenario: a ring, its network, its traffic, and what goes wrong; as values, read from one TOML file.

A scenario and a seed make a plan (:mod:`atoll.simulation.scenario.planning`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.keyspace.topology import Topology
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.plan import Fault, FaultKind, PlannedOperation
from atoll.simulation.scenario.shape import RingShape
from atoll.simulation.scenario.story import Story


class Group(StrEnum):
    """How often a scenario is run."""

    FAST = "fast"
    """Seconds; at every change."""
    SLOW = "slow"
    """Minutes; every night."""
    RARE = "rare"
    """Long or exotic; before a release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """How far the regions are from each other."""

    table: LatencyTable
    locations: Mapping[RegionName, str]
    """Which row of the table a region stands for."""
    jitter: float = 0.1
    """Spread of one way's latency above its minimum, as a share of the latency."""
    loss: float = 0.0
    """Share of packets lost and sent again: delay, not absence, since the connections are reliable."""
    bandwidth_mbps: float | None = None
    """Of each directed link between regions; ``None``: unlimited."""
    client_latency_ms: float = 0.0
    """Round trip between a client and its node. Zero hides no anomaly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSettings:
    """How long the databases take. A flush is drawn between its two bounds, a statement takes ``statement_ms``."""

    flush_ms_min: float = 0.3
    flush_ms_max: float = 2.0
    statement_ms: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One kind of traffic on one field of one collection."""

    workload: str
    """A name in :data:`atoll.simulation.workloads.WORKLOADS`."""
    collection: CollectionName
    field: str
    operations_per_second: float
    """All regions together."""
    clients: int = 2
    """In each region."""
    keys: int = 10
    reads: float = 0.3
    """Share of operations that read."""
    roaming: float = 0.0
    """Share of operations before which a client moves to another region, session and all."""
    gossip: float = 0.0
    """Share of operations before which a client is told another client's session, out of band."""
    zones: Sequence[ZoneName] = ()
    """Zones of the records, for collections placed by zone; empty: the collection's own or ``global``."""
    regions: Sequence[RegionName] = ()
    """Where the clients are; empty: everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """Random faults: for each seed a random subset of ``kinds`` with random weights."""

    kinds: Sequence[FaultKind]
    faults_per_minute: float = 12.0
    """On average; drawn anew for each seed between a tenth and twice of it."""
    seconds_min: float = 0.2
    seconds_max: float = 8.0
    """How long one lasts."""
    quiet_share: float = 0.1
    """Share of seeds without any fault."""
    knobs: bool = True
    """Whether limits of the engine are drawn at their extremes now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the scenario's author promises beyond what is always promised. Empty: nothing."""

    availability: Mapping[RegionName, float] = field(default_factory=dict)
    """Least share of operations of records hosted in the region that succeed there, over the whole run."""
    converged_within_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """See the module. ``text`` is the TOML it was read from."""

    name: str
    title: str
    story: str
    group: Group
    topology: Topology
    network: NetworkSettings
    disk: DiskSettings
    traffic: Sequence[Traffic]
    faults: Sequence[Fault]
    """Told outright, with all that they need: in the plan of every seed."""
    swarm: Swarm | None
    seconds: float
    settle_seconds: float
    expectation: Expectation
    text: str
    operations: Sequence[PlannedOperation] = ()
    """Given outright; then traffic generates nothing. Minimal scenarios are written so."""
    scheduling: str = "uniform"
    """As :attr:`atoll.simulation.plan.Plan.scheduling`, or ``any``: drawn for each seed."""
    client_kind: str = "remote"
    """As :attr:`atoll.simulation.plan.Plan.client_kind`, or ``any``."""
    knobs: Mapping[str, float] = field(default_factory=dict)
    stories: Sequence[Story] = ()
    """Faults told in words, some of which leave a seed to choose: halves, swizzles, any node. A plan holds what they
    come to."""
    shape: RingShape | None = None
    """A ring that each seed draws anew. ``topology`` and ``network`` are then those of one seed; use
    :func:`atoll.simulation.scenario.planning.at_seed` for another."""
    seeds: Sequence[int] = ()
    """Seeds that once failed: run first, for ever."""
