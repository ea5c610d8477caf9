"""A client's stream of requests to one node."""

from __future__ import annotations

import asyncio
from typing import Any

from grpc import aio

from atoll.errors import AtollError, Unavailable, ValueTooLarge
from atoll.limits import MESSAGE_BYTES_MAX
from atoll.requests import Reply, Request
from atoll.rpc.channels import ChannelFactory, real_channel
from atoll.rpc.codec.data import decode_reply, encode_request
from atoll.rpc.dialing import dial
from atoll.rpc.failures import ended, from_rpc_error
from atoll.wire.v1 import data_pb2, data_pb2_grpc


class NotSent(Unavailable):
    """The stream had ended before: the node does not have the request."""


class SessionStream:
    """Requests go out with an id, replies come back with it, in any order. One task sends, one receives. After any
    error the stream is over: what was sent and not answered has an unknown outcome."""

    def __init__(self, channel: aio.Channel, target: str) -> None:
        """Take ownership of ``channel``."""
        stub: Any = data_pb2_grpc.DataStub(channel)
        self._channel = channel
        self._call: aio.StreamStreamCall[Any, Any] = stub.Session()
        self._target = target

    @classmethod
    async def open(cls, address: str, make_channel: ChannelFactory = real_channel) -> SessionStream:
        """Connect to ``host:port``; raises :class:`~atoll.errors.Unavailable`."""
        return cls(await dial(address, make_channel=make_channel), address)

    @staticmethod
    def encode(request_id: int, request: Request) -> data_pb2.ExecuteRequest:
        """The message to :meth:`send`. Raises :class:`~atoll.errors.InvalidValue` for what has no canonical form and
        :class:`ValueTooLarge` for more than one message holds."""
        message = encode_request(request, request_id)
        if (size_bytes := message.ByteSize()) > MESSAGE_BYTES_MAX:
            raise ValueTooLarge(
                f"a request of {size_bytes:,} bytes, more than the {MESSAGE_BYTES_MAX:,} of a message"
            )
        return message

    async def send(self, message: data_pb2.ExecuteRequest) -> None:
        """Send one request; waits while the node takes no more.

        Raises :class:`NotSent` when the stream had ended before, and :class:`~atoll.errors.Unavailable` or another
        typed error when it broke: then the node may have the request.
        """
        try:
            await self._call.write(message)
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error
        except asyncio.InvalidStateError as error:
            raise NotSent(str(from_rpc_error(await ended(self._call), self._target))) from error

    async def receive(self) -> tuple[int, Reply | AtollError] | None:
        """The next reply, or the error that refused its request whole; ``None`` when the node closed the stream.
        Raises :class:`~atoll.errors.Unavailable` or another typed error when the stream broke."""
        try:
            message: data_pb2.ExecuteReply | Any = await self._call.read()
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error
        if message is aio.EOF:
            return None
        try:
            return message.id, decode_reply(message)
        except AtollError as error:
            return message.id, error

    async def finish(self) -> None:
        """No more requests will come; replies still do."""
        await self._call.done_writing()

    async def close(self) -> None:
        """Give the stream and its channel up. Idempotent."""
        self._call.cancel()
        await self._channel.close()
