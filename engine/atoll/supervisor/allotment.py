"""What the configuration file leaves open on this machine: ports for nodes, servers for shards."""

from __future__ import annotations

import os

from atoll.configuration import Configuration
from atoll.errors import AtollError
from atoll.postgres.launcher.settings import HOST, free_port
from atoll.server.ring_state import NodeEntry, Phase, RingState, ServerEntry

_NODE_PORTS = range(20_000, 24_000)
"""Apart from those of the servers: these choose theirs while the nodes' are allotted and not yet listened on."""


def planned_state(configuration: Configuration, supervisor: int) -> RingState:
    """What is to run: a server for each shard without a DSN, and every node, each with two addresses."""
    taken: set[int] = set()
    return RingState(
        ring=configuration.ring,
        configuration=str(configuration.file),
        supervisor=supervisor,
        servers=[
            ServerEntry(region=origin.region, shard=origin.shard) for origin in configuration.shards_to_launch()
        ],
        nodes=[
            NodeEntry(
                region=at.region,
                name=at.node,
                grpc=given.grpc or _free_address(taken),
                http=given.http or _free_address(taken),
            )
            for at, given in configuration.addresses().items()
        ],
    )


def failed_state(configuration: Configuration, error: AtollError) -> RingState:
    """A ring that could not even be planned."""
    return RingState(
        ring=configuration.ring,
        configuration=str(configuration.file),
        phase=Phase.FAILED,
        supervisor=os.getpid(),
        error={"code": error.code, "message": error.message},
    )


def _free_address(taken: set[int]) -> str:
    while (port := free_port(_NODE_PORTS)) in taken:
        pass
    taken.add(port)
    return f"{HOST}:{port}"
