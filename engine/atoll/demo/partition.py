"""Chapters of the middle: everybody writes the same records, one region is cut off, the cut heals."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from atoll.demo.cities import City
from atoll.demo.configuration import CITIES, HOMES, REGIONS, TOKYO
from atoll.demo.showcase import LISBON, Sight, judge, look, set_the_scene, write_on_both_sides
from atoll.demo.stage import Stage
from atoll.demo.telling import coloured
from atoll.demo.traffic import Traffic, read_on
from atoll.demo.waiting import until_all_have_seen_all
from atoll.ids import RegionName

CONTESTED_PER_ZONE = 20
WRITERS_PER_REGION = 4
TOGETHER_SECONDS = 3.0
CUT_SECONDS = 4.0
_LOOK_SECONDS = 0.1


def contested(stage: Stage) -> list[City]:
    """The largest cities of each zone: everybody wants to write them. Lisbon has a story of its own."""
    return [
        city
        for zone in HOMES
        for city in [c for c in stage.world.of_zone(zone) if c.key != LISBON][:CONTESTED_PER_ZONE]
    ]


async def write_together(stage: Stage) -> None:
    """All regions connected, all writing the same few cities."""
    teller, figures = stage.teller, stage.figures
    teller.chapter("Everybody writes the same cities at once")
    cities = contested(stage)
    figures.contested_records = len(cities)
    figures.contested_writes = await _traffic(stage, cities, TOGETHER_SECONDS, seed=1)
    await set_the_scene(stage.clients[REGIONS[0]])
    await until_all_have_seen_all(stage.access, REGIONS)
    figures.records_merged = await _merged(stage)
    figures.lag = await _lag(stage)
    writers = WRITERS_PER_REGION * len(REGIONS)
    teller.say(
        f"{writers} writers in three regions, {len(cities)} cities, {TOGETHER_SECONDS:.0f} s. Each write sets a "
        "motto ([bold]lww[/]), counts visits ([bold]counter[/]) and adds a tag ([bold]add_wins_set[/])."
    )
    rows = [[coloured(region), f"{count:,}"] for region, count in figures.contested_writes.items()]
    teller.table(["region", ">writes acknowledged"], rows)
    teller.say(f"{figures.records_merged:,} times a shard found a record changed on both sides, and merged it.")


async def cut_off(stage: Stage) -> None:
    """Tokyo plays dead to the others; both sides go on."""
    teller, figures = stage.teller, stage.figures
    teller.chapter(f"{TOKYO.capitalize()} is cut off")
    await stage.access.drill(TOKYO, stage.others(TOKYO))
    begun = time.monotonic()
    reading = asyncio.create_task(read_on(stage.clients[TOKYO], stage.world.cities, CUT_SECONDS))
    figures.cut_off = TOKYO
    figures.cut_writes = await _traffic(stage, contested(stage), CUT_SECONDS, seed=2)
    reads = await reading
    figures.cut_reads, figures.cut_read_p50_seconds = reads.count, reads.p50_seconds
    figures.cut_read_p99_seconds = reads.p99_seconds
    await write_on_both_sides(stage.clients)
    await until_all_have_seen_all(stage.access, stage.others(TOKYO))
    sights = {region: await look(stage.clients[region]) for region in REGIONS}
    figures.cut_seconds = time.monotonic() - begun
    rows = [[coloured(region), f"{count:,}"] for region, count in figures.cut_writes.items()]
    teller.table(["region", ">writes acknowledged during the cut"], rows)
    teller.say(
        f"Nobody waits for anybody. {coloured(TOKYO)}, alone, also answered [bold]{reads.count:,} reads[/] of cities "
        f"from all over the world, p50 {reads.p50_seconds * 1000:.1f} ms."
    )
    teller.gap()
    teller.say(f"Meanwhile [bold]{LISBON}[/] is three different things:")
    teller.table(["", *(coloured(region) for region in REGIONS)], _truths(sights))
    if len({str(sight.lisbon) for sight in sights.values()}) < 2:
        stage.fail("the cut did not separate anybody: Lisbon is the same everywhere")


async def heal(stage: Stage) -> None:
    """The cut ends; the regions agree; every field is what its rule says."""
    teller, figures = stage.teller, stage.figures
    teller.chapter("The sea allows it again")
    await stage.access.drill(TOKYO, [])
    with teller.progress(counting=False) as progress:
        task = progress.add_task("catching up", total=None)

        def show(batches_behind: int) -> None:
            progress.update(task, description=f"catching up, {batches_behind:,} batches behind")

        figures.converge_seconds = await until_all_have_seen_all(stage.access, REGIONS, show)
    figures.records_merged = await _merged(stage)
    writes = sum(figures.cut_writes.values())
    teller.say(
        f"[bold]{figures.converge_seconds:.2f} s[/] after the cut ended every region had seen all {writes:,} writes "
        "that were made during it. Lisbon, everywhere:"
    )
    merges = judge(await look(stage.clients[TOKYO]))
    teller.table(["field", "merged", "because"], [[m.field, _shown(m.merged), f"[dim]{m.why}[/]"] for m in merges])
    figures.merges = [{**merge._asdict(), "right": merge.is_right} for merge in merges]
    for merge in merges:
        if not merge.is_right:
            stage.fail(f"{merge.field} should be {merge.expected!r} and is {merge.merged!r}")
    await _count(stage)


async def _count(stage: Stage) -> None:
    """Every acknowledged increment once, every acknowledged tag, in every region."""
    figures, ledger = stage.figures, stage.ledger
    by_key = {city.key: city for city in contested(stage)}
    for region in REGIONS:
        merged = 0
        for key, expected in ledger.visits.items():
            record = await stage.clients[region].get(CITIES, key, country=by_key[key].country, timeout_seconds=30)
            visits, tags = (record or {}).get("visits", 0), set((record or {}).get("tags", ()))
            merged += visits
            if visits != expected or tags != ledger.tags[key]:
                figures.wrong_records.append(f"{region}: {key}: {visits} visits, acknowledged {expected}")
        figures.visits_merged = merged
    figures.visits_acknowledged, figures.writes_unknown = sum(ledger.visits.values()), ledger.unknown
    for wrong in figures.wrong_records:
        stage.fail(f"not what was acknowledged: {wrong}")
    stage.teller.say(
        f"[bold]{figures.visits_merged:,} visits[/] counted in {len(ledger.visits)} cities, "
        f"[bold]{figures.visits_acknowledged:,}[/] acknowledged to clients: "
        + ("every one counted once." if not figures.wrong_records else "[bold red]they differ.[/]")
    )


async def _traffic(stage: Stage, cities: Sequence[City], seconds: float, seed: int) -> dict[str, int]:
    """Write everywhere for a while; returns the acknowledged writes by region."""
    before = Counter(stage.ledger.writes)
    traffics = [Traffic(region, stage.clients[region], cities, stage.ledger, seed) for region in REGIONS]
    with stage.teller.progress(counting=False) as progress:
        task = progress.add_task("writing", total=seconds)
        async with asyncio.TaskGroup() as group:
            for traffic in traffics:
                group.create_task(traffic.run(WRITERS_PER_REGION))
            begun = time.monotonic()
            while (elapsed := time.monotonic() - begun) < seconds:
                await asyncio.sleep(_LOOK_SECONDS)
                done = stage.ledger.total() - sum(before.values())
                progress.update(task, completed=elapsed, description=f"writing, {done:,} acknowledged")
            for traffic in traffics:
                traffic.stop()
    return {region: stage.ledger.writes[region] - before[region] for region in REGIONS}


async def _merged(stage: Stage) -> int:
    """Rows that had changed on both sides, over all regions and since the start."""
    statuses = await asyncio.gather(*(stage.access.status(region) for region in REGIONS))
    return sum(shard.records_merged for status in statuses for shard in status.shards)


async def _lag(stage: Stage) -> dict[str, dict[str, dict[str, float]]]:
    """By receiver and sender, as the receivers measured it over their last batches."""
    statuses = await asyncio.gather(*(stage.access.status(region) for region in REGIONS))
    return {
        status.region: {
            peer.region: {"p50_seconds": peer.lag_p50_seconds, "p99_seconds": peer.lag_p99_seconds}
            for peer in status.peers
        }
        for status in statuses
    }


def _truths(sights: Mapping[RegionName, Sight]) -> list[list[str]]:
    fields = ("motto", "visits", "tags")
    rows = [[field, *(_shown((sights[region].lisbon or {}).get(field)) for region in REGIONS)] for field in fields]
    atlantis = ["Atlantis", *("there" if sights[region].atlantis is not None else "deleted" for region in REGIONS)]
    return [*rows, atlantis]


def _shown(value: Any) -> str:
    if isinstance(value, set | frozenset | list | tuple):
        return ", ".join(sorted(map(str, value)))
    return "–" if value is None else str(value)
