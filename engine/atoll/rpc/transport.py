"""The Transport port over gRPC: the ways from one region's process to the nodes of the others."""

from __future__ import annotations

from collections import deque

from grpc import aio

from atoll.errors import Unavailable
from atoll.ids import RegionName
from atoll.keyspace.topology import Node, Topology
from atoll.limits import REPLY_GRACE_SECONDS
from atoll.replication.messages import Hello
from atoll.requests import Mutate, Reply, Request
from atoll.rpc.channels import ChannelFactory, Channels, real_channel
from atoll.rpc.codec.data import decode_reply, encode_request
from atoll.rpc.failures import from_rpc_error
from atoll.rpc.pull_stream import GrpcPullStream
from atoll.wire.v1 import data_pb2, data_pb2_grpc


class GrpcTransport:
    """See :class:`~atoll.ports.Transport`. A region is reached through any of its nodes: the one that answered last
    is asked first, and one that cannot be reached makes way for the next."""

    def __init__(self, topology: Topology, make_channel: ChannelFactory = real_channel) -> None:
        self._nodes = {name: deque(region.nodes) for name, region in topology.regions.items()}
        self._channels = Channels(make_channel)

    async def pull(self, region: RegionName, hello: Hello) -> GrpcPullStream:
        failure = Unavailable(f"region {region} has no nodes")
        for node in self._candidates(region):
            try:
                return await GrpcPullStream.open(self._channels.to(node.grpc), _name(region, node), hello)
            except Unavailable as error:
                failure = error
                self._put_last(region, node)
        raise failure

    async def execute(self, region: RegionName, request: Request, deadline_seconds: float) -> Reply:
        message = encode_request(request)
        writes = any(isinstance(operation, Mutate) for operation in request.operations)
        failure = Unavailable(f"region {region} has no nodes")
        for node in self._candidates(region):
            try:
                return await self._execute(region, node, message, deadline_seconds, writes)
            except Unavailable as error:
                failure = error
                self._put_last(region, node)
        raise failure

    async def close(self) -> None:
        await self._channels.close()

    async def _execute(
        self, region: RegionName, node: Node, message: data_pb2.ExecuteRequest, deadline_seconds: float, writes: bool
    ) -> Reply:
        """The node keeps the deadline and answers in time; the grace is for the answer's way back."""
        stub: data_pb2_grpc.DataAsyncStub = data_pb2_grpc.DataStub(self._channels.to(node.grpc))
        try:
            reply = await stub.Execute(message, timeout=deadline_seconds + REPLY_GRACE_SECONDS)
        except aio.AioRpcError as error:
            raise from_rpc_error(error, _name(region, node), writes=writes) from error
        return decode_reply(reply)

    def _candidates(self, region: RegionName) -> list[Node]:
        return list(self._nodes.get(region, ()))

    def _put_last(self, region: RegionName, node: Node) -> None:
        nodes = self._nodes[region]
        if nodes[0] is node:
            nodes.rotate(-1)


def _name(region: RegionName, node: Node) -> str:
    return f"node {node.name} of {region} at {node.grpc}"
