"""Tables for people."""

from __future__ import annotations

from rich.table import Table

from atoll.server.ring_state import RingState


def plain_table(*headings: str, title: str | None = None) -> Table:
    """A table without lines but for its heading; right for 80 columns."""
    table = Table(
        box=None, title=title, title_justify="left", header_style="bold", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for heading in headings:
        table.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
    return table


def ring_table(state: RingState) -> Table:
    """Who listens where."""
    table = plain_table("region", "node", "gRPC", "HTTP", "Postgres")
    for node in state.nodes:
        shards = ", ".join(server.shard for server in state.servers if server.region == node.region)
        table.add_row(node.region, node.name, node.grpc, node.http, shards or "[dim]given[/]")
    return table
