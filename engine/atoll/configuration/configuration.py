"""The checked configuration: what the file says, and the :class:`Topology` it makes once all has an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from atoll.configuration.checks import check, databases
from atoll.configuration.problems import Problems
from atoll.configuration.reading import read_settings
from atoll.configuration.settings import CollectionSettings, RegionSettings, Settings, ZoneSettings
from atoll.crdt.schema import Rule, Schema
from atoll.errors import NotRunning
from atoll.ids import GLOBAL_ZONE, CollectionName, NodeName, Origin, RegionName, ShardName, ZoneName
from atoll.keyspace.topology import Collection, Node, Region, Shard, Strategy, Topology, Zone

TOKEN_KEY_FILE_NAME = "token.key"


class NodeAt(NamedTuple):
    """A node of a region."""

    region: RegionName
    node: NodeName


class NodeAddresses(NamedTuple):
    """``host:port`` of a node's two services; ``None`` where the file leaves it to ``atoll up``."""

    grpc: str | None
    http: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What ``atoll up`` adds to the file: ports that were free, and servers that it started."""

    addresses: Mapping[NodeAt, NodeAddresses] = field(default_factory=dict)
    dsns: Mapping[Origin, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A file without contradictions. Nothing in it has been dialled."""

    file: Path
    settings: Settings

    @property
    def ring(self) -> str:
        return self.settings.ring

    @property
    def state_directory(self) -> Path:
        """Where the ring keeps what it needs on this machine."""
        return self.file.parent / self.settings.state_directory

    @property
    def token_key_file(self) -> Path:
        """Where the key that signs session tokens is, unless ``token_key`` gives it outright."""
        given = self.settings.token_key_file
        return self.file.parent / given if given else self.state_directory / TOKEN_KEY_FILE_NAME

    def addresses(self) -> Mapping[NodeAt, NodeAddresses]:
        """The addresses of all nodes as the file gives them, in its order."""
        return {
            NodeAt(RegionName(region_name), NodeName(name)): NodeAddresses(node.grpc, node.http)
            for region_name, region in self.settings.regions.items()
            for name, node in region.nodes.items()
        }

    def shards_to_launch(self) -> Sequence[Origin]:
        """The shards without a DSN, which get a server from the launcher, in the order of the file."""
        return [
            Origin(RegionName(region_name), ShardName(name))
            for region_name, region in self.settings.regions.items()
            for name, shard in region.shards.items()
            if shard.dsn is None
        ]

    def given_dsns(self) -> Mapping[str, str]:
        """Every DSN in the file by its dotted key: what :func:`atoll.postgres.preflight.check_shards` dials."""
        return {key: dsn for _, key, dsn in databases(self.settings)}

    def topology(self, allotment: Allotment | None = None) -> Topology:
        """The ring as values, the file completed by ``allotment``.

        Raises :class:`NotRunning` naming a node whose address neither gives. A shard's DSN may still be missing.
        """
        given = allotment or Allotment()
        settings = self.settings
        zones = {**_global_zone(settings), **{ZoneName(n): _zone(n, z, settings) for n, z in settings.zones.items()}}
        return Topology(
            ring=settings.ring,
            regions={
                RegionName(name): self._region(name, region, given) for name, region in settings.regions.items()
            },
            zones=zones,
            collections={CollectionName(name): _collection(name, c) for name, c in settings.collections.items()},
            country_zones={country: zone.name for zone in zones.values() for country in zone.countries},
        )

    def _region(self, name: str, region: RegionSettings, allotment: Allotment) -> Region:
        origins = {ShardName(shard): Origin(RegionName(name), ShardName(shard)) for shard in region.shards}
        return Region(
            name=RegionName(name),
            nodes=[self._node(NodeAt(RegionName(name), NodeName(node)), allotment) for node in region.nodes],
            shards=[
                Shard(name=shard, dsn=region.shards[shard].dsn or allotment.dsns.get(origin))
                for shard, origin in origins.items()
            ],
            catalog_dsn=region.catalog,
        )

    def _node(self, at: NodeAt, allotment: Allotment) -> Node:
        given = self.addresses()[at]
        allotted = allotment.addresses.get(at, NodeAddresses(None, None))
        grpc, http = given.grpc or allotted.grpc, given.http or allotted.http
        if grpc is None or http is None:
            raise NotRunning(
                f"{self.file}: node {at.node!r} of region {at.region!r} has no address yet: run `atoll up`, which "
                f"allots one, or give regions.{at.region}.nodes.{at.node}.grpc and .http"
            )
        return Node(name=at.node, grpc=grpc, http=http)


def load(file: Path) -> Configuration:
    """Read ``file`` and the environment and check both; nothing is dialled, created or started.

    Raises :class:`~atoll.errors.InvalidConfiguration` naming file, key and fix of every problem found.
    """
    absolute = file.absolute()
    settings = read_settings(absolute)
    problems = Problems(absolute)
    check(settings, problems)
    problems.raise_any()
    return Configuration(absolute, settings)


def _global_zone(settings: Settings) -> dict[ZoneName, Zone]:
    return {GLOBAL_ZONE: _zone(GLOBAL_ZONE, ZoneSettings(), settings)}


def _zone(name: str, zone: ZoneSettings, settings: Settings) -> Zone:
    return Zone(
        name=ZoneName(name),
        home=RegionName(zone.home or next(iter(settings.regions))),
        regions=[RegionName(region) for region in zone.regions or settings.regions],
        countries=[country.upper() for country in zone.countries],
    )


def _collection(name: str, collection: CollectionSettings) -> Collection:
    return Collection(
        name=CollectionName(name),
        schema=Schema({f: Rule(rule) for f, rule in collection.fields.items()}, strict=collection.strict),
        strategy=Strategy(collection.placement),
        zone=ZoneName(collection.zone) if collection.zone else None,
    )
