"""The router: local shard, another region, or try again; and what a fence teaches."""

from __future__ import annotations

import pytest

from atoll.crdt.schema import Schema
from atoll.errors import InvalidKey, StaleRoute, UnknownCollection, UnknownZone
from atoll.ids import GLOBAL_ZONE, CollectionName, NodeName, RecordId, RegionName, ShardName, ZoneName
from atoll.keyspace.position import hashed_position, zone_range
from atoll.keyspace.router import (
    Elsewhere,
    Local,
    Redirect,
    RedirectKind,
    Route,
    Unassigned,
    redirect_after_fence,
    route,
)
from atoll.keyspace.shard_map import Assignment, ShardMap, initial_map
from atoll.keyspace.topology import Collection, Node, Region, Shard, Strategy, Topology, Zone

FRANKFURT, TOKYO, VIRGINIA = RegionName("frankfurt"), RegionName("tokyo"), RegionName("virginia")
EUROPE = ZoneName("europe")
CITIES, SETTINGS = CollectionName("cities"), CollectionName("settings")
S1, S2 = ShardName("s1"), ShardName("s2")


def region(name: RegionName) -> Region:
    node = Node(name=NodeName("n1"), grpc=f"{name}:1", http=f"{name}:2")
    return Region(name=name, nodes=[node], shards=[Shard(name=S1, dsn=None), Shard(name=S2, dsn=None)])


TOPOLOGY = Topology(
    ring="test",
    regions={name: region(name) for name in (FRANKFURT, TOKYO, VIRGINIA)},
    zones={
        GLOBAL_ZONE: Zone(name=GLOBAL_ZONE, home=FRANKFURT, regions=[FRANKFURT, TOKYO, VIRGINIA]),
        EUROPE: Zone(name=EUROPE, home=VIRGINIA, regions=[FRANKFURT, VIRGINIA]),
    },
    collections={
        CITIES: Collection(name=CITIES, schema=Schema(), strategy=Strategy.HYBRID),
        SETTINGS: Collection(name=SETTINGS, schema=Schema(), strategy=Strategy.HASH),
    },
)


def map_of(name: RegionName) -> ShardMap:
    return initial_map([zone.name for zone in TOPOLOGY.hosted_zones(name)], [S1, S2])


def ask(name: RegionName, collection: CollectionName, zone: ZoneName | None, key: str) -> Route:
    return route(TOPOLOGY, name, map_of(name), collection, zone, key)


def test_record_of_a_hosted_zone_goes_to_the_shard_that_the_map_names() -> None:
    position = hashed_position(EUROPE, "Köln")
    owner = map_of(FRANKFURT).locate(position)
    assert owner is not None
    assert ask(FRANKFURT, CITIES, EUROPE, "Köln") == Local(
        shard=owner.shard, id=RecordId(position, CITIES, "Köln"), epoch=1
    )


def test_record_of_a_zone_not_hosted_goes_elsewhere_home_first() -> None:
    assert ask(TOKYO, CITIES, EUROPE, "Köln") == Elsewhere(EUROPE, [VIRGINIA, FRANKFURT])


def test_collection_without_zones_is_local_everywhere() -> None:
    for name in TOPOLOGY.regions:
        assert isinstance(ask(name, SETTINGS, None, "theme"), Local)


def test_hosted_position_without_a_range_is_unassigned() -> None:
    found = route(TOPOLOGY, FRANKFURT, initial_map([GLOBAL_ZONE], [S1]), CITIES, EUROPE, "Köln")
    assert found == Unassigned(RecordId(hashed_position(EUROPE, "Köln"), CITIES, "Köln"), 1)


def test_unknown_collection_is_the_callers_error() -> None:
    with pytest.raises(UnknownCollection, match="cities, settings"):
        ask(TOKYO, CollectionName("citys"), None, "x")


def test_unknown_zone_is_the_callers_error() -> None:
    with pytest.raises(UnknownZone, match="europe, global"):
        ask(TOKYO, CITIES, ZoneName("mars"), "x")


@pytest.mark.parametrize("name", [FRANKFURT, TOKYO])
def test_bad_key_is_refused_where_the_zone_is_hosted_and_where_it_is_not(name: RegionName) -> None:
    with pytest.raises(InvalidKey):
        ask(name, CITIES, EUROPE, "")


# -- after a fence ------------------------------------------------------------------------------------------------

REFUSED = Local(shard=S1, id=RecordId(hashed_position(EUROPE, "Köln"), CITIES, "Köln"), epoch=3)


def newest(shard: ShardName, epoch: int) -> ShardMap:
    return ShardMap(9, [Assignment(range=zone_range(EUROPE), shard=shard, epoch=epoch)])


@pytest.mark.parametrize(
    ("shard_map", "expected"),
    [
        (newest(S2, 4), Redirect(kind=RedirectKind.MOVED, epoch=4, shard=S2)),
        (newest(S1, 5), Redirect(kind=RedirectKind.MOVED, epoch=5, shard=S1)),
        (newest(S1, 3), Redirect(kind=RedirectKind.TRY_AGAIN, epoch=3)),
        (ShardMap(9, []), Redirect(kind=RedirectKind.TRY_AGAIN, epoch=0)),
    ],
    ids=["moved away", "moved away and back", "map not yet published", "range withdrawn"],
)
def test_fence_becomes_a_redirect(shard_map: ShardMap, expected: Redirect) -> None:
    assert redirect_after_fence(REFUSED, shard_map) == expected


def test_redirect_that_cannot_be_followed_is_a_typed_error() -> None:
    error = Redirect(kind=RedirectKind.MOVED, epoch=4, shard=S2).error()
    assert isinstance(error, StaleRoute)
    assert "moved to shard 's2' at epoch 4" in str(error)
