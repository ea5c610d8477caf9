"""What a real run is judged by beside its history: nodes that died, and values where they may not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.simulation.report.results import entry

from atoll.ids import CollectionName, Origin, ShardName, ZoneName
from atoll.keyspace.topology import Topology
from atoll.operating.residency import ResidencyReport
from atoll.postgres.inspection import Finding
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action
from atoll.simulation.real import residency as searching
from atoll.simulation.real.deaths import Death, deaths
from atoll.simulation.real.residency import residency
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.verdict import Verdict


def test_no_death_is_valid() -> None:
    assert deaths([]).verdict is Verdict.VALID


@pytest.mark.parametrize("code", [1, 2, -11, -6])
def test_node_that_ends_by_itself_violates(code: int) -> None:
    found = deaths([Death("frankfurt/n1", code, 3.0)])
    assert found.verdict is Verdict.VIOLATED
    assert "frankfurt/n1" in found.findings[0].sentence


def test_node_that_somebody_else_killed_proves_nothing() -> None:
    found = deaths([Death("frankfurt/n1", -9, 3.0)])
    assert found.verdict is Verdict.UNKNOWN
    assert "frankfurt/n1" in found.note
    assert found.findings == []


def test_crash_beside_a_kill_from_outside_still_violates() -> None:
    assert deaths([Death("a/n1", -9, 1.0), Death("b/n1", 1, 2.0)]).verdict is Verdict.VIOLATED


# -- residency ----------------------------------------------------------------------------------------------------


@pytest.fixture
def topology() -> Topology:
    return load_scenario(find("residency-under-partition")).topology


class Search:
    """Instead of the databases: finds every text where it is told to."""

    def __init__(self, *where: Origin) -> None:
        self.where = where
        self.texts: list[Sequence[str]] = []

    async def __call__(self, dsns: Mapping[Origin, str], texts: Sequence[str], allowed: Any) -> ResidencyReport:
        self.texts.append(texts)
        findings = {origin: [Finding("atoll", "atoll.record", 1)] if origin in self.where else [] for origin in dsns}
        return ResidencyReport(allowed=sorted(allowed), findings=findings)


def restricted(topology: Topology) -> tuple[CollectionName, ZoneName]:
    """A collection whose records live in a zone that is not everywhere."""
    for collection in topology.collections.values():
        if collection.zone is not None and len(topology.zone(collection.zone).regions) < len(topology.regions):
            return collection.name, collection.zone
    zone = next(zone for zone in topology.zones.values() if len(zone.regions) < len(topology.regions))
    return next(iter(topology.collections)), zone.name


def written(topology: Topology, argument: Any, status: Status = Status.OK, *, inside: bool = True) -> Entry:
    collection, zone = restricted(topology)
    made = entry(1, action=Action.ADD, argument=argument, status=status)
    everywhere = next(zone.name for zone in topology.zones.values() if len(zone.regions) == len(topology.regions))
    place = replace(made.planned, collection=collection, zone=zone if inside else everywhere)
    return replace(made, planned=place)


async def searched(
    topology: Topology, history: Sequence[Entry], search: Search, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setattr(searching, "check_residency", search)
    return await residency(topology, history, dict.fromkeys((home(topology), away(topology)), "dsn"), 9.0)


def home(topology: Topology) -> Origin:
    return Origin(topology.zone(restricted(topology)[1]).regions[0], ShardName("s1"))


def away(topology: Topology) -> Origin:
    regions = topology.zone(restricted(topology)[1]).regions
    return Origin(next(region for region in topology.regions if region not in regions), ShardName("s1"))


async def test_value_found_at_home_alone_is_valid(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search(home(topology))
    found = await searched(topology, [written(topology, "frankfurt/c1:1")], search, monkeypatch)
    assert found.findings == []
    assert ["frankfurt/c1:1"] in search.texts


async def test_value_found_abroad_violates(topology: Topology, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search(home(topology), away(topology))
    found = await searched(topology, [written(topology, "frankfurt/c1:1")], search, monkeypatch)
    assert found.verdict is Verdict.VIOLATED
    assert str(away(topology)) in found.findings[0].sentence


async def test_value_not_even_found_at_home_proves_nothing(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await searched(topology, [written(topology, "frankfurt/c1:1")], Search(), monkeypatch)
    assert found.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN])
async def test_value_that_was_not_acknowledged_is_not_searched_for(
    topology: Topology, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    search = Search()
    found = await searched(topology, [written(topology, "frankfurt/c1:1", status)], search, monkeypatch)
    assert search.texts == []
    assert found.verdict is Verdict.UNKNOWN


async def test_short_values_and_numbers_are_not_searched_for(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search()
    await searched(topology, [written(topology, "a"), written(topology, 123_456_789)], search, monkeypatch)
    assert search.texts == []


async def test_ring_without_restricted_zones_has_nothing_to_say() -> None:
    assert await residency(load_scenario(find("calm-sea")).topology, [], {}, 1.0) is None
