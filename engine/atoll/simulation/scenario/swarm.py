"""Random faults: each seed takes some kinds of fault and leaves out others, so that every mixture occurs.

A campaign in which every run has everything never sees what only happens without something (swarm testing; weights
wildly different within a run are TigerBeetle's). One seed in ten is calm: the ring has to be perfect then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random

from atoll.keyspace.topology import Topology
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.scenario.faults import STORIES
from atoll.simulation.scenario.knobs import KNOBS
from atoll.simulation.scenario.scenario import Scenario, Swarm
from atoll.simulation.scenario.story import (
    ANY,
    link_names,
    node_names,
    region_names,
    shard_names,
)

KNOBS_SHARE = 0.5
"""Share of seeds that turn knobs; of those each knob is turned with ``KNOB_SHARE``."""
KNOB_SHARE = 0.2

_SHAPES: Sequence[Mapping[str, object]] = (
    {"kind": "halves"},
    {"kind": "isolate", "region": ANY},
    {"kind": "bridge"},
    {"kind": "ring"},
    {"kind": "majorities_ring"},
    {"kind": "one_way", "from": ANY, "to": ANY},
    {"kind": "one_way", "region": ANY, "way": "deaf"},
    {"kind": "one_way", "region": ANY, "way": "mute"},
    {"kind": "link", "between": [ANY, ANY]},
    {"kind": "swizzle"},
)
"""What a cut may look like."""


def swarm_faults(scenario: Scenario, random: Random) -> Sequence[Fault]:
    """The faults that one seed draws; none if the scenario has no swarm, or the seed is calm."""
    swarm = scenario.swarm
    if swarm is None or random.random() < swarm.quiet_share:
        return ()
    kinds, weights = _mixture(swarm, scenario.topology, random)
    if not kinds:
        return ()
    rate = swarm.faults_per_minute * random.uniform(0.1, 2.0)
    faults: list[Fault] = []
    at_seconds = random.expovariate(rate / 60)
    while at_seconds < scenario.seconds:
        kind = random.choices(kinds, weights)[0]
        for_seconds = _duration(swarm, random)
        faults += _DRAWERS[kind](_Draw(random, scenario.topology, at_seconds, for_seconds))
        at_seconds += random.expovariate(rate / 60)
    return [fault for fault in faults if fault.at_seconds < scenario.seconds]


def swarm_knobs(scenario: Scenario, random: Random) -> Mapping[str, float]:
    """Limits at one of their ends, for some seeds."""
    if scenario.swarm is None or not scenario.swarm.knobs or random.random() >= KNOBS_SHARE:
        return {}
    turned = [name for name in KNOBS if random.random() < KNOB_SHARE]
    return {name: random.choice((KNOBS[name].low, KNOBS[name].high)) for name in turned}


def _mixture(swarm: Swarm, topology: Topology, random: Random) -> tuple[Sequence[FaultKind], Sequence[int]]:
    """Some of the kinds that can happen to this ring, and how often each."""
    between = {FaultKind.CUT, FaultKind.DEGRADE}
    possible = [kind for kind in swarm.kinds if len(topology.regions) > 1 or kind not in between]
    if not possible:
        return (), ()
    kinds = random.sample(possible, random.randint(1, len(possible)))
    return kinds, [random.randint(1, 100) for _ in kinds]


def _duration(swarm: Swarm, random: Random) -> float:
    """Short ones are as common as long ones of the same order."""
    ratio = swarm.seconds_max / swarm.seconds_min
    return round(swarm.seconds_min * math.pow(ratio, random.random()), 3)


class _Draw:
    """One fault to be drawn."""

    def __init__(self, random: Random, topology: Topology, at_seconds: float, for_seconds: float) -> None:
        self.random = random
        self.topology = topology
        self.at_seconds = round(at_seconds, 3)
        self.for_seconds = for_seconds

    def one(self, kind: FaultKind, targets: Sequence[str], story: str = "", **parameters: float) -> Sequence[Fault]:
        """A fault of this draw."""
        return [
            Fault(
                at_seconds=self.at_seconds,
                duration_seconds=self.for_seconds,
                kind=kind,
                targets=tuple(targets),
                parameters=parameters,
                story=story,
            )
        ]

    def some(self, names: Sequence[str]) -> Sequence[str]:
        """One of them; now and then several."""
        count = 1 if self.random.random() < 0.8 else self.random.randint(1, len(names))
        return self.random.sample(list(names), count)


def _cut(draw: _Draw) -> Sequence[Fault]:
    """A partition of any shape that this ring can have."""
    random, topology = draw.random, draw.topology
    when = {"at_seconds": draw.at_seconds, "for_seconds": draw.for_seconds, "reset": random.random() < 0.3}
    stories = [STORIES[str(shape["kind"])].model_validate({**shape, **when}) for shape in _SHAPES]
    possible = [story for story in stories if not any(story.problems(topology))]
    return random.choice(possible).expand(random, topology)


def _degrade(draw: _Draw) -> Sequence[Fault]:
    random = draw.random
    parameters: dict[str, float] = {"latency_factor": random.choice((1, 3, 10, 50))}
    parameters["jitter_factor"] = random.choice((1, 5, 20))
    if random.random() < 0.5:
        parameters["loss"] = random.choice((0.01, 0.1, 0.3))
    if random.random() < 0.3:
        parameters["bandwidth_kbps"] = random.choice((64, 1_000, 10_000))
    return draw.one(FaultKind.DEGRADE, draw.some(link_names(draw.topology)), "slow_link", **parameters)


def _on_nodes(kind: FaultKind) -> Callable[[_Draw], Sequence[Fault]]:
    return lambda draw: draw.one(kind, draw.some(node_names(draw.topology)))


def _on_shards(kind: FaultKind) -> Callable[[_Draw], Sequence[Fault]]:
    return lambda draw: draw.one(kind, draw.some(shard_names(draw.topology)))


def _clock(draw: _Draw) -> Sequence[Fault]:
    """Small enough that what many of them leave behind stays below ``CLOCK_AHEAD_MAX_MS``: beyond it regions rightly
    refuse each other's writes, for ever if nobody sets the clock."""
    random = draw.random
    nodes = draw.some(node_names(draw.topology))
    match random.randrange(3):
        case 0:
            offset_ms = random.choice((-1, 1)) * random.choice((5, 50, 500, 5_000, 15_000))
            return draw.one(FaultKind.CLOCK, nodes, "clock_offset", offset_ms=offset_ms)
        case 1:
            offset_ms = random.choice((-1, 1)) * random.choice((5, 50, 500, 2_000))
            return draw.one(FaultKind.CLOCK, nodes, "clock_jump", offset_ms=offset_ms, keep=1)
        case _:
            drift_ppm = random.choice((-1, 1)) * random.choice((100, 10_000, 200_000))
            return draw.one(FaultKind.CLOCK, nodes, "clock_drift", drift_ppm=drift_ppm)


