"""What was allotted on this machine, read back from the supervisor's state file to complete the configuration."""

from __future__ import annotations

from pathlib import Path

from atoll.configuration import Allotment, NodeAddresses, NodeAt
from atoll.errors import NotRunning
from atoll.ids import NodeName, Origin, RegionName, ShardName
from atoll.server.ring_state import RingState


def read_allotment(state_file: Path) -> Allotment:
    """The allotment in a state file, or :class:`NotRunning` if there is no such file."""
    state = RingState.load(state_file)
    if state is None:
        raise NotRunning(f"{state_file} does not say what runs: `atoll up` writes it")
    return allotment_of(state)


def allotment_of(state: RingState) -> Allotment:
    """The addresses and servers of a ring that was started on this machine."""
    return Allotment(
        addresses={
            NodeAt(RegionName(node.region), NodeName(node.name)): NodeAddresses(node.grpc, node.http)
            for node in state.nodes
        },
        dsns={
            Origin(RegionName(server.region), ShardName(server.shard)): server.dsn
            for server in state.servers
            if server.dsn is not None
        },
    )
