"""The server's side of one simulated call: the context that servicers see, and the task that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Never

import grpc
import structlog
from grpc import aio

from atoll.simulation.network.frames import Metadata, Open, Status
from atoll.simulation.network.streams import Stream, StreamBroken, TooLarge, check_size

if TYPE_CHECKING:
    from atoll.simulation.network.connection import End

_log = structlog.get_logger(__name__)


class ServedCall(aio.ServicerContext[Any, Any]):
    """One call in progress. It is over when its trailers were sent or the client has left."""

    def __init__(self, end: End, opened: Open, handler: Any) -> None:
        self._loop = end.network.loop
        self._host = end.host
        self._handler = handler
        self._opened = opened
        self._code = grpc.StatusCode.OK
        self._details = ""
        self._trailers: Metadata = ()
        self._callbacks: list[Callable[[Any], None]] = []
        self._aborted: aio.AbortError | None = None
        self._left = False
        """Whether the client has gone, or the server ends without waiting."""
        self._sent = False
        timeout = opened.timeout_seconds
        self._deadline = None if timeout is None else self._loop.now() + timeout
        self.stream = Stream(end, opened.stream, opened.method)
        self.task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -- for the server -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the servicer in a task of its host."""
        self.task = self._loop.spawn(self._host, self._run(), self._opened.method)
        self.task.add_done_callback(self._ran)
        if self._deadline is not None:
            self._timer = self._loop.call_on(self._host, self._deadline - self._loop.now(), self.leave)

    def leave(self) -> None:
        """The client has gone, or nobody waits any longer: the servicer is cancelled. It may see the end of the
        requests first, as with grpc.aio."""
        if self._left or self._sent:
            return
        self._left = True
        self.stream.close()
        assert self.task is not None
        pause = 0.0 if self.stream.end.network.rng.random() < 0.5 else 0.0005
        if pause:
            self._loop.call_on(self._host, pause, self.task.cancel)
        else:
            self.task.cancel()

    async def _run(self) -> None:
        try:
            status, response = await self._served()
        except aio.AbortError:
            return
        except asyncio.CancelledError:
            raise
        except StreamBroken:
            return
        except TooLarge as error:
            status, response = Status(grpc.StatusCode.RESOURCE_EXHAUSTED, f"SERVER: {error}"), None
        except Exception as error:
            _log.exception("a servicer failed in a way that nobody foresaw", method=self._opened.method)
            code = grpc.StatusCode.UNKNOWN if self._code is grpc.StatusCode.OK else self._code
            status, response = Status(code, f"Unexpected {type(error)}: {error}", self._trailers), None
        self._end_with(status, response)

    async def _served(self) -> tuple[Status, bytes | None]:
        """Run the servicer; returns what is left to say."""
        request = (
            self._first_request() if self._opened.request is not None else _Requests(self.stream, self._deserialized)
        )
        result = (self._handler.unary_unary or self._handler.unary_stream or self._handler.stream_stream)(
            request, self
        )
        response = None
        if hasattr(result, "__aiter__"):
            await self._pass_on(result)
        else:
            response = await result
        status = Status(self._code, self._details, self._trailers)
        if not self._handler.unary_unary or self._code is not grpc.StatusCode.OK:
            return status, None
        return status, self._serialized(response)

    async def _pass_on(self, responses: AsyncGenerator[Any, None]) -> None:
        async for response in responses:
            try:
                await self.write(response)
            except (StreamBroken, TooLarge, asyncio.CancelledError):
                await responses.aclose()
                raise

    def _first_request(self) -> Any:
        assert self._opened.request is not None
        return self._deserialized(self._opened.request)

    def _deserialized(self, payload: bytes) -> Any:
        deserialize = self._handler.request_deserializer
        return payload if deserialize is None else deserialize(payload)

    def _serialized(self, response: Any) -> bytes:
        serialize = self._handler.response_serializer
        raw: bytes = response if serialize is None else serialize(response)
        check_size(raw)
        return raw

    def _end_with(self, status: Status, response: bytes | None) -> None:
        if not self._left and not self._sent:
            self._sent = True
            self._code, self._details = status.code, status.details
            self.stream.end_with(status, response)
            self.stream.close()

    def _ran(self, _: object) -> None:
        self.stream.end.streams.pop(self._opened.stream, None)
        if self._timer is not None:
            self._timer.cancel()
        for callback in self._callbacks:
            callback(self)

    # -- for the servicer -----------------------------------------------------------------------------------------

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> Never:
        assert self._aborted is None, "a call is aborted once"
        assert code is not grpc.StatusCode.OK, "an abort is no success"
        self._end_with(Status(code, details, tuple(trailing_metadata) or self._trailers), None)
        self._aborted = aio.AbortError("Locally aborted.")
        raise self._aborted

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    async def read(self) -> Any:
        payload = await self.stream.receive()
        return aio.EOF if payload is None else self._deserialized(payload)

    async def write(self, message: Any) -> None:
        await self.stream.send(self._serialized(message))

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Nobody here looks at it."""

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailers = tuple(trailing_metadata)

    def invocation_metadata(self) -> aio.Metadata:
        return aio.Metadata(*self._opened.metadata)

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def set_compression(self, compression: grpc.Compression) -> None:
        """Nothing is compressed."""

    def disable_next_message_compression(self) -> None:
        """Nothing is compressed."""

    def peer(self) -> str:
        return f"ipv4:{self.stream.end.peer_host.name}"

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def time_remaining(self) -> Any:
        return None if self._deadline is None else max(0.0, self._deadline - self._loop.now())

    def trailing_metadata(self) -> aio.Metadata:
        return aio.Metadata(*self._trailers)

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def cancelled(self) -> bool:
        return self._left

    def done(self) -> bool:
        return self._left or self._sent


class _Requests:
    """A servicer's iterator of requests: like grpc.aio's it is no generator, so nobody need close it."""

    def __init__(self, stream: Stream, deserialize: Callable[[bytes], Any]) -> None:
        self._stream = stream
        self._deserialize = deserialize

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:
        payload = await self._stream.receive()
        if payload is None:
            raise StopAsyncIteration
        return self._deserialize(payload)
