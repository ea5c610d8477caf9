"""The region's catalog as one simulated process sees it; mirrors :mod:`atoll.postgres.catalog`.

Every call is one transaction. A connection that fails leaves a publication in doubt (:class:`OutcomeUnknown`); what
may be repeated is :class:`Unavailable`, whether it was committed or not. Nobody checks the server's history here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from atoll import limits
from atoll.errors import OutcomeUnknown, StaleRoute, Unavailable
from atoll.ids import ShardName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import ShardMap
from atoll.simulation.loop.hosts import Host
from atoll.simulation.storage.backend import Statement
from atoll.simulation.storage.connection import Connection, Pool
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.memory_catalog import CatalogContent
from atoll.simulation.storage.server import Server
from atoll.simulation.storage.steps import Commit, ConnectionLost, Content, Lock, Refused, Transaction, Work

_FAILURES = (ConnectionLost, Refused, TimeoutError)


async def open_simulated_catalog(database: Database, client: Host, first_map: ShardMap) -> SimulatedCatalog:
    """Put ``first_map`` in force if there is none yet, and open the catalog. Raises as the real one does."""
    assert first_map.version == 1, "a region's first map has version 1"
    catalog = SimulatedCatalog(database, client)
    await catalog.migrate()
    with suppress(StaleRoute):  # there is a map already
        await catalog.publish(first_map)
    return catalog


class SimulatedCatalog:
    """See :class:`~atoll.ports.Catalog`."""

    def __init__(self, database: Database, client: Host) -> None:
        self._database = database
        self._client = client
        self._where = f"the catalog of {database.origin.region}"
        self._pool = Pool(self._where, limits.CATALOG_CONNECTIONS_MAX, self._connect)

    async def shard_map(self) -> ShardMap:
        found: ShardMap = await self._ask(partial(_look, lambda catalog: catalog.shard_map()))
        return found

    async def publish(self, shard_map: ShardMap) -> None:
        await self._ask(partial(_publish, shard_map), outcome_matters=True)

    async def clock_bound(self) -> Timestamp:
        bound: Timestamp = await self._ask(partial(_look, lambda catalog: catalog.bound))
        return bound

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        await self._ask(partial(_raise_bound, bound))

    async def known_birth(self, shard: ShardName, birth: str) -> str:
        await self._ask(partial(_note_birth, shard, birth))
        known: str = await self._ask(partial(_look, lambda catalog: catalog.births[shard]))
        return known

    async def close(self) -> None:
        self._pool.close()

    async def migrate(self) -> None:
        """Make sure that somebody answers; the schema of a simulated catalog is always up to date."""
        (await self._connect()).close()

    async def _connect(self) -> Connection:
        connection = Connection(self._database, self._client)
        try:
            await connection.open(lambda: None, limits.CATALOG_SECONDS_MAX)
        except _FAILURES as error:
            raise self._unavailable(error) from error
        return connection

    async def _ask(self, statement: Statement, *, outcome_matters: bool = False) -> Any:
        try:
            return await self._pool.ask(statement, limits.CATALOG_SECONDS_MAX)
        except _FAILURES as error:
            if outcome_matters:
                raise OutcomeUnknown(f"{self._where} broke off in a write: {error}") from error
            raise self._unavailable(error) from error

    def _unavailable(self, error: BaseException) -> Unavailable:
        return Unavailable(f"{self._where} does not answer: {error}")


# -- its statements: begin, one statement, commit -----------------------------------------------------------------


def _look(what: Callable[[CatalogContent], Any], server: Server, transaction: Transaction) -> Work[Any]:
    yield _round_trips(server)
    return what(transaction.content.catalog)


def _publish(shard_map: ShardMap, server: Server, transaction: Transaction) -> Work[None]:
    yield _round_trips(server)
    yield Lock(("shard map", shard_map.version))
    transaction.content.catalog.check_follows(shard_map)
    transaction.numbered()
    yield Commit(lambda content: content.catalog.publish(shard_map))


def _raise_bound(bound: Timestamp, server: Server, transaction: Transaction) -> Work[None]:
    yield _round_trips(server)
    yield Lock(("clock bound",))
    transaction.numbered()
    yield Commit(lambda content: content.catalog.raise_bound(bound))


def _note_birth(shard: ShardName, birth: str, server: Server, transaction: Transaction) -> Work[None]:
    yield _round_trips(server)
    yield Lock(("birth", shard))
    if shard in transaction.content.catalog.births:
        return

    def effect(content: Content) -> None:
        content.catalog.births.setdefault(shard, birth)

    transaction.numbered()
    yield Commit(effect)


def _round_trips(server: Server) -> float:
    """What travels beside the statement itself: the ping of the pool, the beginning, the commit."""
    return 6 * server.latency_seconds()
