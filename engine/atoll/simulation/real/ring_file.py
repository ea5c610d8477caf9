"""The ``atoll.toml`` of each region of a real ring: its own nodes where they are, those of others behind proxies.

A file is all that a node is given. Its own region's shards carry their DSNs; of the other regions it knows names and
addresses only, as on a machine far away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from atoll.ids import Origin, RegionName
from atoll.keyspace.topology import Topology
from atoll.simulation.scenario.toml import toml_table, toml_value
from atoll.simulation.world.node import TOKEN_KEY

Addresses = Mapping[str, str]
"""``host:port`` of nodes by name (``frankfurt/n1``)."""


def ring_file(topology: Topology, region: RegionName, grpc: Addresses, dsns: Mapping[Origin, str]) -> str:
    """The text for the nodes of ``region``; ``grpc`` are the addresses as they are seen from there.

    HTTP is for health alone and asked on the machine itself: its addresses stand in ``topology``.
    """
    return "\n".join(_lines(topology, region, grpc, dsns))


def _lines(topology: Topology, own: RegionName, grpc: Addresses, dsns: Mapping[Origin, str]) -> Iterator[str]:
    yield f"ring = {toml_value(topology.ring)}"
    yield f"token_key = {toml_value(TOKEN_KEY.hex())}"
    yield ""
    for region in topology.regions.values():
        for node in region.nodes:
            address = {"grpc": grpc[f"{region.name}/{node.name}"], "http": node.http}
            yield from toml_table(["regions", region.name, "nodes", node.name], address)
        for shard in region.shards:
            dsn = dsns[Origin(region.name, shard.name)] if region.name == own else None
            yield from toml_table(["regions", region.name, "shards", shard.name], {"dsn": dsn})
    for zone in topology.zones.values():
        countries = list(zone.countries) or None
        yield from toml_table(
            ["zones", zone.name], {"home": zone.home, "regions": list(zone.regions), "countries": countries}
        )
    for collection in topology.collections.values():
        yield from toml_table(
            ["collections", collection.name],
            {
                "placement": collection.strategy,
                "zone": collection.zone,
                "strict": collection.schema.strict or None,
                "fields": {name: str(rule) for name, rule in collection.schema.fields.items()},
            },
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read: it holds passwords."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
