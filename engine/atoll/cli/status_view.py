"""``atoll status`` for people: regions and shards, replication, what is wrong. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from atoll.cli.tables import plain_table
from atoll.control import PeerStatus
from atoll.operating.overview import Overview
from atoll.operating.words import bytes_text, counted, seconds_text


def status_view(overview: Overview) -> Iterator[RenderableType]:
    """What to print, in order."""
    problems = overview.problems()
    regions = overview.regions()
    shards = sum(len(status.shards) for status in regions.values() if status is not None)
    health = "[green]all is well[/]" if not problems else f"[bold red]{counted(len(problems), 'problem')}[/]"
    size = f"{counted(len(regions), 'region')}, {counted(shards, 'shard')}"
    yield Text.from_markup(f"[bold]{overview.ring}[/]  {size}  {health}\n")
    yield _shards(overview)
    yield Text()
    yield _replication(overview)
    if problems:
        yield Text()
    for problem in problems:
        yield Text.from_markup(f"[red]✗[/] {escape(problem)}")


def _shards(overview: Overview) -> Table:
    table = plain_table("region", "shard", ">records", ">tombstones", ">change log", ">ranges", ">merged")
    for region, status in overview.regions().items():
        if status is None:
            table.add_row(region, "[red]no answer[/]")
            continue
        for index, shard in enumerate(status.shards):
            name = region if index == 0 else ""
            if shard.answering:
                log = f"{shard.log_rows:,} ({bytes_text(shard.log_bytes)})"
                figures = (f"{shard.records:,}", f"{shard.tombstones:,}", log, str(shard.ranges))
                table.add_row(name, shard.name, *figures, f"{shard.records_merged:,}")
            else:
                table.add_row(name, shard.name, "[red]no answer[/]", "", "", str(shard.ranges))
    return table


def _replication(overview: Overview) -> Table:
    table = plain_table("region", "receives from", "link", ">behind", ">lag p50", ">lag p99")
    for view in overview.nodes:
        if view.status is None:
            continue
        for index, peer in enumerate(view.status.peers):
            cut = peer.region in view.status.cut_off_from
            link = "[yellow]drill[/]" if cut else "[green]up[/]" if peer.connected else "[red]down[/]"
            table.add_row(
                f"{view.region}/{view.node}" if index == 0 else "",
                peer.region,
                link,
                f"{peer.batches_behind:,}" if peer.connected and not cut else "?",
                *_lags(peer),
            )
    return table


def _lags(peer: PeerStatus) -> tuple[str, str]:
    """Median and 99th percentile; dashes when nothing was measured, and never one figure without the other."""
    median = seconds_text(peer.lag_p50_seconds)
    if peer.lag_p99_seconds > 0 >= peer.lag_p50_seconds:
        median = "0.0 ms"
    return median, seconds_text(peer.lag_p99_seconds)
