"""A ``grpc.aio.Server`` of the simulated network: it runs the production servicers as grpc.aio would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc
from grpc import aio

from atoll.simulation.network.context import ServedCall
from atoll.simulation.network.frames import (
    Cancel,
    Credit,
    Frame,
    GoAway,
    HalfClose,
    Message,
    Metadata,
    Open,
    Settings,
    Status,
    Trailers,
)

if TYPE_CHECKING:
    from atoll.simulation.loop.hosts import Host
    from atoll.simulation.network.connection import End
    from atoll.simulation.network.network import Network

_STOPPED: Final = "Cancelling all calls"
_UNKNOWN_METHOD: Final = Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


class _Details(NamedTuple):
    """What a generic handler is asked with."""

    method: str
    invocation_metadata: Metadata


class SimulatedServer(aio.Server):
    """A server in one process (one life of ``host``). Dead when the process is."""

    def __init__(self, network: Network, host: Host) -> None:
        self._network = network
        self._host = host
        self._generic: list[grpc.GenericRpcHandler] = []
        self._methods: dict[str, Any] = {}
        self._addresses: list[str] = []
        self._ends: dict[int, End] = {}
        self._draining = False
        self._idle: list[asyncio.Future[None]] = []

    # -- grpc.aio's -----------------------------------------------------------------------------------------------

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._generic += generic_rpc_handlers

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        self._methods.update({f"/{service_name}/{name}": handler for name, handler in method_handlers.items()})

    def add_insecure_port(self, address: str) -> int:
        """Take ``host:port`` once :meth:`start` is called. Raises :class:`RuntimeError` if another server has it."""
        if address not in self._addresses:
            self._network.reserve(address, self, self._host)
            self._addresses.append(address)
        return int(address.rpartition(":")[2])

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        raise NotImplementedError("simulated connections need no secrets")

    async def start(self) -> None:
        for address in self._addresses:
            self._network.listen_at(address, self)

    async def stop(self, grace: float | None) -> None:
        """Take no new connections and calls; wait so long for those in progress, then end them. Idempotent."""
        self._network.close_listeners(self)
        self._draining = True
        for end in list(self._ends.values()):
            end.send(GoAway())
        if grace and self._calls():
            idle = self._network.loop.create_future()
            self._idle.append(idle)
            timer = self._network.loop.call_on(self._host, grace, _wake, idle)
            await idle
            timer.cancel()
        for call in self._calls():
            call.leave()
        for end in list(self._ends.values()):
            end.close(_STOPPED)
        self._ends.clear()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        raise NotImplementedError("a simulated process ends by itself")

    # -- connections ----------------------------------------------------------------------------------------------

    @property
    def host(self) -> Host:
        return self._host

    def accept(self, end: End) -> None:
        """A client's preface has arrived."""
        if self._draining:
            end.close(_STOPPED)
            return
        end.owner = self
        self._ends[end.number] = end
        end.send(Settings())
        end.become_ready()

    def on_ready(self, end: End) -> None:
        """The client may call from now on."""

    def on_frame(self, end: End, frame: Frame) -> None:
        if isinstance(frame, Open):
            self._open(end, frame)
            return
        assert isinstance(frame, Message | Credit | HalfClose | Cancel), f"a client sent {frame}"
        call: ServedCall | None = end.streams.get(frame.stream)
        if call is None:
            return
        match frame:
            case Message():
                call.stream.feed(frame)
            case Credit():
                call.stream.credit(frame.size_bytes)
            case HalfClose():
                call.stream.complete()
            case Cancel():
                call.leave()

    def on_broken(self, end: End, details: str) -> None:  # noqa: ARG002 (the servicers never hear why)
        self._ends.pop(end.number, None)
        for call in list(end.streams.values()):
            call.leave()

    # -- calls ----------------------------------------------------------------------------------------------------

    def _open(self, end: End, opened: Open) -> None:
        handler = self._handler(opened)
        if handler is None:
            end.send(Trailers(opened.stream, _UNKNOWN_METHOD, None))
        elif self._draining:
            end.send(Trailers(opened.stream, Status(grpc.StatusCode.UNAVAILABLE, _STOPPED), None))
        else:
            call = end.streams[opened.stream] = ServedCall(end, opened, handler)
            call.start()
            assert call.task is not None
            call.task.add_done_callback(self._one_less)

    def _handler(self, opened: Open) -> Any:
        known = self._methods.get(opened.method)
        details: Any = _Details(opened.method, opened.metadata)
        found = (handler.service(details) for handler in self._generic)
        return known or next((handler for handler in found if handler is not None), None)

    def _calls(self) -> list[ServedCall]:
        return [call for end in self._ends.values() for call in end.streams.values()]

    def _one_less(self, _: object) -> None:
        if self._idle and not self._calls():
            for idle in self._idle:
                _wake(idle)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
