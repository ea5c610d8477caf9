"""Real sockets with simulated cables between them. From here to there takes 20 ms, and as much back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from atoll.ids import RegionName
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.real.cables import CLIENTS, Cables
from atoll.simulation.scenario.scenario import NetworkSettings
from atoll.system_clock import SystemClock

HERE, THERE = RegionName("here"), RegionName("there")
ONE_WAY = 0.02
PATIENCE = 5.0


def settings(bandwidth_mbps: float | None = None, client_latency_ms: float = 0.0) -> NetworkSettings:
    pairs = {(a, b): 0.0 if a == b else 2_000 * ONE_WAY for a in ("x", "y") for b in ("x", "y")}
    return NetworkSettings(
        table=LatencyTable(name="test", places=("x", "y"), round_trips_ms=pairs),
        locations={HERE: "x", THERE: "y"},
        jitter=0.0,
        bandwidth_mbps=bandwidth_mbps,
        client_latency_ms=client_latency_ms,
    )


@dataclass
class Line:
    """A server there, a proxy to it, and the connections that have been made."""

    cables: Cables
    address: str
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self.writers.append(writer)
        return reader, writer

    async def connected(
        self,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamWriter]:
        """Both ends of one connection."""
        near = await self.dial()
        far = await asyncio.wait_for(self.accepted.get(), PATIENCE)
        return *near, *far


@asynccontextmanager
async def line(network: NetworkSettings | None = None, source: RegionName = HERE) -> AsyncIterator[Line]:
    cables = Cables(network or settings(), seed=1, clock=SystemClock())
    made = Line(cables, "")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.writers.append(writer)
        await made.accepted.put((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    made.address = await cables.lay(source, THERE, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield made
    finally:
        await cables.close()
        for writer in made.writers:
            writer.transport.abort()
        server.close()
        await server.wait_closed()


def now() -> float:
    return SystemClock().monotonic()


async def read(reader: asyncio.StreamReader, count: int) -> bytes:
    return await asyncio.wait_for(reader.readexactly(count), PATIENCE)


async def is_silent(reader: asyncio.StreamReader, seconds: float = 0.1) -> bool:
    """Whether nothing arrives for so long; what would have arrived takes a fifth of it."""
    try:
        await asyncio.wait_for(reader.readexactly(1), seconds)
    except TimeoutError:
        return True
    return False


async def test_connection_is_made_in_a_round_trip_and_carries_bytes_one_way_each() -> None:
    async with line() as made:
        began = now()
        near, near_out, far, far_out = await made.connected()
        near_out.write(b"hello")
        assert await read(far, 5) == b"hello"
        assert now() - began >= 3 * ONE_WAY, "knock, answer, and then the word"
        sent = now()
        far_out.write(b"there")
        assert await read(near, 5) == b"there"
        assert now() - sent >= ONE_WAY
        assert made.cables.bytes_carried == 10


async def test_bytes_arrive_whole_and_in_order_however_they_were_cut() -> None:
    text = bytes(range(256)) * 2_000
    async with line() as made:
        _, near_out, far, _ = await made.connected()
        for start in range(0, len(text), 30_001):
            near_out.write(text[start : start + 30_001])
        assert await read(far, len(text)) == text


async def test_cut_of_one_way_is_silent_one_way_and_mended_nothing_is_missing() -> None:
    async with line() as made:
        near, near_out, far, far_out = await made.connected()
        near_out.write(b"before")
        assert await read(far, 6) == b"before"
        made.cables.cut(HERE, THERE)
        near_out.write(b"during")
        far_out.write(b"back")
        assert await read(near, 4) == b"back"
        assert await is_silent(far)
        made.cables.heal(HERE, THERE)
        near_out.write(b"after")
        assert await read(far, 11) == b"duringafter"
        assert made.cables.bites["cut: pieces held back"] >= 1


async def test_cuts_of_one_link_nest() -> None:
    async with line() as made:
        _, near_out, far, _ = await made.connected()
        made.cables.cut(HERE, THERE)
        made.cables.cut(HERE, THERE)
        made.cables.heal(HERE, THERE)
        near_out.write(b"x")
        assert await is_silent(far)
        made.cables.heal(HERE, THERE)
        assert await read(far, 1) == b"x"


async def test_cut_with_reset_breaks_both_ends_and_new_connections() -> None:
    async with line() as made:
        near, near_out, far, _ = await made.connected()
        near_out.write(b"x")
        assert await read(far, 1) == b"x"
        made.cables.cut(THERE, HERE, reset=True)
        for reader in (near, far):
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), PATIENCE)
        assert made.cables.bites["cut: connections reset"] == 2
        made.cables.heal(THERE, HERE)
        made.cables.cut(HERE, THERE, reset=True)
        again, _ = await made.dial()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(again.read(), PATIENCE)


async def test_nobody_at_the_target_is_told_by_a_reset_a_round_trip_later() -> None:
    cables = Cables(settings(), seed=1, clock=SystemClock())
    unused = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    target = unused.sockets[0].getsockname()[1]
    unused.close()
    await unused.wait_closed()
    host, _, port = (await cables.lay(HERE, THERE, f"127.0.0.1:{target}")).rpartition(":")
    try:
        began = now()
        reader, writer = await asyncio.open_connection(host, int(port))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), PATIENCE)
        assert now() - began >= 2 * ONE_WAY
        writer.transport.abort()
    finally:
        await cables.close()


async def test_end_that_closes_is_heard_after_all_that_it_said() -> None:
    async with line() as made:
        _, near_out, far, _ = await made.connected()
        near_out.write(b"farewell")
        near_out.close()
        assert await asyncio.wait_for(far.read(), PATIENCE) == b"farewell"


async def test_narrow_link_takes_its_time() -> None:
    async with line(settings(bandwidth_mbps=4.0)) as made:
        _, near_out, far, _ = await made.connected()
        began = now()
        near_out.write(b"x" * 50_000)
        await read(far, 50_000)
        assert now() - began >= 50_000 * 8 / 4e6


async def test_degraded_link_is_slower_until_it_is_mended() -> None:
    async with line() as made:
        _, near_out, far, _ = await made.connected()
        near_out.write(b"x")
        await read(far, 1)
        handle = made.cables.degrade(HERE, THERE, {"latency_factor": 30.0})
        began = now()
        near_out.write(b"y")
        await read(far, 1)
        assert now() - began >= 30 * ONE_WAY
        made.cables.mend(handle)
        began = now()
        near_out.write(b"z")
        await read(far, 1)
        assert now() - began < 30 * ONE_WAY


async def test_clients_are_as_far_from_their_nodes_as_the_scenario_says() -> None:
    async with line(settings(client_latency_ms=60.0), source=CLIENTS) as made:
        _, near_out, far, _ = await made.connected()
        began = now()
        near_out.write(b"x")
        await read(far, 1)
        assert now() - began >= 0.03


async def test_reader_that_does_not_read_makes_the_writer_wait() -> None:
    """Only so much is on its way; the rest stays with whoever writes."""
    async with line() as made:
        _, near_out, _, far_out = await made.connected()
        far_out.transport.pause_reading()  # type: ignore[attr-defined]
        near_out.transport.set_write_buffer_limits(high=1)

        async def write_much() -> None:
            for _ in range(200):
                near_out.write(b"x" * 1_000_000)
                await asyncio.wait_for(near_out.drain(), 0.5)

        with pytest.raises(TimeoutError):
            await write_much()
