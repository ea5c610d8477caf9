"""Chapters of the end: the law was kept, and all regions hold the same bytes. The checks are made, not told."""

from __future__ import annotations

from collections.abc import Mapping

from atoll.demo.configuration import EUROPE_ONLY, FRANKFURT, REGIONS
from atoll.demo.stage import Stage
from atoll.demo.telling import coloured
from atoll.demo.waiting import until_identical
from atoll.ids import Origin, RegionName, ShardName
from atoll.operating.residency import check_residency, find_in_files
from atoll.operating.words import seconds_text


async def search_for_the_letters(stage: Stage, seal: str) -> None:
    """Plain SQL over every table of every server, then the files themselves."""
    teller = stage.teller
    teller.chapter("The law")
    dsns = {
        Origin(RegionName(server.region), ShardName(server.shard)): str(server.dsn) for server in stage.state.servers
    }
    report = await check_residency(dsns, [seal], [FRANKFURT])
    files: dict[str, int] = dict.fromkeys(REGIONS, 0)
    for origin in dsns:
        found = find_in_files(stage.directory.data_of(origin.region, origin.shard), [seal])
        files[origin.region] += len(found)
    rows = [[coloured(region), f"{report.rows(region):,}", f"{files[region]:,}"] for region in REGIONS]
    teller.say(f"Where is anything of zone [bold]{EUROPE_ONLY}[/]? Asked of all six Postgres servers, not of Atoll:")
    teller.table(["region", ">rows in any table", ">files on disk, log included"], rows)
    elsewhere = {region: count for region, count in files.items() if region != FRANKFURT and count}
    stage.figures.residency = {
        "kept": report.is_kept and not elsewhere,
        "allowed": list(report.allowed),
        "rows": {region: report.rows(region) for region in REGIONS},
        "files": files,
        "violations": {str(origin): [list(f) for f in found] for origin, found in report.violations.items()},
    }
    if not report.found_at_home:
        stage.fail(f"the search does not find the letters even in {FRANKFURT}: it proves nothing")
    for origin, findings in report.violations.items():
        stage.fail(f"residency: {origin} holds {sum(f.rows for f in findings)} rows of zone {EUROPE_ONLY}")
    for region, count in elsewhere.items():
        stage.fail(f"residency: {count} files of {region} hold letters of zone {EUROPE_ONLY}")
    if stage.figures.residency["kept"]:
        teller.say(f"In {coloured(FRANKFURT)}, and nowhere else.")


async def give_the_verdict(stage: Stage) -> None:
    """Lag as the regions measured it; then every row of every region, compared by its bytes."""
    teller, figures = stage.teller, stage.figures
    teller.chapter("The verdict")
    rows = [[coloured(region), *(_lag(figures.lag[region], other) for other in REGIONS)] for region in REGIONS]
    teller.say("Replication lag while all wrote at once, from write to visible, p50 / p99:")
    teller.table(["to", *(f"from {coloured(region)}" for region in REGIONS)], rows)
    await check_convergence(stage)


async def check_convergence(stage: Stage) -> bool:
    """Compare all regions row by row and say what differs; whether they are identical."""
    verification = await until_identical(stage.access, REGIONS)
    stage.figures.verification = verification.as_json()
    stage.teller.gap()
    colour = "green" if verification.is_identical else "red"
    stage.teller.say(f"[bold {colour}]{verification.verdict()}[/]  [dim]({verification.rows:,} rows by digest)[/]")
    for line in verification.differences():
        stage.fail(f"differs: {line}")
    return verification.is_identical


def _lag(by_sender: Mapping[str, Mapping[str, float]], sender: str) -> str:
    lag = by_sender.get(sender)
    return "" if lag is None else f"{seconds_text(lag['p50_seconds'])} / {seconds_text(lag['p99_seconds'])}"
