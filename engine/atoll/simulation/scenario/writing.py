"""A plan as the text of a scenario that says everything outright: every operation, every fault, the seed.

What is written reads back as a scenario whose plan, with any seed, is the one that was written. It stands alone: the
ring is spelled out, and so are the round trips unless they are the ones that come with the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from atoll.ids import GLOBAL_ZONE
from atoll.keyspace.topology import Collection, Topology, Zone
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.plan import Fault, Plan, PlannedOperation
from atoll.simulation.scenario.planning import at_seed
from atoll.simulation.scenario.reading import BUILT_IN
from atoll.simulation.scenario.scenario import NetworkSettings, Scenario
from atoll.simulation.scenario.toml import toml_table, toml_value

TIMEOUT_SECONDS_DEFAULT = PlannedOperation.__dataclass_fields__["timeout_seconds"].default


def write_plan(scenario: Scenario, plan: Plan, seed: int) -> str:
    """The scenario that does ``plan`` and nothing else, on the ring of ``seed``, and names that seed."""
    settled = at_seed(scenario, seed)
    outright = replace(
        settled,
        shape=None,
        traffic=(),
        swarm=None,
        stories=(),
        operations=plan.operations,
        faults=plan.faults,
        seconds=plan.seconds,
        settle_seconds=plan.settle_seconds,
        scheduling=plan.scheduling,
        client_kind=plan.client_kind,
        knobs=plan.knobs,
        seeds=(seed,),
    )
    return write_scenario(outright)


def write_scenario(scenario: Scenario) -> str:
    """A scenario that leaves nothing to a seed: given operations, plain faults, no swarm, no ring to be drawn."""
    assert not scenario.traffic, "a scenario that is written has operations"
    assert not scenario.stories, "a scenario that is written has plain faults"
    assert scenario.swarm is None, "a scenario that is written has faults of its own"
    assert scenario.shape is None, "a scenario that is written has a ring"
    return "\n".join(_lines(scenario))


def _lines(scenario: Scenario) -> Iterator[str]:
    yield from _head(scenario)
    yield from _ring(scenario.topology, scenario.network)
    yield from _network(scenario.network)
    yield from toml_table(["disk"], asdict(scenario.disk))
    yield from toml_table(
        ["run"],
        {
            "seconds": scenario.seconds,
            "settle_seconds": scenario.settle_seconds,
            "scheduling": scenario.scheduling,
            "client": scenario.client_kind,
        },
    )
    yield from _expect(scenario)
    if scenario.knobs:
        yield from toml_table(["knobs"], scenario.knobs)
    for fault in scenario.faults:
        yield from toml_table(["fault"], _fault(fault), of_array=True)
    for operation in scenario.operations:
        yield from toml_table(["operation"], _operation(operation), of_array=True)


def _head(scenario: Scenario) -> Iterator[str]:
    yield f"title = {toml_value(scenario.title)}"
    yield f"story = {toml_value(scenario.story)}"
    yield f"group = {toml_value(scenario.group)}"
    yield f"seeds = {toml_value(list(scenario.seeds))}"
    if not scenario.operations:
        yield "operation = []"
    yield ""


def _ring(topology: Topology, network: NetworkSettings) -> Iterator[str]:
    yield from toml_table(["ring"], {"name": topology.ring})
    for region in topology.regions.values():
        yield from toml_table(
            ["ring", "regions", region.name],
            {
                "location": network.locations[region.name],
                "nodes": [node.name for node in region.nodes],
                "shards": [shard.name for shard in region.shards],
            },
        )
    for zone in topology.zones.values():
        if not _is_usual(zone, topology):
            yield from toml_table(["ring", "zones", zone.name], _zone(zone))
    for collection in topology.collections.values():
        yield from toml_table(["ring", "collections", collection.name], _collection(collection))


def _is_usual(zone: Zone, topology: Topology) -> bool:
    """Whether a ring has this zone without saying so."""
    regions = list(topology.regions)
    return (
        zone.name == GLOBAL_ZONE and (zone.home, list(zone.regions)) == (regions[0], regions) and not zone.countries
    )


def _zone(zone: Zone) -> Mapping[str, Any]:
    return {"home": zone.home, "regions": list(zone.regions), "countries": list(zone.countries) or None}


def _collection(collection: Collection) -> Mapping[str, Any]:
    return {
        "placement": collection.strategy,
        "zone": collection.zone,
        "strict": collection.schema.strict or None,
        "fields": {name: str(rule) for name, rule in collection.schema.fields.items()},
    }


def _network(network: NetworkSettings) -> Iterator[str]:
    is_built_in = network.table == LatencyTable.built_in()
    yield from toml_table(
        ["network"],
        {
            "latency": BUILT_IN if is_built_in else None,
            "jitter": network.jitter,
            "loss": network.loss,
            "bandwidth_mbps": network.bandwidth_mbps,
            "client_latency_ms": network.client_latency_ms,
        },
    )
    if not is_built_in:
        places = tuple(dict.fromkeys(network.locations.values()))
        for source in places:
            yield from toml_table(["network", "latency", source], _row(network.table, source, places))


def _row(table: LatencyTable, source: str, places: Sequence[str]) -> Mapping[str, float]:
    return {target: table.round_trips_ms[source, target] for target in places}


def _expect(scenario: Scenario) -> Iterator[str]:
    expectation = scenario.expectation
    entries = {
        "converged_within_seconds": expectation.converged_within_seconds,
        "availability": dict(expectation.availability) or None,
    }
    if any(value is not None for value in entries.values()):
        yield from toml_table(["expect"], entries)


def _fault(fault: Fault) -> Mapping[str, Any]:
    return {
        "kind": fault.kind,
        "targets": list(fault.targets),
        "at_seconds": fault.at_seconds,
        "for_seconds": fault.duration_seconds,
        **fault.parameters,
        "story": fault.story or None,
    }


def _operation(operation: PlannedOperation) -> Mapping[str, Any]:
    usual = operation.timeout_seconds == TIMEOUT_SECONDS_DEFAULT
    entries = {name: getattr(operation, name) for name in PlannedOperation.__dataclass_fields__}
    return {**entries, "timeout_seconds": None if usual else operation.timeout_seconds}
