"""The client's side of simulated connections: a ``grpc.aio.Channel`` that connects, breaks and connects again.

Its states and its patience are gRPC's, read from the same options that the real channels get: an attempt may take as
long as the least backoff, failures are followed by a growing one, and calls that do not wait for readiness fail while
the last attempt has failed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from grpc import ChannelConnectivity, StatusCode, aio

from atoll.rpc.options import channel_options
from atoll.simulation.network.calls import (
    Deserializer,
    Serializer,
    SimulatedCall,
    StreamStream,
    UnaryStream,
    UnaryUnary,
    transformed,
)
from atoll.simulation.network.frames import Credit, Frame, GoAway, Message, Status, Trailers

if TYPE_CHECKING:
    from atoll.simulation.loop.hosts import Host
    from atoll.simulation.network.connection import End
    from atoll.simulation.network.network import Network

_BACKOFF_FACTOR: Final = 1.6
_BACKOFF_SPREAD: Final = 0.2
_TIMED_OUT: Final = "connection attempt timed out before receiving SETTINGS frame"


class SimulatedChannel(aio.Channel):
    """A channel of one process (one life of ``host``) to ``address``."""

    def __init__(self, network: Network, host: Host, address: str) -> None:
        self.network = network
        self.host = host
        self._address = address
        self._state = ChannelConnectivity.IDLE
        self._watchers: list[asyncio.Future[None]] = []
        self._waiting: deque[SimulatedCall] = deque()
        self._end: End | None = None
        self._numbers = count(1)
        self._problem = ""
        options = dict(channel_options())
        self._backoff_first, self._patience, self._backoff_last = (
            int(options[f"grpc.{name}_reconnect_backoff_ms"]) / 1_000 for name in ("initial", "min", "max")
        )
        self._backoff = self._backoff_first
        self._next_attempt_at = 0.0

    # -- grpc.aio's -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> SimulatedChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:  # noqa: ARG002 (the name is grpc.aio's)
        """End all calls and the connection. Idempotent. There is no grace."""
        if self._state is ChannelConnectivity.SHUTDOWN:
            return
        self._become(ChannelConnectivity.SHUTDOWN)
        streams = [] if self._end is None else list(self._end.streams.values())
        waiting, self._waiting = self._waiting, deque()
        for call in [*streams, *waiting]:
            call.cancel()
        if self._end is not None:
            self._end.close("Stream removed (Socket closed)")

    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        if try_to_connect and self._state is ChannelConnectivity.IDLE:
            self._connect()
        return self._state

    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        while self._state is last_observed_state:
            watcher = self.network.loop.create_future()
            self._watchers.append(watcher)
            await watcher

    async def channel_ready(self) -> None:
        while (state := self.get_state(try_to_connect=True)) is not ChannelConnectivity.READY:
            await self.wait_for_state_change(state)

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> Any:
        def call(request: Any, **options: Any) -> Any:
            return self._begin(UnaryUnary, method, response_deserializer, options, (request, request_serializer))

        return call

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> Any:
        def call(request: Any, **options: Any) -> Any:
            return self._begin(UnaryStream, method, response_deserializer, options, (request, request_serializer))

        return call

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> Any:
        def call(request_iterator: None = None, **options: Any) -> Any:
            assert request_iterator is None, "simulated streams are written to"
            return self._begin(StreamStream, method, response_deserializer, options).serializing(request_serializer)

        return call

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{method}: no service of Atoll's takes a stream and answers once")

    # -- calls ----------------------------------------------------------------------------------------------------

    def _begin(
        self,
        kind: Callable[..., Any],
        method: str,
        deserialize: Deserializer | None,
        options: dict[str, Any],
        request: tuple[Any, Serializer | None] | None = None,
    ) -> Any:
        if self._state is ChannelConnectivity.SHUTDOWN:
            raise aio.UsageError("Channel is closed.")
        call: SimulatedCall = kind(
            self,
            method,
            deserialize,
            timeout=options.get("timeout"),
            metadata=tuple(options.get("metadata") or ()),
            wait_for_ready=bool(options.get("wait_for_ready")),
            request=None if request is None else transformed(*request),
        )
        match self.get_state(try_to_connect=True):
            case ChannelConnectivity.READY:
                self._start(call)
            case ChannelConnectivity.TRANSIENT_FAILURE if not call.wait_for_ready:
                self.network.loop.call_on(self.host, 0.0, call.finish, self._unconnected())
            case _:
                self._waiting.append(call)
        return call

    def _start(self, call: SimulatedCall) -> None:
        assert self._end is not None
        number = next(self._numbers)
        self._end.streams[number] = call
        if not call.start(self._end, number):
            del self._end.streams[number]

    def _unconnected(self) -> Status:
        return Status(
            StatusCode.UNAVAILABLE,
            f"failed to connect to all addresses; last error: UNKNOWN: ipv4:{self._address}: {self._problem}",
        )

    # -- the connection -------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if self._state is not ChannelConnectivity.TRANSIENT_FAILURE:
            self._become(ChannelConnectivity.CONNECTING)
        rng, loop = self.network.rng, self.network.loop
        pause = self._backoff * rng.uniform(1 - _BACKOFF_SPREAD, 1 + _BACKOFF_SPREAD)
        self._backoff = min(self._backoff * _BACKOFF_FACTOR, self._backoff_last)
        self._next_attempt_at = loop.now() + pause
        self._end = end = self.network.connect(self.host, self._address, self)
        loop.call_on(self.host, max(pause, self._patience), self._attempt_timed_out, end)

    def _attempt_timed_out(self, end: End) -> None:
        if self._end is end and not end.is_ready and not end.is_over:
            end.close(_TIMED_OUT)
            self._failed(_TIMED_OUT)

    def _failed(self, details: str) -> None:
        """An attempt failed: the next one begins when its time has come."""
        self._end = None
        self._problem = details
        if self._state is ChannelConnectivity.SHUTDOWN:
            return
        self._become(ChannelConnectivity.TRANSIENT_FAILURE)
        loop = self.network.loop
        loop.call_on(self.host, max(0.0, self._next_attempt_at - loop.now()), self._try_again)
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            if call.wait_for_ready:
                self._waiting.append(call)
            else:
                call.finish(self._unconnected())

    def _try_again(self) -> None:
        if self._state is ChannelConnectivity.TRANSIENT_FAILURE and self._end is None:
            self._connect()

    def on_ready(self, end: End) -> None:
        if end is not self._end:
            return
        self._backoff = self._backoff_first
        self._become(ChannelConnectivity.READY)
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            self._start(call)

    def on_frame(self, end: End, frame: Frame) -> None:
        if isinstance(frame, GoAway):
            self._leave(end)
            return
        assert isinstance(frame, Message | Credit | Trailers), f"a server sent {frame}"
        call: SimulatedCall | None = end.streams.get(frame.stream)
        if call is None or call.stream is None:
            return
        match frame:
            case Message():
                call.stream.feed(frame)
            case Credit():
                call.stream.credit(frame.size_bytes)
            case Trailers():
                end.streams.pop(frame.stream, None)
                call.finish(frame.status, frame.response)

    def on_broken(self, end: End, details: str) -> None:
        calls: Sequence[SimulatedCall] = list(end.streams.values())
        end.streams.clear()
        for call in calls:
            call.finish(Status(StatusCode.UNAVAILABLE, details))
        if end is self._end and not end.is_ready:
            self._failed(details)
        else:
            self._leave(end)

    def _leave(self, end: End) -> None:
        """New calls need a new connection."""
        if end is self._end:
            self._end = None
            if self._state is not ChannelConnectivity.SHUTDOWN:
                self._become(ChannelConnectivity.IDLE)

    def _become(self, state: ChannelConnectivity) -> None:
        self._state = state
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.done():
                watcher.set_result(None)
