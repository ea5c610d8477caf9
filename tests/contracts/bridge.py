"""Lets tests on a real event loop use stores that live on a simulated one: all calls that are in flight at once run
together there, until the first of them is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

from atoll.ids import Origin
from atoll.keyspace.shard_map import ShardMap
from atoll.simulation.loop.errors import SimulationError
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.scenario.scenario import DiskSettings
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.simulated_catalog import open_simulated_catalog
from atoll.simulation.storage.simulated_store import open_simulated_store


class Bridge:
    """Runs coroutines of one simulated loop for callers on the running real one."""

    def __init__(self, loop: SimulationLoop) -> None:
        self.loop = loop
        self._calls: list[tuple[asyncio.Task[Any], asyncio.Future[Any]]] = []
        self._is_due = False

    def server(self, origin: Origin) -> BridgedServer:
        """A server on a host of its own."""
        return BridgedServer(self, Database(self.loop, self.loop.host(f"{origin}"), origin, DiskSettings(), None))

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What ``work`` returns or raises, run on the simulated loop."""
        real = asyncio.get_running_loop()
        task, answer = self.loop.create_task(work), real.create_future()
        self._calls.append((task, answer))
        self._come_back(real)
        try:
            return await answer
        except asyncio.CancelledError:
            task.cancel()
            raise

    def _come_back(self, real: asyncio.AbstractEventLoop) -> None:
        if not self._is_due:
            self._is_due = True
            real.call_soon(self._go_on, real)

    def _go_on(self, real: asyncio.AbstractEventLoop) -> None:
        self._is_due = False
        waiting = asyncio.wait([task for task, _ in self._calls], return_when=asyncio.FIRST_COMPLETED)
        asyncio._set_running_loop(None)  # the real loop stands still meanwhile
        try:
            self.loop.run_until_complete(waiting)
        except SimulationError as error:
            for _, answer in self._calls:
                answer.set_exception(error)
            raise
        finally:
            asyncio._set_running_loop(real)
        done = [call for call in self._calls if call[0].done()]
        self._calls = [call for call in self._calls if not call[0].done()]
        for task, answer in done:
            _pass_on(task, answer)
        if self._calls:
            self._come_back(real)


def _pass_on(task: asyncio.Task[Any], answer: asyncio.Future[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if answer.done():
        return
    if task.cancelled():
        answer.cancel()
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(task.result())


class BridgedServer(NamedTuple):
    """A server on the other side."""

    bridge: Bridge
    database: Database

    async def open_store(self, node: str) -> Any:
        """The store of a process on the host of that name."""
        host = self.bridge.loop.host(node)
        return Bridged(self.bridge, await self.bridge.run(open_simulated_store(self.database, host)))

    async def open_catalog(self, node: str, first_map: ShardMap) -> Any:
        """The catalog of a process on the host of that name."""
        host = self.bridge.loop.host(node)
        return Bridged(self.bridge, await self.bridge.run(open_simulated_catalog(self.database, host, first_map)))


class Bridged:
    """A store or catalog on the other side, with the methods of the port."""

    def __init__(self, bridge: Bridge, beyond: Any) -> None:
        self._bridge = bridge
        self._beyond = beyond

    @property
    def identity(self) -> Any:
        return self._beyond.identity

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            return await self._bridge.run(getattr(self._beyond, method)(*arguments))

        return call

    def batch_rows(self, *arguments: Any) -> AsyncIterator[bytes]:
        return self._iterate(self._beyond.batch_rows(*arguments))

    def scan(self, *arguments: Any) -> AsyncIterator[Any]:
        return self._iterate(self._beyond.scan(*arguments))

    async def _iterate(self, pieces: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
        async def following() -> tuple[bool, Any]:
            async for piece in pieces:
                return True, piece
            return False, None

        try:
            while True:
                is_more, piece = await self._bridge.run(following())
                if not is_more:
                    return
                yield piece
        finally:
            await self._bridge.run(pieces.aclose())
