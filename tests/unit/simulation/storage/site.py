"""A simulated database server with processes around it, for tests that break it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tests.contracts.records import FRANKFURT, Writer, record_id, visits

from atoll.causality.cut import Cut
from atoll.errors import AtollError
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Ownership
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.hosts import Host
from atoll.simulation.observations import Observation
from atoll.simulation.scenario.scenario import DiskSettings
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.simulated_store import SimulatedShardStore, open_simulated_store

T = TypeVar("T")


@dataclass
class Notebook:
    """Keeps what it observes."""

    seen: list[Observation] = field(default_factory=list)

    def observe(self, observation: Observation) -> None:
        self.seen.append(observation)

    def of(self, kind: type[T]) -> list[T]:
        """The observations of one kind."""
        return [each for each in self.seen if isinstance(each, kind)]


class Site:
    """One server, and nodes that open stores on it. ``flush_ms`` is how long each flush takes."""

    def __init__(self, seed: int = 1, flush_ms: float = 1.0) -> None:
        self.loop = SimulationLoop(seed=seed)
        self.notebook = Notebook()
        disk = DiskSettings(flush_ms_min=flush_ms, flush_ms_max=flush_ms)
        self.database = Database(self.loop, self.loop.host("frankfurt/s1"), FRANKFURT, disk, self.notebook)

    def node(self, name: str = "n1") -> Host:
        return self.loop.host(f"frankfurt/{name}")

    async def sleep(self, seconds: float) -> None:
        """For the harness: let true time pass."""
        await self.loop.current_host().clock.sleep(seconds)

    async def store(self, name: str = "n1") -> SimulatedShardStore:
        """A store of the node of that name, on a shard that owns everything."""
        store = await open_simulated_store(self.database, self.node(name))
        if not await store.ownership():
            await store.claim(Ownership(range=EVERYTHING, epoch=1))
        return store

    async def writer(self, name: str = "n1") -> Writer:
        """A writer of the node of that name, whose connections for writes and reads are open."""
        writer = Writer(await self.store(name))
        (row,) = await writer.prepare({record_id(404): visits()})
        await writer.store.write([replace(row, previous_context=b"none that there ever was")], Cut.EMPTY)
        return writer

    def start(self, work: Coroutine[Any, Any, T], name: str = "n1") -> Any:
        """Run something as a task of a node."""
        return self.loop.spawn(self.node(name), work, "test")

    def run(self, test: Callable[[Site], Awaitable[T]]) -> T:
        """Run a test on the simulated loop, and close that."""

        async def whole() -> T:
            return await test(self)

        try:
            return self.loop.run_until_complete(whole())
        finally:
            self.loop.close()


async def outcome(work: Awaitable[Any]) -> Any:
    """What it returned, or the class of the error that it raised."""
    try:
        return await work
    except AtollError as error:
        return type(error)
