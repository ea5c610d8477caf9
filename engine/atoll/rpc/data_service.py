"""The Data service: requests of applications and of other regions."""

# ruff: noqa: N802, ARG002 (the names and arguments are those of the generated base class)

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from atoll.errors import AtollError
from atoll.limits import REQUESTS_PER_STREAM_MAX
from atoll.node.channel import Channel, Closed
from atoll.node.waiting import cancel_and_wait, first_to_end
from atoll.requests import Reply, Request
from atoll.rpc.codec.data import decode_request, encode_refusal, encode_reply
from atoll.wire.v1 import data_pb2, data_pb2_grpc

_log = structlog.get_logger(__name__)

Execute = Callable[[Request], Awaitable[Reply]]
"""What answers requests (:meth:`atoll.node.engine.Engine.execute`)."""


class DataService(data_pb2_grpc.DataServicer):
    """Decodes, asks the engine, encodes. A request that is refused as a whole is answered like any other."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """End every session as soon as what it has begun is answered; what was not begun stays unanswered."""
        self._draining.set()

    async def Execute(self, request: data_pb2.ExecuteRequest, context: Any) -> data_pb2.ExecuteReply:
        """One batch, one answer."""
        return await self._answer(request)

    async def Session(self, request_iterator: Any, context: Any) -> AsyncIterator[data_pb2.ExecuteReply]:
        """Batches in flight on one stream; replies come as they are ready. At most ``REQUESTS_PER_STREAM_MAX``
        requests are in progress, the rest waits in the transport. When the client leaves, what was begun goes on."""
        replies: Channel[data_pb2.ExecuteReply | None] = Channel(REQUESTS_PER_STREAM_MAX)
        reader = asyncio.create_task(self._read(request_iterator, replies))
        try:
            while (reply := await replies.get()) is not None:
                yield reply
        except Closed:
            pass
        finally:
            replies.close()
            await cancel_and_wait(reader)

    async def _read(
        self, requests: AsyncIterator[data_pb2.ExecuteRequest], replies: Channel[data_pb2.ExecuteReply | None]
    ) -> None:
        """Start every request; after the last reply put ``None``. Closes the channel if the stream breaks."""
        room = asyncio.Semaphore(REQUESTS_PER_STREAM_MAX)
        running: set[asyncio.Task[None]] = set()

        async def answer(request: data_pb2.ExecuteRequest) -> None:
            try:
                await replies.put(await self._answer(request))
            except Closed:
                pass
            finally:
                room.release()

        async def start() -> None:
            async for request in requests:
                await room.acquire()
                task = asyncio.create_task(answer(request))
                running.add(task)
                task.add_done_callback(running.discard)

        async def drained() -> None:
            await self._draining.wait()

        try:
            await first_to_end(start, drained)
            await asyncio.gather(*running)
            await replies.put(None)
        except Closed:
            pass
        except BaseException:
            replies.close()
            raise
        finally:
            await cancel_and_wait(*running)

    async def _answer(self, request: data_pb2.ExecuteRequest) -> data_pb2.ExecuteReply:
        try:
            return encode_reply(await self._execute(decode_request(request)), request.id)
        except AtollError as error:
            return encode_refusal(error, request.id)
        except Exception:
            _log.exception("a request failed in a way that nobody foresaw")
            return encode_refusal(AtollError("the node failed; its log says how"), request.id)
