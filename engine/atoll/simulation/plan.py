"""A plan: everything that will be done to a simulated ring, as data.

A seed generates a plan, a run executes it, shrinking edits it. Nothing is decided at random while a plan runs except
what lies below it: the order of tasks, latencies, and which commits lose their answer, each from its own stream of
the same seed.

Times are seconds of true simulated time since traffic began. A fault holds from ``at_seconds`` for
``duration_seconds`` and mends itself, so that any subset of a plan's faults is again a plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from atoll.ids import CollectionName, RegionName, ZoneName


class FaultKind(StrEnum):
    """What can be done to a world. ``targets`` says to what, ``parameters`` how much."""

    CUT = "cut"
    """Targets: directed links ``"frankfurt>tokyo"``. Nothing crosses. ``reset`` (0 or 1): whether connections
    break at once or hang until somebody's patience ends."""
    DEGRADE = "degrade"
    """Targets: directed links. ``latency_factor``, ``jitter_factor``, ``loss`` (share of packets), ``duplicate``,
    ``reorder``, ``bandwidth_kbps``."""
    CRASH_NODE = "crash_node"
    """Targets: nodes ``"frankfurt/n1"``. The process dies without clean-up and is started again at the end."""
    PAUSE_NODE = "pause_node"
    """Targets: nodes. The process stands still, as under SIGSTOP; everything due falls on it at once at the end."""
    CRASH_SHARD = "crash_shard"
    """Targets: shards ``"frankfurt/s1"``. The server dies and restarts at the end; what was not flushed is lost."""
    STALL_SHARD = "stall_shard"
    """Targets: shards. Nothing is answered until the end."""
    SLOW_SHARD = "slow_shard"
    """Targets: shards. ``factor`` on every duration of the disk."""
    FULL_SHARD = "full_shard"
    """Targets: shards. Writes are refused by the disk; reads go on."""
    AMBIGUOUS_SHARD = "ambiguous_shard"
    """Targets: shards. ``share`` of the commits break their connection: half of these have committed."""
    FAILOVER_SHARD = "failover_shard"
    """Targets: shards. A replica that lags by ``lag_seconds`` is promoted; at the end the old primary is back."""
    PREPARED_TRANSACTION = "prepared_transaction"
    """Targets: shards. A transaction is prepared and forgotten until the end, when it commits (``commit`` 1) or rolls
    back (0). It survives crashes of the server."""
    CLOCK = "clock"
    """Targets: nodes. ``offset_ms`` is added at the start and taken away at the end unless ``keep`` is 1;
    ``drift_ppm`` holds in between."""
    LOSE_REGION = "lose_region"
    """Targets: regions. All nodes and shards crash together and come back together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, for a while. ``story`` is the word of the scenario it came from (``bridge``,
    ``flapping``), for people."""

    at_seconds: float
    duration_seconds: float
    kind: FaultKind
    targets: Sequence[str]
    parameters: Mapping[str, float] = field(default_factory=dict)
    story: str = ""


class Action(StrEnum):
    """What an operation does to one field of a record, or to a whole record (``DELETE``)."""

    READ = "read"
    ADD = "add"
    REMOVE = "remove"
    INCREMENT = "increment"
    RESET = "reset"
    SET = "set"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOperation:
    """One call of one client. A client is a session that does one thing after the other, in the order of the plan; an
    operation starts at ``at_seconds`` or when the client's previous one has ended, whichever is later."""

    at_seconds: float
    client: str
    region: RegionName
    """Where the client asks; if it asked elsewhere before, it moves first, session and all."""
    workload: str
    action: Action
    collection: CollectionName
    key: str
    field: str | None
    zone: ZoneName | None = None
    argument: Any = None
    """The element, the amount or the value; unique in the plan where the workload needs it."""
    hears: str | None = None
    """A client that has told this one what it knows, out of band: its token is joined before the operation."""
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does. ``knobs`` are extreme values of the engine's limits, by their names in :mod:`atoll.limits`."""

    seconds: float
    """How long traffic and faults last; afterwards everything is mended and the ring has to converge."""
    settle_seconds: float
    """How long it may take to converge after that."""
    operations: Sequence[PlannedOperation]
    faults: Sequence[Fault]
    scheduling: str = "uniform"
    """``uniform``, ``fifo`` or ``pct:DEPTH``."""
    client_kind: str = "remote"
    """``remote``: over the network; ``embedded``: the engine in the client's process."""
    knobs: Mapping[str, float] = field(default_factory=dict)
