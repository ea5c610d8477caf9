"""The ring as configured: regions with their nodes and shards, zones with their law, collections with their schema.

A :class:`Topology` is an immutable value that every part is given at its start; nothing below reads a file. How it
is written in ``atoll.toml`` and checked is :mod:`atoll.configuration`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from atoll.crdt.schema import Schema
from atoll.errors import UnknownCollection, UnknownZone
from atoll.ids import CollectionName, NodeName, RegionName, ShardName, ZoneName


class Strategy(StrEnum):
    """How a collection's records are placed on the keyspace line (``range`` and ``geo`` have their place here)."""

    HASH = "hash"
    """Global zone, hash of the key."""
    HYBRID = "hybrid"
    """The record's zone, then the hash of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One engine process of a region."""

    name: NodeName
    grpc: str
    """``host:port`` that clients and peers dial."""
    http: str
    """``host:port`` of health and metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One Postgres database of a region. ``dsn`` is ``None`` while the launcher has yet to start its server."""

    name: ShardName
    dsn: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """An autonomous site."""

    name: RegionName
    nodes: Sequence[Node]
    shards: Sequence[Shard]
    catalog_dsn: str | None = None
    """``None``: the catalog lives on the first shard's database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A label of geography or law. Its records are never stored in, sent to or staged on other ``regions`` (I8)."""

    name: ZoneName
    home: RegionName
    regions: Sequence[RegionName]
    countries: Sequence[str] = ()
    """ISO 3166-1 alpha-2 codes, upper case, or subdivisions as ``US-CA``; each belongs to one zone at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A named group of records with one schema and one placement."""

    name: CollectionName
    schema: Schema
    strategy: Strategy
    zone: ZoneName | None = None
    """All records live in this zone; callers need not (and must not differently) name one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Everything configured, by name. Names have been checked; references resolve."""

    ring: str
    regions: Mapping[RegionName, Region]
    zones: Mapping[ZoneName, Zone]
    """Always contains ``global``."""
    collections: Mapping[CollectionName, Collection]
    country_zones: Mapping[str, ZoneName] = field(default_factory=dict)

    def collection(self, name: str) -> Collection:
        """The collection, or :class:`UnknownCollection` naming those that exist."""
        found = self.collections.get(CollectionName(name))
        if found is None:
            known = ", ".join(sorted(self.collections)) or "none"
            raise UnknownCollection(f"no collection {name!r} in ring {self.ring!r}; configured: {known}")
        return found

    def zone(self, name: str) -> Zone:
        """The zone, or :class:`UnknownZone` naming those that exist."""
        found = self.zones.get(ZoneName(name))
        if found is None:
            raise UnknownZone(f"no zone {name!r} in ring {self.ring!r}; configured: {', '.join(sorted(self.zones))}")
        return found

    def zone_of_country(self, code: str) -> ZoneName:
        """The zone of an ISO 3166 country or subdivision code; a subdivision falls back to its country."""
        upper = code.upper()
        found = self.country_zones.get(upper) or self.country_zones.get(upper.partition("-")[0])
        if found is None:
            raise UnknownZone(f"no zone lists country {code!r}; add it to the countries of a zone")
        return found

    def hosted_zones(self, region: RegionName) -> Sequence[Zone]:
        """The zones whose records ``region`` may hold, by name."""
        return [zone for _, zone in sorted(self.zones.items()) if region in zone.regions]

    def peers(self, region: RegionName) -> Sequence[RegionName]:
        """All other regions, by name."""
        return [name for name in sorted(self.regions) if name != region]