def _slow(draw: _Draw) -> Sequence[Fault]:
    factor = draw.random.choice((3, 20, 200))
    return draw.one(FaultKind.SLOW_SHARD, draw.some(shard_names(draw.topology)), factor=factor)


def _ambiguous(draw: _Draw) -> Sequence[Fault]:
    share = draw.random.choice((0.02, 0.2, 0.8))
    return draw.one(FaultKind.AMBIGUOUS_SHARD, draw.some(shard_names(draw.topology)), share=share)


def _failover(draw: _Draw) -> Sequence[Fault]:
    lag_seconds = draw.random.choice((0.0, 0.05, 0.5))
    return draw.one(FaultKind.FAILOVER_SHARD, draw.some(shard_names(draw.topology)), lag_seconds=lag_seconds)


def _prepared(draw: _Draw) -> Sequence[Fault]:
    commit = draw.random.randrange(2)
    return draw.one(FaultKind.PREPARED_TRANSACTION, draw.some(shard_names(draw.topology)), commit=commit)


def _lose_region(draw: _Draw) -> Sequence[Fault]:
    return draw.one(FaultKind.LOSE_REGION, [draw.random.choice(region_names(draw.topology))])


_DRAWERS: Mapping[FaultKind, Callable[[_Draw], Sequence[Fault]]] = {
    FaultKind.CUT: _cut,
    FaultKind.DEGRADE: _degrade,
    FaultKind.CRASH_NODE: _on_nodes(FaultKind.CRASH_NODE),
    FaultKind.PAUSE_NODE: _on_nodes(FaultKind.PAUSE_NODE),
    FaultKind.CRASH_SHARD: _on_shards(FaultKind.CRASH_SHARD),
    FaultKind.STALL_SHARD: _on_shards(FaultKind.STALL_SHARD),
    FaultKind.SLOW_SHARD: _slow,
    FaultKind.FULL_SHARD: _on_shards(FaultKind.FULL_SHARD),
    FaultKind.AMBIGUOUS_SHARD: _ambiguous,
    FaultKind.FAILOVER_SHARD: _failover,
    FaultKind.PREPARED_TRANSACTION: _prepared,
    FaultKind.CLOCK: _clock,
    FaultKind.LOSE_REGION: _lose_region,
}
