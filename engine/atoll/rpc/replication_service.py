"""The Replication service: peers pull what this region's shards captured."""

# ruff: noqa: N802 (the names and arguments are those of the generated base class)

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from atoll.errors import AtollError, CorruptFrame
from atoll.node.waiting import closing_at_once
from atoll.replication.messages import Acknowledgement, Hello, StreamMessage
from atoll.rpc.codec.replication import decode_acknowledgement, decode_hello, encode_stream_message
from atoll.rpc.failures import abort
from atoll.wire.v1 import replication_pb2, replication_pb2_grpc

ServePull = Callable[[Hello, AsyncIterator[Acknowledgement]], AsyncIterator[StreamMessage]]
"""What serves streams (:meth:`atoll.node.replication.service.Replication.serve_pull`)."""


class ReplicationService(replication_pb2_grpc.ReplicationServicer):
    """Decodes, hands over, encodes; nothing of a stream outlives it."""

    def __init__(self, serve_pull: ServePull) -> None:
        self._serve_pull = serve_pull

    async def Pull(self, request_iterator: Any, context: Any) -> AsyncIterator[replication_pb2.PullResponse]:
        """One stream to one peer; flow control of the transport and of the acknowledgements both hold."""
        requests = aiter(request_iterator)
        try:
            messages = self._serve_pull(await _hello(requests), _acknowledgements(requests))
            async with closing_at_once(messages):
                async for message in messages:
                    yield encode_stream_message(message)
        except AtollError as error:
            await abort(context, error)


async def _hello(requests: AsyncIterator[replication_pb2.PullRequest]) -> Hello:
    async for request in requests:
        return decode_hello(request)
    raise CorruptFrame("a replication stream ended before its hello")


async def _acknowledgements(requests: AsyncIterator[replication_pb2.PullRequest]) -> AsyncIterator[Acknowledgement]:
    async for request in requests:
        yield decode_acknowledgement(request)
