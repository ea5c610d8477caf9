"""The router: from a request's record to the shard that owns it, or to the regions that may hold it.

A decision is a value. :data:`Route` says where to go by this region's map; :class:`Redirect` says what a shard's
fence taught about a map that was old. Nothing here waits, retries or forwards: the caller does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from atoll.errors import StaleRoute
from atoll.ids import CollectionName, RecordId, RegionName, ShardName, ZoneName
from atoll.keyspace.placement import check_key, place, resolve_zone
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Topology, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A shard of this region owns the record, by a map that had it at ``epoch``."""

    shard: ShardName
    id: RecordId
    epoch: int


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """This region may not hold the zone (promise I8). ``regions`` may: the home region first, then by name."""

    zone: ZoneName
    regions: Sequence[RegionName]


@dataclass(frozen=True, slots=True)
class Unassigned:
    """The region hosts the zone and its map has no shard for the position: refresh the map and try again."""

    id: RecordId
    map_version: int


Route = Local | Elsewhere | Unassigned


class RedirectKind(StrEnum):
    """What to do when a shard refused a position that the map gave to it."""

    MOVED = "moved"
    """Another shard owns the range for good: refresh the map and ask that shard."""
    ASK = "ask"
    """Ask the named shard this once and keep the map: the range is about to move there."""
    TRY_AGAIN = "try_again"
    """The range is changing hands and no shard takes writes yet: wait a moment and route again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Why a shard did not take an operation. ``epoch`` is the newest one known of the range, 0 if there is none."""

    kind: RedirectKind
    epoch: int
    shard: ShardName | None = None

    def error(self) -> StaleRoute:
        """The redirect as the error a caller gets when it cannot follow it."""
        to = f" to shard {self.shard!r}" if self.shard else ""
        return StaleRoute(
            f"nothing was written: {self.kind}{to} at epoch {self.epoch}; refresh the map and ask again"
        )


def route(
    topology: Topology,
    region: RegionName,
    shard_map: ShardMap,
    collection: CollectionName,
    zone: ZoneName | None,
    key: str,
) -> Route:
    """Where ``region`` sends an operation on a record.

    Raises :class:`~atoll.errors.UnknownCollection`, :class:`~atoll.errors.UnknownZone` or
    :class:`~atoll.errors.InvalidKey` for a request that no region can serve.
    """
    placed = topology.collection(collection)
    law = topology.zone(resolve_zone(placed, zone))
    if region not in law.regions:
        check_key(key)
        return Elsewhere(law.name, home_first(law))
    record = RecordId(place(placed, law.name, key), placed.name, key)
    assignment = shard_map.locate(record.position)
    if assignment is None:
        return Unassigned(record, shard_map.version)
    return Local(shard=assignment.shard, id=record, epoch=assignment.epoch)


def home_first(zone: Zone) -> Sequence[RegionName]:
    """The regions of a zone in the order to try them: its home, then the others by name."""
    return [zone.home, *sorted(name for name in zone.regions if name != zone.home)]


def redirect_after_fence(refused: Local, newest: ShardMap) -> Redirect:
    """What to do after ``refused.shard`` said that it does not own the record, knowing the newest map."""
    found = newest.locate(refused.id.position)
    if found is None:
        return Redirect(kind=RedirectKind.TRY_AGAIN, epoch=0)
    if found.shard == refused.shard and found.epoch <= refused.epoch:
        return Redirect(kind=RedirectKind.TRY_AGAIN, epoch=found.epoch)
    return Redirect(kind=RedirectKind.MOVED, epoch=found.epoch, shard=found.shard)
