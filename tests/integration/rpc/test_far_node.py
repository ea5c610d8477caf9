"""A node on the other side of the world: its first byte takes longer than any retry pause."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from grpc import ChannelConnectivity, aio

from atoll.errors import Unavailable
from atoll.rpc.dialing import dial

ONE_WAY_SECONDS = 0.2


@contextlib.asynccontextmanager
async def far_away(port: int) -> AsyncIterator[str]:
    """The address of a proxy to a port of this machine that takes its time with every byte, both ways."""
    loop = asyncio.get_running_loop()
    pumps: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            loop.call_later(ONE_WAY_SECONDS, writer.write, piece)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, far_writer))
        pumps.add(asyncio.create_task(pump(reader, far_writer)))
        pumps.add(asyncio.create_task(pump(far_reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()


async def test_node_far_away_is_reached_at_the_first_attempt() -> None:
    server = aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with far_away(port) as address:
        channel = await dial(address)
        assert channel.get_state() is ChannelConnectivity.READY
        await channel.close()
    await server.stop(None)


async def test_port_where_nobody_listens_is_known_at_once() -> None:
    with pytest.raises(Unavailable, match="nobody listens"):
        await dial("127.0.0.1:1", seconds=1.0)
