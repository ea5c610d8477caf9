"""What the configuration file leaves open on this machine: ports for nodes, servers for shards."""

from __future__ import annotations

from atoll.configuration import Allotment, Configuration, NodeAddresses, NodeAt
from atoll.ids import NodeName, Origin, RegionName, ShardName
from atoll.postgres.launcher.settings import HOST, free_port
from atoll.supervisor.ring_state import NodeEntry, RingState, ServerEntry


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


def allotment_of(state: RingState) -> Allotment:
    """The addresses and servers of a ring that was started on this machine, to complete its configuration."""
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


def _free_address(taken: set[int]) -> str:
    while (port := free_port()) in taken:
        pass
    taken.add(port)
    return f"{HOST}:{port}"
