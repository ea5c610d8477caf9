"""From ``--config`` to the running ring: through the state file of this machine, or the addresses of the file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from atoll.cli.ring_files import directory_of, load_configuration
from atoll.client.client import Client
from atoll.errors import NotRunning
from atoll.keyspace.topology import Topology
from atoll.operating.access import RingAccess
from atoll.server.allotment import allotment_of
from atoll.supervisor.background import running_state


def running_topology(file: Path) -> Topology:
    """The ring with every address: of what runs here, or as the file gives them for a ring that runs elsewhere.

    Raises :class:`NotRunning` when nothing runs here and the file leaves an address open.
    """
    configuration = load_configuration(file)
    try:
        return configuration.topology(allotment_of(running_state(directory_of(configuration))))
    except NotRunning:
        if any(None in addresses for addresses in configuration.addresses().values()):
            raise
        return configuration.topology()


@asynccontextmanager
async def connected(topology: Topology, region: str | None) -> AsyncIterator[Client]:
    """A client of a region, the first one if none is named, through whichever of its nodes answers."""
    async with RingAccess(topology) as access, access.client(access.region(region)) as client:
        yield client
