"""A node's control surface, asked from afar: what the command line and other tools hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from grpc import aio

from atoll.control import Location, NodeStatus, RowDigest
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.rpc.channels import ChannelFactory, Channels, real_channel
from atoll.rpc.codec.control import decode_digests, decode_location, decode_status
from atoll.rpc.failures import from_rpc_error
from atoll.wire.v1 import control_pb2, control_pb2_grpc


class RemoteControl:
    """The :class:`~atoll.ports.ControlSurface` of the node at ``address`` (``host:port``). Raises its typed errors,
    and :class:`~atoll.errors.Unavailable` when it does not answer. Close it after use."""

    def __init__(self, address: str, timeout_seconds: float, make_channel: ChannelFactory = real_channel) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._channels = Channels(make_channel)
        self._stub: control_pb2_grpc.ControlAsyncStub = control_pb2_grpc.ControlStub(self._channels.to(address))

    async def status(self) -> NodeStatus:
        try:
            return decode_status(await self._stub.Status(control_pb2.StatusRequest(), timeout=self._timeout_seconds))
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._address) from error

    async def digest(self, zone: ZoneName) -> AsyncIterator[Sequence[RowDigest]]:
        """In chunks as the node sends them; no deadline, since a zone may be large."""
        try:
            async for chunk in self._stub.Digest(control_pb2.DigestRequest(zone=zone)):
                yield decode_digests(chunk)
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._address) from error

    async def locate(self, collection: CollectionName, zone: ZoneName | None, key: str) -> Location:
        request = control_pb2.LocateRequest(collection=collection, zone=zone or "", key=key)
        try:
            return decode_location(await self._stub.Locate(request, timeout=self._timeout_seconds))
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._address) from error

    async def drill(self, cut_off_from: Collection[RegionName]) -> None:
        request = control_pb2.DrillRequest(cut_off_from=sorted(cut_off_from))
        try:
            await self._stub.Drill(request, timeout=self._timeout_seconds)
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._address) from error

    async def close(self) -> None:
        """Close the channel. Idempotent."""
        await self._channels.close()
