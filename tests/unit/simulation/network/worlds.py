"""A simulated network to test with, and a service that speaks bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import grpc
from grpc import aio

from atoll.ids import RegionName
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.leaks import guarded
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.network.network import Network
from atoll.simulation.observations import Observer
from atoll.simulation.scenario.scenario import NetworkSettings

T = TypeVar("T")

FRANKFURT, LONDON, SYDNEY = RegionName("frankfurt"), RegionName("london"), RegionName("sydney")
TABLE = LatencyTable.parse(
    "from,frankfurt,london,sydney\nfrankfurt,0,20,250\nlondon,10,0,260\nsydney,250,260,0", "test"
)
ADDRESS = "london.test:7001"


class World:
    """A loop, a network of three regions, and a server of the test service on ``london/n1``."""

    def __init__(self, seed: int = 1, observer: Observer | None = None, **settings: Any) -> None:
        self.loop = SimulationLoop(seed=seed, record=True)
        places = {region: str(region) for region in (FRANKFURT, LONDON, SYDNEY)}
        network = NetworkSettings(table=TABLE, locations=places, **{"jitter": 0.0, **settings})
        self.network = Network(self.loop, network, observer)
        self.client = self.loop.host("frankfurt/n1")
        self.server = self.loop.host("london/n1")
        self.service = Service()

    def run(self, conversation: Callable[[World], Coroutine[Any, Any, T]]) -> T:
        """Start the server, then hold the conversation on the client's host; every failure of a task is one here."""

        async def main() -> T:
            await self.loop.spawn(self.server, self.serve(), "serve")
            return await self.loop.spawn(self.client, conversation(self), "conversation")

        with guarded(self.loop):
            result = self.loop.run_until_complete(main())
        assert not self.loop.failures, self.loop.failures
        return result

    async def serve(self) -> aio.Server:
        server = self.network.listen(self.server, ADDRESS)
        server.add_generic_rpc_handlers((self.service,))
        await server.start()
        return server

    def channel(self) -> aio.Channel:
        return self.network.channel(self.client)(ADDRESS)


class Service(grpc.GenericRpcHandler):
    """Methods by their names; it remembers what servicers went through."""

    def __init__(self) -> None:
        self._methods = {
            "/test/Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "/test/Hang": grpc.unary_unary_rpc_method_handler(self.hang),
            "/test/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/test/Refuse": grpc.unary_unary_rpc_method_handler(self.refuse),
            "/test/Huge": grpc.unary_unary_rpc_method_handler(self.huge),
            "/test/Huger": grpc.stream_stream_rpc_method_handler(self.huger),
            "/test/Code": grpc.unary_unary_rpc_method_handler(self.code),
            "/test/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/test/Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "/test/ChatOnce": grpc.stream_stream_rpc_method_handler(self.chat_once),
            "/test/Bye": grpc.stream_stream_rpc_method_handler(self.bye),
            "/test/Deaf": grpc.stream_stream_rpc_method_handler(self.deaf),
            "/test/Flood": grpc.unary_stream_rpc_method_handler(self.flood),
            "/test/Collect": grpc.stream_stream_rpc_method_handler(self.collect),
        }
        self.written = 0
        self.hang_was_cancelled = asyncio.Event()
        self.collected: list[bytes] = []
        self.collecting_ended: list[str] = []

    def service(self, handler_call_details: Any) -> Any:
        return self._methods.get(handler_call_details.method)

    async def echo(self, request: bytes, context: Any) -> bytes:
        return request

    async def hang(self, request: bytes, context: Any) -> bytes:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.hang_was_cancelled.set()
            raise
        raise AssertionError

    async def fail(self, request: bytes, context: Any) -> bytes:
        raise ValueError("no")

    async def refuse(self, request: bytes, context: Any) -> None:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused", trailing_metadata=(("atoll-code", "why"),))

    async def huge(self, request: bytes, context: Any) -> bytes:
        return bytes(9 * 1024 * 1024)

    async def huger(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        yield b"small"
        yield bytes(9 * 1024 * 1024)

    async def code(self, request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing there")
        return b""

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def chat(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield b"you said " + request

    async def chat_once(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield b"you said " + request
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "enough", trailing_metadata=(("atoll-code", "x"),))

    async def bye(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        yield b"bye"

    async def deaf(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        await asyncio.get_running_loop().create_future()
        yield b""

    async def flood(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 16_384
            self.written += 1

    async def collect(self, requests: Any, context: Any) -> AsyncIterator[bytes]:
        try:
            async for request in requests:
                self.collected.append(request)
        except asyncio.CancelledError:
            self.collecting_ended.append("cancelled")
            raise
        self.collecting_ended.append("no more requests")
        yield b"%d" % len(self.collected)


async def outcome(step: Any) -> str:
    """What came of one step of a conversation, in words that both networks share."""
    try:
        return repr(await step)
    except aio.AioRpcError as error:
        details = (error.details() or "").partition(";")[0]
        return f"{error.code().name} {details!r} {tuple(error.trailing_metadata() or ())}"
    except asyncio.CancelledError:
        return "cancelled"
    except (asyncio.InvalidStateError, aio.UsageError) as error:
        return f"{type(error).__name__} {error}"
