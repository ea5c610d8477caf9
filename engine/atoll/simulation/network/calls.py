"""The client's side of simulated calls, with the behaviour of grpc.aio's: codes, cancellation, end of stream.

A call that is not connected waits for its channel. The server's status shows once all messages before it were read; a
write between its arrival and that moment fails with ``INTERNAL``, as grpc.aio's does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from grpc import aio

from atoll.simulation.network.frames import Metadata, Status
from atoll.simulation.network.streams import Stream, StreamBroken, TooLarge, check_size

if TYPE_CHECKING:
    from atoll.simulation.network.channel import SimulatedChannel
    from atoll.simulation.network.connection import End

_log = structlog.get_logger(__name__)

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]

FINISHED: Final = "RPC already finished."
HALF_CLOSED: Final = 'RPC is half closed after calling "done_writing".'
CANCELLED: Final = Status(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
LATE: Final = "Deadline Exceeded"
INTERNAL: Final = Status(grpc.StatusCode.INTERNAL, "Internal error from Core")


class SimulatedCall:
    """What all kinds of calls have in common."""

    def __init__(
        self,
        channel: SimulatedChannel,
        method: str,
        deserialize: Deserializer | None,
        *,
        timeout: float | None,
        metadata: Metadata,
        wait_for_ready: bool,
        request: bytes | None,
    ) -> None:
        self.wait_for_ready = wait_for_ready
        self._loop = channel.network.loop
        self._host = channel.host
        self._method = method
        self._deserialize = deserialize
        self._metadata = metadata
        self._request = request
        self.stream: Stream | None = None
        self._started = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._status: Status | None = None
        self._coming: Status | None = None
        """The server's status while messages before it are unread."""
        self._locally_cancelled = False
        self._done_callbacks: list[Callable[[Any], None]] = []
        self._deadline = None if timeout is None else self._loop.now() + timeout
        self._timer = None if timeout is None else self._loop.call_on(self._host, timeout, self._expire)

    # -- for the channel ------------------------------------------------------------------------------------------

    def start(self, end: End, number: int) -> Stream | None:
        """The channel is connected: go. ``None`` if the call has ended meanwhile."""
        if self._status is not None:
            return None
        try:
            check_size(self._request or b"")
        except TooLarge as error:
            self._give_up(Status(grpc.StatusCode.RESOURCE_EXHAUSTED, f"CLIENT: {error}"))
            return None
        self.stream = Stream(end, number, self._method)
        self.stream.open(self.time_remaining(), self._metadata, self._request)
        self._started.set_result(None)
        return self.stream

    def finish(self, status: Status, response: bytes | None = None) -> None:  # noqa: ARG002 (see UnaryUnary)
        """The call ends, as the server or the transport says."""
        if self._status is not None and self._status is not INTERNAL:
            return
        self._coming = status
        if self.stream is not None:
            self.stream.close()
        if self.stream is None or not self.stream.unread:
            self._settle(status)

    # -- grpc.aio's -----------------------------------------------------------------------------------------------

    def cancelled(self) -> bool:
        return self._status is not None and self._status.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._status is not None

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - self._loop.now())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._status is None:
            self._done_callbacks.append(callback)
        else:
            callback(self)

    def cancel(self) -> bool:
        return self._give_up(CANCELLED)

    async def initial_metadata(self) -> aio.Metadata:
        return aio.Metadata()

    async def trailing_metadata(self) -> aio.Metadata:
        return aio.Metadata(*(await self._final()).trailers)

    async def code(self) -> grpc.StatusCode:
        return (await self._final()).code

    async def details(self) -> str:
        return (await self._final()).details

    async def debug_error_string(self) -> str:
        return (await self._final()).details

    async def wait_for_connection(self) -> None:
        await self._connected()
        if self._status is not None:
            await self._raise_for_status()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _give_up(self, status: Status) -> bool:
        if self._status is not None:
            return False
        self._locally_cancelled = status is CANCELLED
        if self.stream is not None:
            self.stream.cancel()
        self._settle(status)
        return True

    def _expire(self) -> None:
        connected = self.stream is not None
        self._give_up(Status(grpc.StatusCode.DEADLINE_EXCEEDED, f"Stream removed ({LATE})" if connected else LATE))

    def _settle(self, status: Status) -> None:
        if self._locally_cancelled and status is not CANCELLED:
            return
        self._status = status
        if self._timer is not None:
            self._timer.cancel()
        if self.stream is not None:
            self.stream.close()
            if status is not INTERNAL:
                self.stream.end.streams.pop(self.stream.number, None)
        for future in (self._started, self._ended):
            if not future.done():
                future.set_result(None)
        callbacks, self._done_callbacks = self._done_callbacks, []
        for callback in callbacks:
            self._loop.call_on(self._host, 0.0, callback, self)

    async def _connected(self) -> None:
        if not self._started.done():
            await asyncio.shield(self._started)

    async def _final(self) -> Status:
        if self._status is None:
            await asyncio.shield(self._ended)
        assert self._status is not None
        return self._status

    async def _raise_for_status(self) -> None:
        if self._locally_cancelled:
            raise asyncio.CancelledError
        status = await self._final()
        if status.code is not grpc.StatusCode.OK:
            raise error_of(status)

    async def _next(self) -> Any:
        """The next message, or ``EOF`` once the status is known."""
        try:
            await self._connected()
            raw = None if self.stream is None else await self.stream.receive()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self.stream is not None and self._coming is not None and not self.stream.unread:
            self._settle(self._coming)  # also over the word of a write that had failed before
        return aio.EOF if raw is None else transformed(raw, self._deserialize)


