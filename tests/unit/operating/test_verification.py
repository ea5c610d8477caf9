"""The verdict is computed from what the regions hold, zone by zone, and the rows that differ are named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from atoll.control import Location, NodeStatus, RowDigest
from atoll.crdt.schema import Schema
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.keyspace.placement import place
from atoll.keyspace.topology import Collection as RecordCollection
from atoll.keyspace.topology import Region, Strategy, Topology, Zone
from atoll.operating.verification import Verification, verify_regions

REGIONS = [RegionName(name) for name in ("frankfurt", "virginia", "tokyo")]
FRANKFURT, VIRGINIA, TOKYO = REGIONS
SHARED, LOCAL = ZoneName("shared"), ZoneName("local")
CITIES = CollectionName("cities")
TOPOLOGY = Topology(
    ring="test",
    regions={name: Region(name=name, nodes=[], shards=[]) for name in REGIONS},
    zones={
        SHARED: Zone(name=SHARED, home=FRANKFURT, regions=REGIONS),
        LOCAL: Zone(name=LOCAL, home=TOKYO, regions=[TOKYO]),
    },
    collections={CITIES: RecordCollection(name=CITIES, schema=Schema(), strategy=Strategy.HYBRID)},
)

Held = Mapping[ZoneName, Mapping[str, bytes]]


class DigestsOnly:
    """A control surface that knows only digests."""

    def __init__(self, held: Held) -> None:
        self._held = held

    async def digest(self, zone: ZoneName) -> AsyncIterator[Sequence[RowDigest]]:
        rows = self._held.get(zone, {})
        for key in sorted(rows, key=lambda key: place(TOPOLOGY.collection(CITIES), zone, key)):
            yield [RowDigest(CITIES, key, rows[key])]

    async def status(self) -> NodeStatus:
        raise NotImplementedError

    async def locate(self, collection: CollectionName, zone: ZoneName | None, key: str) -> Location:
        raise NotImplementedError

    async def drill(self, cut_off_from: Collection[RegionName]) -> None:
        raise NotImplementedError


async def verify(frankfurt: Held, virginia: Held, tokyo: Held) -> Verification:
    held = dict(zip(REGIONS, (frankfurt, virginia, tokyo), strict=True))
    return await verify_regions(TOPOLOGY, {region: DigestsOnly(rows) for region, rows in held.items()})


EVERYWHERE: Held = {SHARED: {"Lisbon": b"1", "Oslo": b"2", "Perth": b"3"}}


async def test_regions_with_equal_rows_have_converged() -> None:
    result = await verify(EVERYWHERE, EVERYWHERE, EVERYWHERE)
    assert result.is_identical
    assert result.verdict() == "converged: 3 of 3 regions identical"
    assert result.rows == 3


async def test_zone_of_one_region_is_no_difference() -> None:
    assert (await verify(EVERYWHERE, EVERYWHERE, {**EVERYWHERE, LOCAL: {"Kyoto": b"9"}})).is_identical


async def test_one_row_that_differs_is_the_verdict_of_its_region() -> None:
    broken = {SHARED: {**EVERYWHERE[SHARED], "Oslo": b"!"}}
    result = await verify(EVERYWHERE, EVERYWHERE, broken)
    assert not result.is_identical
    assert result.verdict() == "NOT converged: 2 of 3 regions identical"
    assert result.agreeing() == [FRANKFURT, VIRGINIA]
    [line] = result.differences()
    assert line.startswith("cities/Oslo (zone shared): 32 in frankfurt, virginia; 21 in tokyo")


async def test_row_that_is_missing_is_told() -> None:
    rows = dict(EVERYWHERE[SHARED])
    del rows["Perth"]
    result = await verify({SHARED: rows}, EVERYWHERE, EVERYWHERE)
    assert "cities/Perth" in result.differences()[0]
    assert result.as_json()["difference_count"] == 1


async def test_regions_that_all_differ_agree_with_the_first_alone() -> None:
    result = await verify({SHARED: {"a": b"1"}}, {SHARED: {"a": b"2"}}, {SHARED: {"a": b"3"}})
    assert result.verdict() == "NOT converged: 1 of 3 regions identical"
