"""Rings: as a scenario describes them, as the user's own ``atoll.toml`` does, or drawn anew for each seed.

A simulated ring has no servers to dial. A node ``n1`` of ``frankfurt`` has the made-up address ``frankfurt-n1:7443``
whatever the file says, and shards have no DSN, so that nothing of the real ring gets into a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from atoll.configuration.checks import check
from atoll.configuration.configuration import Configuration
from atoll.configuration.problems import Problems
from atoll.configuration.settings import CollectionSettings, NodeSettings, RegionSettings, ShardSettings, ZoneSettings
from atoll.configuration.settings import Settings as RingSettings
from atoll.errors import InvalidName
from atoll.ids import RegionName, check_name
from atoll.keyspace.topology import Topology

GRPC_PORT = 7443
HTTP_PORT = 9443

Names = Sequence[str]


class Part(Problems):
    """The problems of one table: keys get its name in front."""

    def __init__(self, whole: Problems, name: str) -> None:
        self._whole = whole
        self._name = name

    def add(self, key: str, text: str) -> None:
        """As the whole does."""
        self._whole.add(f"{self._name}.{'name' if key == 'ring' else key}", text)

    def raise_any(self) -> None:
        """As the whole does."""
        self._whole.raise_any()


def ring_settings(
    name: str,
    regions: Mapping[str, tuple[Names, Names]],
    zones: Mapping[str, ZoneSettings],
    collections: Mapping[str, CollectionSettings],
) -> RingSettings:
    """What ``atoll.toml`` would say of a ring, given each region's nodes and shards. The environment is not asked."""
    return RingSettings.model_construct(
        ring=name,
        regions={
            region: RegionSettings(
                nodes={node: _addresses(region, node) for node in nodes}, shards={s: ShardSettings() for s in shards}
            )
            for region, (nodes, shards) in regions.items()
        },
        zones=dict(zones),
        collections=dict(collections),
    )


def simulated(configuration: Configuration) -> RingSettings:
    """The user's ring without its addresses and databases."""
    settings = configuration.settings
    regions = {name: (tuple(region.nodes), tuple(region.shards)) for name, region in settings.regions.items()}
    return ring_settings(settings.ring, regions, settings.zones, settings.collections)


def checked_topology(settings: RingSettings, problems: Problems) -> Topology:
    """The ring as values. Problems are added and raised."""
    check(settings, problems)
    problems.raise_any()
    return Configuration(Path(), settings).topology()


def _addresses(region: str, node: str) -> NodeSettings:
    return NodeSettings(grpc=f"{region}-{node}:{GRPC_PORT}", http=f"{region}-{node}:{HTTP_PORT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RingShape:
    """What is known of a ring of ``regions = "any"``: the rest is drawn."""

    name: str
    places: Sequence[str]
    """Of the table of latencies; a region is named as its place."""
    nodes: Names | None
    """Of each region; ``None``: one or two."""
    shards: Names | None
    """Of each region; ``None``: one to four."""
    zone_count: int
    """Zones ``z1``, ``z2``, … each with a home and some of the regions."""
    collections: Mapping[str, CollectionSettings]
    regions_max: int = 5
    shards_max: int = 4
    nodes_max: int = 2

    def draw(self, random: Random) -> Topology:
        """One ring of this shape. Regions of one ring may differ in their numbers of nodes and shards."""
        return Configuration(Path(), self.settings(random)).topology()

    def settings(self, random: Random) -> RingSettings:
        """What ``atoll.toml`` would say of it."""
        count = random.randint(1, min(self.regions_max, len(self.places)))
        names = random.sample(list(self.places), count)
        regions = {name: (self._nodes(random), self._shards(random)) for name in names}
        zones = {f"z{number}": _zone(random, names) for number in range(1, self.zone_count + 1)}
        return ring_settings(self.name, regions, zones, self.collections)

    def _nodes(self, random: Random) -> Names:
        return self.nodes or numbered("n", random.randint(1, self.nodes_max))

    def _shards(self, random: Random) -> Names:
        return self.shards or numbered("s", random.randint(1, self.shards_max))


def _zone(random: Random, regions: Sequence[str]) -> ZoneSettings:
    hosts = random.sample(list(regions), random.randint(1, len(regions)))
    return ZoneSettings(home=hosts[0], regions=tuple(hosts))


def numbered(letter: str, count: int) -> Names:
    """``s1``, ``s2``, …"""
    return tuple(f"{letter}{number}" for number in range(1, count + 1))


def own_places(topology: Topology) -> Mapping[RegionName, str]:
    """Every region at the place of its own name."""
    return {region: str(region) for region in topology.regions}


def is_name(text: str) -> bool:
    """Whether a region may have this name."""
    try:
        check_name("region", text)
    except InvalidName:
        return False
    return True
