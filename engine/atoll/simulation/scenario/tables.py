"""The shape of a scenario's file: which keys there are and what type each has. Meaning is checked in ``reading``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from atoll.configuration.settings import CollectionSettings, ZoneSettings
from atoll.simulation.limits import SCENARIO_SECONDS_MAX
from atoll.simulation.plan import Action, FaultKind
from atoll.simulation.scenario.scenario import Group
from atoll.simulation.scenario.shape import numbered
from atoll.simulation.scenario.story import Names

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _counted(letter: str) -> BeforeValidator:
    """A number stands for so many names."""

    def names(given: object) -> object:
        is_count = isinstance(given, int) and not isinstance(given, bool)
        if is_count and not 1 <= given <= 64:  # type: ignore[operator]
            raise ValueError("a number from 1 to 64, or a list of names, expected")
        return numbered(letter, given) if is_count else given  # type: ignore[arg-type]

    return BeforeValidator(names)


NodeNames = Annotated[tuple[str, ...], _counted("n")]
ShardNames = Annotated[tuple[str, ...], _counted("s")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RegionTable(_Table):
    """``[ring.regions.R]``."""

    location: str | None = None
    nodes: NodeNames | None = None
    shards: ShardNames | None = None


class RingTable(_Table):
    """``[ring]``. ``regions = [...]`` and ``regions = "any"`` have become tables and ``any_regions``."""

    name: str = "simulated"
    regions: dict[str, RegionTable] = Field(default_factory=dict)
    any_regions: bool = False
    nodes: NodeNames | None = None
    shards: ShardNames | None = None
    zones: dict[str, ZoneSettings] = Field(default_factory=dict)
    any_zones: int = Field(default=0, ge=0, le=8)
    collections: dict[str, CollectionSettings] = Field(default_factory=dict)


class NetworkTable(_Table):
    """``[network]``. A ``latency`` given as tables has become ``round_trips_ms``."""

    latency: str | None = None
    round_trips_ms: dict[str, dict[str, NotNegative]] | None = None
    locations: dict[str, str] = Field(default_factory=dict)
    jitter: float = Field(default=0.1, ge=0, le=10)
    loss: float = Field(default=0.0, ge=0, le=0.9)
    bandwidth_mbps: Positive | None = None
    client_latency_ms: NotNegative = 0.0


class DiskTable(_Table):
    """``[disk]``."""

    flush_ms_min: NotNegative = 0.3
    flush_ms_max: NotNegative = 2.0
    statement_ms: NotNegative = 0.2


class RunTable(_Table):
    """``[run]``."""

    seconds: float = Field(default=20.0, gt=0, le=SCENARIO_SECONDS_MAX)
    settle_seconds: float = Field(default=60.0, gt=0, le=SCENARIO_SECONDS_MAX)
    scheduling: str = "uniform"
    client: str = "remote"


class TrafficTable(_Table):
    """``[[traffic]]``."""

    workload: str
    collection: str
    field: str
    operations_per_second: float = Field(default=20.0, gt=0, le=100_000)
    clients: int = Field(default=2, ge=1, le=1_000)
    keys: int = Field(default=10, ge=1, le=1_000_000)
    reads: Share = 0.3
    roaming: Share = 0.0
    gossip: Share = 0.0
    zones: Names = ()
    regions: Names = ()


class OperationTable(_Table):
    """``[[operation]]``: one planned operation."""

    at_seconds: NotNegative
    client: str
    region: str
    workload: str
    action: Action
    collection: str
    key: str
    field: str | None = None
    zone: str | None = None
    argument: Any = None
    hears: str | None = None
    timeout_seconds: Positive = 5.0


class SwarmTable(_Table):
    """``[swarm]``."""

    kinds: tuple[FaultKind, ...] = Field(default=tuple(FaultKind), min_length=1)
    faults_per_minute: float = Field(default=12.0, gt=0, le=6_000)
    seconds_min: Positive = 0.2
    seconds_max: Positive = 8.0
    quiet_share: Share = 0.1
    knobs: bool = True


class ExpectTable(_Table):
    """``[expect]``."""

    availability: dict[str, Share] = Field(default_factory=dict)
    converged_within_seconds: Positive | None = None


class ScenarioTable(_Table):
    """The whole file. Each ``[[fault]]`` is read by its kind."""

    title: str | None = None
    story: str = ""
    group: Group = Group.FAST
    seeds: tuple[int, ...] = ()
    ring: RingTable | None = None
    network: NetworkTable = NetworkTable()
    disk: DiskTable = DiskTable()
    run: RunTable = RunTable()
    traffic: tuple[TrafficTable, ...] | None = None
    fault: tuple[dict[str, Any], ...] = ()
    operation: tuple[OperationTable, ...] | None = None
    swarm: SwarmTable | None = None
    expect: ExpectTable = ExpectTable()
    knobs: dict[str, float] = Field(default_factory=dict)


TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): ScenarioTable,
    ("ring",): RingTable,
    ("ring", "regions", "*"): RegionTable,
    ("ring", "zones", "*"): ZoneSettings,
    ("ring", "collections", "*"): CollectionSettings,
    ("network",): NetworkTable,
    ("disk",): DiskTable,
    ("run",): RunTable,
    ("traffic", "*"): TrafficTable,
    ("operation", "*"): OperationTable,
    ("swarm",): SwarmTable,
    ("expect",): ExpectTable,
}
"""The tables by their place, for telling which keys there are."""

WRITTEN_OTHERWISE = {"any_regions", "any_zones", "round_trips_ms"}
"""Keys that only reading itself makes."""
