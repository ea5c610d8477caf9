"""uvicorn inside the node's own event loop, without its signal handling.

uvicorn takes SIGINT and SIGTERM for itself and ends the process when it cannot bind; in a node both belong to the
composition root. So the socket is bound here, and the signal capture is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from atoll import limits
from atoll.errors import InvalidConfiguration


class _QuietServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """One listening HTTP server of this process. :meth:`start` once, :meth:`stop` once."""

    def __init__(self, application: ASGIApp, address: str) -> None:
        self._address = address
        self._server = _QuietServer(
            uvicorn.Config(
                application,
                loop="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=int(limits.HTTP_DRAIN_SECONDS_MAX),
            )
        )
        self._task: asyncio.Task[None] | None = None
        self.port = 0
        """The port that is listened on; known after the start."""

    async def start(self) -> None:
        """Bind and serve; returns once connections are answered. A taken address is
        :class:`~atoll.errors.InvalidConfiguration`."""
        listener = bind(self._address)
        self.port = listener.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve([listener]), name="http")
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Finish what is open, within a bound, and close. Idempotent."""
        if self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._task = None


def bind(address: str) -> socket.socket:
    """A bound socket for ``host:port`` (``[host]:port`` for IPv6)."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise InvalidConfiguration(
            f"cannot listen on {address} for HTTP: {error.strerror}; name another `http` address for this node"
        ) from error
    return listener
