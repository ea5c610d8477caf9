"""The receiver's end of a replication stream over gRPC."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.message import DecodeError
from grpc import aio

from atoll.errors import CorruptFrame, Unavailable
from atoll.limits import DIAL_SECONDS_MAX
from atoll.replication.messages import Acknowledgement, Hello, StreamMessage
from atoll.rpc.codec.replication import decode_stream_message, encode_acknowledgement, encode_hello
from atoll.rpc.failures import ended, from_rpc_error
from atoll.wire.v1 import replication_pb2, replication_pb2_grpc


class GrpcPullStream:
    """See :class:`~atoll.ports.PullStream`. One task reads, one writes; a read is never cancelled to be repeated."""

    def __init__(self, call: aio.StreamStreamCall[Any, Any], target: str) -> None:
        self._call = call
        self._target = target
        self._first: StreamMessage | None = None

    @classmethod
    async def open(cls, channel: aio.Channel, target: str, hello: Hello) -> GrpcPullStream:
        """Dial, say hello and wait for the first message, which an accepting peer sends at once.

        Raises :class:`Unavailable` if nobody answers within ``DIAL_SECONDS_MAX``, the peer's typed error if it
        refuses.
        """
        stub: Any = replication_pb2_grpc.ReplicationStub(channel)
        stream = cls(stub.Pull(wait_for_ready=False), target)
        try:
            async with asyncio.timeout(DIAL_SECONDS_MAX):
                await stream._write(encode_hello(hello))
                stream._first = await stream.receive()
        except TimeoutError as error:
            await stream.close()
            raise Unavailable(f"{target}: no answer within {DIAL_SECONDS_MAX:g} s") from error
        except BaseException:
            await stream.close()
            raise
        return stream

    async def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        await self._write(encode_acknowledgement(acknowledgement))

    async def _write(self, request: replication_pb2.PullRequest) -> None:
        try:
            await self._call.write(request)
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error
        except asyncio.InvalidStateError as error:
            raise from_rpc_error(await ended(self._call), self._target) from error

    async def receive(self) -> StreamMessage | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            response: replication_pb2.PullResponse | Any = await self._call.read()
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error
        except DecodeError as error:
            raise CorruptFrame(f"{self._target} sent a message that does not decode") from error
        return None if response is aio.EOF else decode_stream_message(response)

    async def close(self) -> None:
        self._call.cancel()
