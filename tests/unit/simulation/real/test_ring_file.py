"""What a node of a real ring is given reads back as the scenario's ring, seen from its region."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from atoll.configuration import load, read_token_key
from atoll.ids import Origin
from atoll.keyspace.topology import Topology
from atoll.simulation.real.cables import Cables
from atoll.simulation.real.ring import RealRing
from atoll.simulation.real.ring_file import ring_file, write_private
from atoll.simulation.scenario.library import all_scenarios
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.world.node import TOKEN_KEY
from atoll.system_clock import SystemClock

SCENARIOS = [path for path in all_scenarios() if load_scenario(path).shape is None]


def without_addresses(topology: Topology) -> Topology:
    regions = {
        name: replace(
            region,
            nodes=[replace(node, grpc="", http="") for node in region.nodes],
            shards=[replace(shard, dsn=None) for shard in region.shards],
            catalog_dsn=None,
        )
        for name, region in topology.regions.items()
    }
    return replace(topology, regions=regions)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_ring_of_each_scenario_reads_back_as_it_was(path: Path, tmp_path: Path) -> None:
    scenario = load_scenario(path)
    clock = SystemClock()
    cables = Cables(scenario.network, seed=1, clock=clock)
    ring = RealRing.plan(scenario.topology, cables, tmp_path, clock)
    own = next(iter(ring.topology.regions))
    names = [f"{region.name}/{node.name}" for region in ring.topology.regions.values() for node in region.nodes]
    seen = {name: f"127.0.0.1:{10_000 + place}" for place, name in enumerate(names)}
    dsns = {
        Origin(region.name, shard.name): f"postgresql://u:p@127.0.0.1/{region.name}-{shard.name}"
        for region in ring.topology.regions.values()
        for shard in region.shards
    }
    file = tmp_path / "atoll.toml"
    write_private(file, ring_file(ring.topology, own, seen, dsns))
    configuration = load(file)
    read = configuration.topology()
    assert without_addresses(read) == without_addresses(scenario.topology)
    assert read_token_key(configuration) == TOKEN_KEY
    for region in read.regions.values():
        assert [node.grpc for node in region.nodes] == [seen[f"{region.name}/{node.name}"] for node in region.nodes]
        for shard in region.shards:
            known = dsns[Origin(region.name, shard.name)] if region.name == own else None
            assert shard.dsn == known, "of other regions it knows no databases"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_addresses_of_a_planned_ring_are_all_different(tmp_path: Path) -> None:
    scenario = load_scenario(SCENARIOS[0])
    clock = SystemClock()
    ring = RealRing.plan(scenario.topology, Cables(scenario.network, seed=1, clock=clock), tmp_path, clock)
    addresses = [
        address for region in ring.topology.regions.values() for n in region.nodes for address in (n.grpc, n.http)
    ]
    assert len(set(addresses)) == len(addresses)
