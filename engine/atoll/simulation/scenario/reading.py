"""From a scenario's file to a :class:`Scenario`: all that is wrong is told at once, by key and with its fix."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from atoll.configuration import load
from atoll.configuration.problems import Problems, unknown
from atoll.configuration.settings import CollectionSettings
from atoll.errors import InvalidConfiguration
from atoll.ids import RegionName
from atoll.keyspace.topology import Topology
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.plan import Fault
from atoll.simulation.scenario.faults import STORIES
from atoll.simulation.scenario.knobs import knob_problem
from atoll.simulation.scenario.latencies import given_latencies
from atoll.simulation.scenario.scenario import (
    DiskSettings,
    Expectation,
    NetworkSettings,
    Scenario,
    Swarm,
)
from atoll.simulation.scenario.shape import (
    Part,
    RingShape,
    checked_topology,
    is_name,
    numbered,
    own_places,
    ring_settings,
    simulated,
)
from atoll.simulation.scenario.story import ANY, Primitive, Story
from atoll.simulation.scenario.tables import NetworkTable, RingTable, ScenarioTable
from atoll.simulation.scenario.usage import read_operations, read_traffic
from atoll.simulation.scenario.validation import expanded, key_of, validated

BUILT_IN = "built-in"
DEFAULT_REGIONS = ("frankfurt", "dallas", "tokyo")
DEFAULT_NODES = numbered("n", 1)
DEFAULT_SHARDS = numbered("s", 2)
DEFAULT_COLLECTIONS: Mapping[str, CollectionSettings] = {
    "things": CollectionSettings(fields={"tags": "add_wins_set", "visits": "counter", "note": "lww"})
}
"""What a scenario without a ring of its own runs on."""


def load_scenario(file: Path, configuration: Path | None = None) -> Scenario:
    """Read ``file``; ``configuration`` is an ``atoll.toml`` whose ring replaces the scenario's own.

    Regions that are no places of the table of latencies need ``[network.locations]``. Raises
    :class:`InvalidConfiguration` with every problem of one stage (shape, ring, the rest).
    """
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        raise InvalidConfiguration(
            f"{file}: no such file: `atoll simulate list` shows the scenarios there are"
        ) from None
    except OSError as error:
        raise InvalidConfiguration(f"{file}: cannot be read: {error.strerror}; correct its access rights") from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(f"{file}: cannot be read as UTF-8 text: {error}") from error
    return read_scenario(text, file.stem, file=file, configuration=configuration)


def read_scenario(text: str, name: str, *, file: Path | None = None, configuration: Path | None = None) -> Scenario:
    """As :func:`load_scenario`, from the text of a file. Paths in it are relative to ``file``, or to here."""
    where = file or Path(name)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfiguration(f"{where}: not valid TOML: {error}") from error
    if {"regions", "collections"} & document.keys():
        raise InvalidConfiguration(
            f"{where}: this is the configuration of a ring and no scenario: say what is to happen to it, with "
            f"--scenario NAME in `compare` and with a scenario before --config {where} elsewhere"
        )
    problems = Problems(where)
    table = validated(ScenarioTable, expanded(document, problems), problems)
    problems.raise_any()
    assert table is not None, "or there would be problems"
    return _Reading(text, name, where, table, problems).scenario(configuration)


@dataclass(frozen=True, slots=True)
class _Ring:
    """A ring, and where its regions are."""

    topology: Topology
    locations: Mapping[RegionName, str]
    shape: RingShape | None = None


class _Reading:
    """One reading of a file whose shape is right."""

    def __init__(self, text: str, name: str, where: Path, table: ScenarioTable, problems: Problems) -> None:
        self._text = text
        self._name = name
        self._where = where
        self._table = table
        self._problems = problems

    def scenario(self, configuration: Path | None) -> Scenario:
        """All of it."""
        table, problems = self._table, self._problems
        latencies = self._latencies(table.network)
        ring = self._ring(latencies, configuration)
        topology = ring.topology
        told = self._stories(ring)
        traffic = read_traffic(table, topology, problems, is_drawn=ring.shape is not None)
        operations = read_operations(table.operation or (), topology, problems)
        self._check_run()
        scenario = Scenario(
            name=self._name,
            title=table.title or self._name.replace("-", " "),
            story=table.story.strip(),
            group=table.group,
            topology=topology,
            network=_network(table.network, latencies, ring.locations),
            disk=DiskSettings(**table.disk.model_dump()),
            traffic=traffic,
            faults=[fault for story in told if _is_plain(story) for fault in _expanded(story, topology)],
            stories=[story for story in told if not _is_plain(story)],
            swarm=Swarm(**table.swarm.model_dump()) if table.swarm else None,
            seconds=table.run.seconds,
            settle_seconds=table.run.settle_seconds,
            expectation=self._expectation(topology),
            text=self._text,
            operations=operations,
            scheduling=table.run.scheduling,
            client_kind=table.run.client,
            knobs=table.knobs,
            shape=ring.shape,
            seeds=table.seeds,
        )
        problems.raise_any()
        return scenario

    # -- the ring and its places ----------------------------------------------------------------------------------

    def _latencies(self, network: NetworkTable) -> LatencyTable:
        try:
            if network.round_trips_ms is not None:
                return given_latencies(network.round_trips_ms)
            if network.latency in (None, BUILT_IN):
                return LatencyTable.built_in()
            return LatencyTable.read(self._where.parent / str(network.latency))
        except InvalidConfiguration as error:
            raise InvalidConfiguration(f"{self._where}: network.latency: {error}") from error

    def _ring(self, latencies: LatencyTable, configuration: Path | None) -> _Ring:
        table = self._table.ring or RingTable()
        part = Part(self._problems, "ring")
        if configuration is not None:
            loaded = load(configuration)
            topology = checked_topology(simulated(loaded), Part(Problems(loaded.file), "simulated"))
            return _Ring(topology, self._locations(topology, RingTable(), latencies))
        if table.any_regions:
            return self._drawn_ring(table, latencies)
        if table.any_zones:
            part.add("zones", 'a number is for regions = "any", where zones are drawn: write [ring.zones.NAME]')
        topology = checked_topology(_settings(table), part)
        return _Ring(topology, self._locations(topology, table, latencies))

    def _drawn_ring(self, table: RingTable, latencies: LatencyTable) -> _Ring:
        if table.zones:
            self._problems.add("ring.zones", 'with regions = "any" zones are drawn too: write how many, zones = 2')
            self._problems.raise_any()
        shape = RingShape(
            name=table.name,
            places=[place for place in latencies.places if is_name(place)],
            nodes=table.nodes,
            shards=table.shards,
            zone_count=table.any_zones,
            collections=table.collections or DEFAULT_COLLECTIONS,
        )
        settings = shape.settings(Random("0:ring"))
        topology = checked_topology(settings, Part(self._problems, "ring"))
        return _Ring(topology, own_places(topology), shape)

    def _locations(self, topology: Topology, table: RingTable, latencies: LatencyTable) -> Mapping[RegionName, str]:
        given = self._table.network.locations
        for name in given:
            if name not in topology.regions:
                self._problems.add(f"network.locations.{name}", unknown("region", name, topology.regions))
        locations = {}
        for region in topology.regions:
            own = table.regions[region].location if region in table.regions else None
            place = own or given.get(region) or region
            key = f"ring.regions.{region}.location" if own else f"network.locations.{region}"
            if own and region in given:
                self._problems.add(key, f"given beside network.locations.{region}: keep one of the two")
            if place not in latencies.places:
                self._problems.add(key, f"{unknown('place', place, latencies.places)} (in {latencies.name})")
            locations[region] = place
        self._problems.raise_any()
        return locations

    # -- what goes wrong ------------------------------------------------------------------------------------------

    def _stories(self, ring: _Ring) -> Sequence[Story]:
        stories = [self._story(index, fault, ring) for index, fault in enumerate(self._table.fault)]
        return [story for story in stories if story is not None]

    def _story(self, index: int, fault: Mapping[str, Any], ring: _Ring) -> Story | None:
        at, kind = ("fault", index), fault.get("kind")
        if not isinstance(kind, str) or kind not in STORIES:
            text = (
                unknown("fault", kind, STORIES)
                if isinstance(kind, str)
                else f"is missing: one of {', '.join(STORIES)}"
            )
            self._problems.add(key_of((*at, "kind")), text)
            return None
        story = validated(STORIES[kind], fault, self._problems, at)
        if story is None:
            return None
        if ring.shape is not None and any(place != ANY for place in story.places):
            self._problems.add(key_of(at), 'the ring is drawn for each seed: name "any" instead of a place')
        elif ring.shape is None:
            for key, text in story.problems(ring.topology):
                self._problems.add(key_of((*at, key)), text)
        if story.at_seconds >= self._table.run.seconds:
            ends = f"{self._table.run.seconds:g} s"
            self._problems.add(
                key_of((*at, "at_seconds")),
                f"{story.at_seconds:g} s is after the end of the run: begin before {ends}, or raise run.seconds",
            )
        return story

    # -- the rest -------------------------------------------------------------------------------------------------

    def _check_run(self) -> None:
        table, problems = self._table, self._problems
        if not _is_scheduling(table.run.scheduling):
            problems.add("run.scheduling", f"{table.run.scheduling!r}: one of uniform, fifo, pct:DEPTH or any")
        if table.run.client not in ("remote", "embedded", "any"):
            problems.add("run.client", unknown("kind of client", table.run.client, ["remote", "embedded", "any"]))
        if table.disk.flush_ms_min > table.disk.flush_ms_max:
            problems.add("disk.flush_ms_min", "above disk.flush_ms_max: exchange the two")
        if table.swarm is not None and table.swarm.seconds_min > table.swarm.seconds_max:
            problems.add("swarm.seconds_min", "above swarm.seconds_max: exchange the two")
        for name, value in table.knobs.items():
            if (text := knob_problem(name, value)) is not None:
                problems.add(f"knobs.{name}", text)

    def _expectation(self, topology: Topology) -> Expectation:
        expect = self._table.expect
        for name in expect.availability:
            if name not in topology.regions:
                self._problems.add(f"expect.availability.{name}", unknown("region", name, topology.regions))
        return Expectation(
            availability={RegionName(name): share for name, share in expect.availability.items()},
            converged_within_seconds=expect.converged_within_seconds,
        )


def _settings(table: RingTable) -> Any:
    given = {name: (region.nodes, region.shards) for name, region in table.regions.items()}
    regions = given or dict.fromkeys(DEFAULT_REGIONS, (None, None))
    return ring_settings(
        table.name,
        {
            name: (nodes or table.nodes or DEFAULT_NODES, shards or table.shards or DEFAULT_SHARDS)
            for name, (nodes, shards) in regions.items()
        },
        table.zones,
        table.collections or DEFAULT_COLLECTIONS,
    )


def _network(table: NetworkTable, latencies: LatencyTable, locations: Mapping[RegionName, str]) -> NetworkSettings:
    return NetworkSettings(
        table=latencies,
        locations=locations,
        jitter=table.jitter,
        loss=table.loss,
        bandwidth_mbps=table.bandwidth_mbps,
        client_latency_ms=table.client_latency_ms,
    )


def _is_plain(story: Story) -> bool:
    return isinstance(story, Primitive) and not story.draws


def _expanded(story: Story, topology: Topology) -> Sequence[Fault]:
    return story.expand(Random("nothing is drawn"), topology)


def _is_scheduling(text: str) -> bool:
    kind, _, depth = text.partition(":")
    return text in ("uniform", "fifo", "any") or (kind == "pct" and depth.isdigit() and int(depth) > 0)
