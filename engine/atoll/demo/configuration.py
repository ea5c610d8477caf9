"""The demo's own ``atoll.toml``: a file like any other, so that the ring can be looked at with every command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from atoll.demo.cities import AMERICAS, ASIA_PACIFIC, EUROPE_AFRICA, World
from atoll.ids import CollectionName, RegionName, ShardName, ZoneName

FRANKFURT, VIRGINIA, TOKYO = RegionName("frankfurt"), RegionName("virginia"), RegionName("tokyo")
REGIONS = (FRANKFURT, VIRGINIA, TOKYO)
SHARDS = (ShardName("s1"), ShardName("s2"))
HOMES: Mapping[ZoneName, RegionName] = {EUROPE_AFRICA: FRANKFURT, AMERICAS: VIRGINIA, ASIA_PACIFIC: TOKYO}
EUROPE_ONLY = ZoneName("europe-only")
CITIES, RESIDENTS = CollectionName("cities"), CollectionName("residents")


def demo_configuration(world: World) -> str:
    """The text: three regions of two shards, three zones held everywhere, one held in Frankfurt alone."""
    parts = ['# The ring of `atoll demo`.\nring = "demo"']
    parts += [f"[regions.{region}]\nshards = {_strings(SHARDS)}" for region in REGIONS]
    for zone, home in HOMES.items():
        parts.append(
            f'[zones.{zone}]\nhome = "{home}"\nregions = {_strings(REGIONS)}\n'
            f"countries = {_strings(world.countries_of(zone))}"
        )
    parts.append(
        f'# Law: what is in this zone never leaves Frankfurt.\n[zones.{EUROPE_ONLY}]\nhome = "{FRANKFURT}"\n'
        f"regions = {_strings([FRANKFURT])}"
    )
    parts.append(f'[collections.{CITIES}]\nplacement = "hybrid"')
    parts.append(f'[collections.{CITIES}.fields]\nmotto = "lww"\nvisits = "counter"\ntags = "add_wins_set"')
    parts.append(f'[collections.{RESIDENTS}]\nplacement = "hybrid"\nzone = "{EUROPE_ONLY}"')
    return "\n\n".join(parts) + "\n"


def _strings(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
