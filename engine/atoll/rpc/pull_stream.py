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

    @classmethod
    async def open(cls, channel: aio.Channel, target: str, hello: Hello) -> GrpcPullStream:
        """Dial and say hello. Raises :class:`Unavailable` if nobody answers within ``DIAL_SECONDS_MAX``, the peer's
        typed error if it refuses."""
        stub: Any = replication_pb2_grpc.ReplicationStub(channel)
        call = stub.Pull(wait_for_ready=False)
        try:
            async with asyncio.timeout(DIAL_SECONDS_MAX):
                await call.write(encode_hello(hello))
                await call.wait_for_connection()
        except aio.AioRpcError as error:
            raise from_rpc_error(error, target) from error
        except asyncio.InvalidStateError as error:
            raise from_rpc_error(await ended(call), target) from error
        except TimeoutError as error:
            call.cancel()
            raise Unavailable(f"{target}: no answer within {DIAL_SECONDS_MAX:g} s") from error
        except asyncio.CancelledError:
            call.cancel()
            raise
        return cls(call, target)

    async def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        try:
            await self._call.write(encode_acknowledgement(acknowledgement))
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error
        except asyncio.InvalidStateError as error:
            raise from_rpc_error(await ended(self._call), self._target) from error

    async def receive(self) -> StreamMessage | None:
        try:
            response: replication_pb2.PullResponse | Any = await self._call.read()
        except aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error
        except DecodeError as error:
            raise CorruptFrame(f"{self._target} sent a message that does not decode") from error
        return None if response is aio.EOF else decode_stream_message(response)

    async def close(self) -> None:
        self._call.cancel()
