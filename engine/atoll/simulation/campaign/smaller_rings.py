"""Smaller rings: a case with a region, a node or a shard less, and with nothing left that speaks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.keyspace.topology import Collection, Region, Topology, Zone
from atoll.simulation.campaign.case import Case
from atoll.simulation.plan import Fault
from atoll.simulation.scenario.scenario import Scenario

K = TypeVar("K")
V = TypeVar("V")


def smaller_rings(case: Case) -> Iterator[Case]:
    """Without one region each, then without one shard or node each; a ring keeps one of each. A home that went is
    replaced by the zone's first region that is left; a zone that has none left goes, with its records."""
    regions = case.scenario.topology.regions
    if len(regions) > 1:
        yield from (_without_region(case, region) for region in reversed(list(regions)))
    for region in regions.values():
        for shard in region.shards[1:]:
            smaller = replace(region, shards=tuple(each for each in region.shards if each != shard))
            yield _without_part(case, smaller, f"{region.name}/{shard.name}")
        for node in region.nodes[1:]:
            smaller = replace(region, nodes=tuple(each for each in region.nodes if each != node))
            yield _without_part(case, smaller, f"{region.name}/{node.name}")


def _without_part(case: Case, region: Region, part: str) -> Case:
    topology = case.scenario.topology
    smaller = replace(topology, regions={**topology.regions, region.name: region})
    return _pruned(replace(case, scenario=replace(case.scenario, topology=smaller)), lambda target: target != part)


def _without_region(case: Case, gone: RegionName) -> Case:
    topology = _topology_without(case.scenario.topology, gone)
    scenario = _scenario_without(replace(case.scenario, topology=topology), gone)
    kept = [
        operation
        for operation in case.plan.operations
        if operation.region != gone
        and operation.collection in topology.collections
        and (operation.zone is None or operation.zone in topology.zones)
    ]
    return _pruned(
        replace(case, scenario=scenario).with_operations(kept), lambda target: gone not in _regions(target)
    )


def _scenario_without(scenario: Scenario, gone: RegionName) -> Scenario:
    network, expectation = scenario.network, scenario.expectation
    return replace(
        scenario,
        network=replace(network, locations=_without(network.locations, gone)),
        expectation=replace(expectation, availability=_without(expectation.availability, gone)),
    )


def _topology_without(topology: Topology, gone: RegionName) -> Topology:
    zones = {name: zone for name, zone in map(_named(gone), topology.zones.values()) if zone is not None}
    return replace(
        topology,
        regions=_without(topology.regions, gone),
        zones=zones,
        collections=_still_placed(topology.collections, zones),
        country_zones={code: zone for code, zone in topology.country_zones.items() if zone in zones},
    )


def _named(gone: RegionName) -> Callable[[Zone], tuple[ZoneName, Zone | None]]:
    return lambda zone: (zone.name, _zone_without(zone, gone))


def _zone_without(zone: Zone, gone: RegionName) -> Zone | None:
    left = tuple(region for region in zone.regions if region != gone)
    if not left:
        return None
    return replace(zone, regions=left, home=left[0] if zone.home == gone else zone.home)


def _still_placed(
    collections: Mapping[CollectionName, Collection], zones: Mapping[ZoneName, Zone]
) -> dict[CollectionName, Collection]:
    return {name: each for name, each in collections.items() if each.zone is None or each.zone in zones}


def _pruned(case: Case, stays: Callable[[str], bool]) -> Case:
    """Faults without the targets that went; without targets, without faults."""
    faults: list[Fault] = []
    for fault in case.plan.faults:
        targets = tuple(target for target in fault.targets if stays(target))
        if targets:
            faults.append(replace(fault, targets=targets))
    return case.with_faults(faults)


def _regions(target: str) -> list[str]:
    """The regions that a target names: of a link both, of a node or a shard its own."""
    return [end.partition("/")[0] for end in target.split(">")]


def _without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    return {each: value for each, value in mapping.items() if each != key}
