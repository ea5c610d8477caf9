"""Many servers with one call: all of them, or none and the first reason why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from atoll import limits
from atoll.errors import InvalidConfiguration
from atoll.postgres.launcher.binaries import Binaries, find_binaries
from atoll.postgres.launcher.server import LaunchOptions, Server, ServerSpec, Stage, StopMode


class Progress(NamedTuple):
    """One server has reached a stage."""

    name: str
    stage: Stage


async def start_servers(
    specs: Sequence[ServerSpec],
    binaries: Binaries | None = None,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    options: LaunchOptions | None = None,
) -> list[Server]:
    """Create (where needed) and start the servers in parallel; return them, in the order of ``specs``, all ready.

    To be awaited in the main thread. If one fails, or the caller is cancelled, those that run are stopped and the
    first error is raised (see :meth:`Server.start`; :class:`PostgresNotFound` when there are no programs).
    ``on_progress`` is called from the event loop as each server reaches a :class:`Stage`.
    """
    _check_distinct(specs)
    found = binaries or await find_binaries()
    servers = [Server(spec, found, options) for spec in specs]
    turn = asyncio.Semaphore(limits.SERVER_LAUNCHES_AT_ONCE)

    async def start(server: Server) -> None:
        async with turn:
            await server.start(lambda stage: on_progress(Progress(server.name, stage)))

    try:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(start(server), name=f"start {server.name}")
    except BaseException as error:
        await stop_servers(servers, mode=StopMode.IMMEDIATE)
        if isinstance(error, BaseExceptionGroup):
            first = error.exceptions[0]
            raise first from first.__cause__
        raise
    return servers


async def stop_servers(servers: Iterable[Server], mode: StopMode = StopMode.FAST) -> None:
    """Stop them in parallel, and return when the processes of all are gone."""
    outcomes = await asyncio.gather(*(server.stop(mode) for server in servers), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


@asynccontextmanager
async def running_servers(
    specs: Sequence[ServerSpec], binaries: Binaries | None = None, *, options: LaunchOptions | None = None
) -> AsyncIterator[list[Server]]:
    """:func:`start_servers` for the length of a block; stopped at its end, the data kept."""
    servers = await start_servers(specs, binaries, options=options)
    try:
        yield servers
    finally:
        await stop_servers(servers)


def _check_distinct(specs: Sequence[ServerSpec]) -> None:
    for what, values in (
        ("name", [spec.name for spec in specs]),
        ("data directory", [str(spec.data_directory.absolute()) for spec in specs]),
    ):
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise InvalidConfiguration(f"two servers have the same {what}: {', '.join(sorted(twice))}")