class UnaryUnary(SimulatedCall, aio.UnaryUnaryCall[Any, Any]):
    """One request, one response."""

    _response: bytes | None = None

    def finish(self, status: Status, response: bytes | None = None) -> None:
        if self._status is None:
            self._response = response
            self._settle(status)

    def __await__(self) -> Generator[None, None, Any]:
        return self._respond().__await__()

    async def _respond(self) -> Any:
        try:
            await self._final()
        except asyncio.CancelledError:
            self.cancel()
            raise
        await self._raise_for_status()
        assert self._response is not None, f"{self._method} ended well without a response"
        return transformed(self._response, self._deserialize)


class _Reading(SimulatedCall):
    async def read(self) -> Any:
        if self._status is not None:
            await self._raise_for_status()
            return aio.EOF
        message = await self._next()
        if message is aio.EOF:
            await self._raise_for_status()
        return message

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Any]:
        while (message := await self._next()) is not aio.EOF:
            yield message
        await self._raise_for_status()


class UnaryStream(_Reading, aio.UnaryStreamCall[Any, Any]):
    """One request, a stream of responses."""


class StreamStream(_Reading, aio.StreamStreamCall[Any, Any]):
    """Both ways at once; the client writes with :meth:`write`."""

    _serialize: Serializer | None = None
    _half_closed = False

    def serializing(self, serialize: Serializer | None) -> StreamStream:
        """The same call, which writes with ``serialize``."""
        self._serialize = serialize
        return self

    async def write(self, request: Any) -> None:
        if self._status is not None:
            raise asyncio.InvalidStateError(FINISHED)
        if self._half_closed:
            raise asyncio.InvalidStateError(HALF_CLOSED)
        try:
            await self._connected()
            if self._status is not None:
                await self._raise_for_status()
            assert self.stream is not None
            await self.stream.send(transformed(request, self._serialize))
        except TooLarge as error:
            self._give_up(Status(grpc.StatusCode.RESOURCE_EXHAUSTED, f"CLIENT: {error}"))
            raise error_of(INTERNAL) from None
        except StreamBroken:
            if self._locally_cancelled:
                raise asyncio.CancelledError from None
            self._settle(INTERNAL)
            raise error_of(INTERNAL) from None
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def done_writing(self) -> None:
        if self._status is None and not self._half_closed:
            self._half_closed = True
            try:
                await self._connected()
            except asyncio.CancelledError:
                self.cancel()
                raise
            if self.stream is not None:
                self.stream.finish()


def error_of(status: Status) -> aio.AioRpcError:
    """What grpc.aio raises for a status that is not OK."""
    return aio.AioRpcError(
        status.code, aio.Metadata(), aio.Metadata(*status.trailers), status.details, status.details
    )


def transformed(value: Any, transform: Callable[[Any], Any] | None) -> Any:
    """As gRPC does it: what does not (de)serialize is logged and becomes ``None``."""
    if transform is None:
        return value
    try:
        return transform(value)
    except Exception:
        _log.exception("a message could not be (de)serialized")
        return None
