"""``atoll.connect``: the way into a ring, over the network or in this process."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from pathlib import Path
from typing import Any

from atoll.client.client import Client
from atoll.client.door import Door
from atoll.client.opening import open_embedded
from atoll.client.remote import RemoteDoor
from atoll.client.sync import SyncClient
from atoll.client.tokens import split_token
from atoll.configuration import Allotment, Configuration, load, read_token_key
from atoll.errors import InvalidConfiguration
from atoll.ids import RegionName
from atoll.limits import DEADLINE_SECONDS_DEFAULT
from atoll.rpc.transport import GrpcTransport
from atoll.server.allotment import allotment_of
from atoll.server.postgres_storage import PostgresStorage
from atoll.server.ring_state import STATE_FILE_NAME, RingState
from atoll.system_clock import SystemClock
from atoll.system_entropy import SystemEntropy

Where = str | os.PathLike[str] | Sequence[str]


class Connecting:
    """A connection to be: ``async with`` it, or ``await`` it and close the client yourself."""

    def __init__(self, opening: Callable[[], Awaitable[Client]]) -> None:
        self._opening = opening
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, None, Client]:
        return self._opening().__await__()

    async def __aenter__(self) -> Client:
        self._client = await self._opening()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()


def connect(
    where: Where,
    *,
    region: str | None = None,
    token: str = "",
    session: bool = True,
    timeout_seconds: float = DEADLINE_SECONDS_DEFAULT,
) -> Connecting:
    """Connect to a ring.

    ``where`` is the address of a node (``"host:port"``), several of them, tried in order, or the ring's
    ``atoll.toml``; with the file the client runs ``region``'s engine in this process and speaks to its shards
    directly. ``token`` goes on with another client's session. ``session=False`` gives up all guarantees between
    calls. ``timeout_seconds`` bounds each call that does not name its own bound.

    Raises, when awaited: :class:`~atoll.errors.Unavailable`, :class:`~atoll.errors.InvalidConfiguration`,
    :class:`~atoll.errors.InvalidToken`.
    """
    return Connecting(_opening(where, region, token, session, timeout_seconds))


def connect_sync(
    where: Where,
    *,
    region: str | None = None,
    token: str = "",
    session: bool = True,
    timeout_seconds: float = DEADLINE_SECONDS_DEFAULT,
) -> SyncClient:
    """:func:`connect` for scripts: returns once connected, and every method waits for its result."""
    return SyncClient(_opening(where, region, token, session, timeout_seconds))


def _opening(
    where: Where, region: str | None, token: str, session: bool, timeout_seconds: float
) -> Callable[[], Coroutine[Any, Any, Client]]:
    async def opening() -> Client:
        door = await _door(where, region, token)
        await door.open()
        return Client(door, session=session, timeout_seconds=timeout_seconds)

    return opening


async def _door(where: Where, region: str | None, token: str) -> Door:
    file = _configuration_file(where, region)
    if file is not None:
        return await _embedded(load(file), region, token)
    addresses = [where] if isinstance(where, str) else [os.fspath(address) for address in _listed(where)]
    return RemoteDoor(
        [_checked(address) for address in addresses], clock=SystemClock(), entropy=SystemEntropy(), token=token
    )


def _configuration_file(where: Where, region: str | None) -> Path | None:
    """The file that ``where`` names, ``None`` if it names nodes."""
    if isinstance(where, os.PathLike) or (isinstance(where, str) and (region or where.endswith(".toml"))):
        return Path(where)
    if region is not None:
        raise InvalidConfiguration("region= goes with the ring's atoll.toml; a node at an address has its region")
    return None


def _listed(where: Where) -> Sequence[str]:
    if not isinstance(where, Sequence) or not where:
        raise InvalidConfiguration("connect to an address (host:port), a list of addresses, or a file atoll.toml")
    return where


def _checked(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not host or not colon or not port.isdecimal():
        raise InvalidConfiguration(f"{address!r} is not host:port, nor the name of a file that ends in .toml")
    return address


async def _embedded(configuration: Configuration, region: str | None, token: str) -> Door:
    topology = configuration.topology(_running_here(configuration))
    if region is None:
        if len(topology.regions) != 1:
            raise InvalidConfiguration(
                f"{configuration.file} has the regions {', '.join(topology.regions)}: say which one with region="
            )
        region = next(iter(topology.regions))
    return await open_embedded(
        topology,
        RegionName(region),
        storage=PostgresStorage(),
        transport=GrpcTransport(topology),
        token_key=read_token_key(configuration),
        clock=SystemClock(),
        entropy=SystemEntropy(),
        tokens=split_token(token),
    )


def _running_here(configuration: Configuration) -> Allotment:
    """What ``atoll up`` added to the file, if the ring runs on this machine."""
    state = RingState.load(configuration.state_directory / STATE_FILE_NAME)
    return allotment_of(state) if state else Allotment()
