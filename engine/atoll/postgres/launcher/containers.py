"""The last source of Postgres: containers, where a Docker engine answers and ``testcontainers`` is installed.

Unlike launched servers these keep nothing: the data go with the container. ``testcontainers`` is imported when it is
needed only; its reaper removes the containers of a process that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import asyncpg

from atoll import limits
from atoll.errors import PostgresFailed, PostgresNotFound
from atoll.postgres.launcher import processes, settings
from atoll.postgres.launcher.server import ServerSpec

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = "postgres:18-alpine"
DOCKER_ADDRESS = "unix:///var/run/docker.sock"
_PORT = 5432


class ContainerServer:
    """A Postgres server in a container of its own; it answers when it is handed out."""

    def __init__(self, name: str, password: str, container: DockerContainer) -> None:
        self.name = name
        self.host = container.get_container_host_ip()
        self.port = int(container.get_exposed_port(_PORT))
        self._password = password
        self._container = container

    def __repr__(self) -> str:
        return f"<ContainerServer {self.name} on {self.host}:{self.port}>"

    def dsn(self, database: str = "postgres") -> str:
        """Where to connect; holds a password, for Docker may publish the port beyond this machine."""
        return f"postgresql://postgres:{self._password}@{self.host}:{self.port}/{database}"

    async def stop(self) -> None:
        """Remove the container and its data."""
        await asyncio.to_thread(self._container.stop)

    async def wait_until_it_answers(self) -> None:
        """The image starts a server without a network first, so the first answer comes from the final one."""
        try:
            async with asyncio.timeout(limits.SERVER_START_SECONDS_MAX):
                while not await self._answers():  # noqa: ASYNC110 - nothing but asking tells
                    await asyncio.sleep(processes.POLL_SECONDS)
        except TimeoutError:
            limit = limits.SERVER_START_SECONDS_MAX
            raise PostgresFailed(f"container {self.name} did not answer within {limit:.0f} s") from None

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn(), ssl=False)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True


async def docker_answers(address: str | None = None) -> bool:
    """Whether ``testcontainers`` is installed and a Docker engine answers a ping at once (two seconds at most).

    ``address`` is what ``DOCKER_HOST`` holds, the default; ``unix://`` and plain ``tcp://`` are understood. The probe
    is our own because Docker's client leaves a socket open when nobody answers.
    """
    if importlib.util.find_spec("testcontainers") is None:
        return False
    try:
        async with asyncio.timeout(limits.DOCKER_ANSWER_SECONDS_MAX):
            return await _ping(urlsplit(address or os.environ.get("DOCKER_HOST") or DOCKER_ADDRESS))
    except (OSError, ValueError):  # TimeoutError is an OSError; ValueError: an address without a port
        return False


async def _ping(address: SplitResult) -> bool:
    match address.scheme:
        case "unix":
            reader, writer = await asyncio.open_unix_connection(address.path)
        case "tcp":
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        case _:
            return False
    try:
        writer.write(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        await writer.drain()
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def start_containers(specs: Sequence[ServerSpec], *, image: str = IMAGE) -> list[ContainerServer]:
    """One container a specification, started in parallel, with its settings; the data directory is not used.

    Raises :class:`PostgresNotFound` when Docker does not answer. All servers answer, or none is left.
    """
    if not await docker_answers():
        raise PostgresNotFound(
            "no Docker engine answers (or `pip install testcontainers` is missing), so Postgres cannot come from it"
        )
    outcomes = await asyncio.gather(*(_start(spec, image) for spec in specs), return_exceptions=True)
    servers = [outcome for outcome in outcomes if isinstance(outcome, ContainerServer)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        await asyncio.gather(*(server.stop() for server in servers))
        raise failures[0]
    return servers


async def _start(spec: ServerSpec, image: str) -> ContainerServer:
    from testcontainers.core.container import DockerContainer

    settings.check_names(spec.settings)
    password = secrets.token_urlsafe(24)
    container = DockerContainer(image).with_env("POSTGRES_PASSWORD", password).with_exposed_ports(_PORT)
    container.with_command(["postgres", *settings.options({**settings.DEFAULTS, **spec.settings})])
    await asyncio.to_thread(container.start)
    try:
        server = await asyncio.to_thread(ContainerServer, spec.name, password, container)
        await server.wait_until_it_answers()
    except BaseException:
        container.stop()
        raise
    return server
