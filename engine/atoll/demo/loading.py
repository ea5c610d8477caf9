"""Chapters of the beginning: the ring, the load, and who lives where."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from rich.progress import Progress

from atoll.demo.cities import City
from atoll.demo.configuration import (
    CITIES,
    EUROPE_ONLY,
    FRANKFURT,
    HOMES,
    REGIONS,
    RESIDENTS,
    TOKYO,
    VIRGINIA,
)
from atoll.demo.stage import Stage
from atoll.demo.telling import coloured
from atoll.demo.waiting import until_all_have_seen_all
from atoll.ids import ZoneName

LOAD_BATCH = 500
RESIDENT_COUNT = 48
SAMPLE = ("Lisbon, PT", "Nairobi, KE", "New York City, US", "São Paulo, BR", "Mumbai, IN", "Sydney, AU")


def tell_the_ring(stage: Stage) -> None:
    """Three regions stand."""
    stage.teller.chapter("Three islands")
    rows = []
    for node in stage.state.nodes:
        shards = [server for server in stage.state.servers if server.region == node.region]
        ports = ", ".join(str(server.dsn).rpartition(":")[2].partition("/")[0] for server in shards)
        rows.append([coloured(node.region), node.grpc, f"{len(shards)} × Postgres {stage.figures.postgres}", ports])
    stage.teller.table(["region", "node (gRPC)", "shards", "ports"], rows)
    stage.teller.say(
        f"Six real Postgres servers and three nodes, up in [bold]{stage.figures.start_seconds:.1f} s[/]. "
        "Each region serves reads and writes on its own."
    )


async def load(stage: Stage) -> None:
    """Every city, each zone by a client in its home region, all at once; then until all regions have all."""
    teller, figures = stage.teller, stage.figures
    teller.chapter("Every city above 15,000 inhabitants")
    begun = time.monotonic()
    with teller.progress() as progress:
        async with asyncio.TaskGroup() as group:
            for zone in HOMES:
                group.create_task(_load_zone(stage, zone, progress))
    figures.load_seconds = time.monotonic() - begun
    figures.records_loaded = len(stage.world.cities)
    figures.everywhere_after_seconds = await until_all_have_seen_all(stage.access, REGIONS)
    rows = [
        [
            zone,
            f"{len(stage.world.countries_of(zone))} countries",
            f"{len(stage.world.of_zone(zone)):,}",
            coloured(home),
        ]
        for zone, home in HOMES.items()
    ]
    teller.table(["zone", "", ">cities", "home"], rows)
    rate = figures.records_loaded / figures.load_seconds
    teller.say(
        f"[bold]{figures.records_loaded:,} cities[/], each loaded in the region that is its home, in "
        f"[bold]{figures.load_seconds:.1f} s[/] ({rate:,.0f}/s, every one flushed to disk). "
        f"All three regions held all of them {_later(figures.everywhere_after_seconds)}."
    )


def _later(seconds: float) -> str:
    return f"{seconds:.1f} s later" if seconds >= 0.1 else "less than 0.1 s later"


async def _load_zone(stage: Stage, zone: ZoneName, progress: Progress) -> None:
    cities = stage.world.of_zone(zone)
    task = progress.add_task(f"{HOMES[zone]:<10}", total=len(cities))
    client = stage.clients[HOMES[zone]]
    for batch in _batches(cities, LOAD_BATCH):
        await client.put_many(CITIES, [(city.key, city.fields) for city in batch], zone=zone, timeout_seconds=60)
        progress.advance(task, len(batch))


def _batches(cities: Iterable[City], size: int) -> Iterator[Sequence[City]]:
    iterator = iter(cities)
    while batch := list(islice(iterator, size)):
        yield batch


async def tell_the_placement(stage: Stage) -> None:
    """Some cities and their shards; how even the shards are."""
    teller, figures = stage.teller, stage.figures
    teller.chapter("Which city lives on which shard")
    known = {city.key: city for city in stage.world.cities}
    rows = []
    for key in SAMPLE:
        if key not in known:
            continue
        found = await stage.access.locate_everywhere(CITIES, key, known[key].zone)
        figures.placement[key] = {region: location.shard for region, location in found.items()}
        rows.append([key, known[key].zone, *(str(found[region].shard) for region in REGIONS)])
    teller.table(["city", "zone", *(coloured(region) for region in REGIONS)], rows)
    for region in REGIONS:
        status = await stage.access.status(region)
        figures.shards[region] = {shard.name: shard.records for shard in status.shards}
    counts = "; ".join(
        f"{coloured(region)} " + ", ".join(f"{name} {count:,}" for name, count in shards.items())
        for region, shards in figures.shards.items()
    )
    teller.say(f"Records by shard: {counts}.")


async def seal_the_letters(stage: Stage) -> str:
    """The records that may live in Frankfurt alone, written by a client in Tokyo; returns the text they all hold."""
    seal = f"sealed-{secrets.token_hex(8)}"
    letters = [(f"resident-{number:02}", {"letter": f"{seal}-{number:02}"}) for number in range(RESIDENT_COUNT)]
    await stage.clients[TOKYO].put_many(RESIDENTS, letters, timeout_seconds=30)
    read = await stage.clients[VIRGINIA].get(RESIDENTS, "resident-07", timeout_seconds=30)
    if read is None or not str(read.get("letter", "")).startswith(seal):
        stage.fail(f"a client in {VIRGINIA} cannot read what a client in {TOKYO} wrote to zone {EUROPE_ONLY}")
    stage.teller.gap()
    stage.teller.say(
        f"And [bold]{RESIDENT_COUNT} residents[/] of the zone [bold]{EUROPE_ONLY}[/], which by law stays in "
        f"{coloured(FRANKFURT)}: written by a client in {coloured(TOKYO)} and read by one in {coloured(VIRGINIA)}, "
        "both through Frankfurt. We will search for them later."
    )
    return seal
