"""The region's catalog in Postgres: :class:`~atoll.ports.Catalog` over SQLAlchemy Core.

The shard map changes by compare-and-set on its version: the version is a primary key, and a row goes in only if it is
one above the greatest, so that of two publishers one wins whatever the timing. Every statement is one transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import BigInteger, delete, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from atoll import limits
from atoll.errors import OutcomeUnknown, StaleRoute, Unavailable
from atoll.ids import ShardName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import ShardMap
from atoll.postgres.catalog_tables import CLOCK_BOUND, KNOWN_SHARD, SCHEMA, SHARD_MAP_VERSION
from atoll.postgres.migrate import Migration, load_migrations, migrate

CATALOG_MIGRATIONS: Final[Sequence[Migration]] = load_migrations(files("atoll.postgres") / "catalog_migrations")

_FAILURES = (DBAPIError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError)


async def open_catalog(dsn: str, first_map: ShardMap) -> PostgresCatalog:
    """Bring the schema up to date, put ``first_map`` in force if there is none yet, and open the catalog.

    Idempotent and safe to race: all nodes of a region may open it at once and see the same map. Raises
    :class:`Unavailable` or :class:`~atoll.errors.SchemaMismatch`.
    """
    assert first_map.version == 1, "a region's first map has version 1"
    catalog = PostgresCatalog(dsn)
    try:
        await catalog.migrate()
        await catalog.publish(first_map)
    except StaleRoute:
        pass  # there is a map already
    except BaseException:
        await catalog.close()
        raise
    return catalog


class PostgresCatalog:
    """See :class:`~atoll.ports.Catalog`; made by :func:`open_catalog`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._closed = False
        self._place = urlsplit(dsn).netloc.rpartition("@")[2] or "its DSN"
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=limits.CATALOG_CONNECTIONS_MAX,
            max_overflow=0,
            pool_timeout=limits.CATALOG_SECONDS_MAX,
            pool_pre_ping=True,
        )

    async def shard_map(self) -> ShardMap:
        newest = select(SHARD_MAP_VERSION.c.document).order_by(SHARD_MAP_VERSION.c.version.desc()).limit(1)
        async with self._transaction() as connection:
            document = (await connection.execute(newest)).scalar_one()
        return ShardMap.decode(document)

    async def publish(self, shard_map: ShardMap) -> None:
        """As the port says; :class:`OutcomeUnknown` when the connection broke: read the map to learn who won."""
        table, version = SHARD_MAP_VERSION, literal(shard_map.version, BigInteger)
        newest = select(func.coalesce(func.max(table.c.version), 0)).scalar_subquery()
        row = select(version, literal(shard_map.encode(), JSONB)).where(newest == version - 1)
        put = (
            insert(table)
            .from_select(["version", "document"], row)
            .on_conflict_do_nothing()
            .returning(table.c.version)
        )
        forget = delete(table).where(table.c.version <= shard_map.version - limits.SHARD_MAP_VERSIONS_KEPT)
        async with self._transaction(outcome_matters=True) as connection:
            published = (await connection.execute(put)).scalar_one_or_none()
            await connection.execute(forget)
        if published is None:
            raise StaleRoute(
                f"version {shard_map.version} of the shard map does not follow the newest one in the catalog at "
                f"{self._place}: read the map and decide again"
            )

    async def clock_bound(self) -> Timestamp:
        async with self._transaction() as connection:
            found: int | None = (await connection.execute(select(CLOCK_BOUND.c.bound))).scalar_one_or_none()
        return Timestamp(found or 0)

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        put = insert(CLOCK_BOUND).values(bound=bound)
        higher = put.on_conflict_do_update(
            index_elements=[CLOCK_BOUND.c.single],
            set_={"bound": put.excluded.bound},
            where=CLOCK_BOUND.c.bound < put.excluded.bound,
        )
        async with self._transaction() as connection:
            await connection.execute(higher)

    async def known_birth(self, shard: ShardName, birth: str) -> str:
        note = insert(KNOWN_SHARD).values(name=shard, birth=birth).on_conflict_do_nothing()
        async with self._transaction() as connection:
            await connection.execute(note)
        async with self._transaction() as connection:
            known: str = (
                await connection.execute(select(KNOWN_SHARD.c.birth).where(KNOWN_SHARD.c.name == shard))
            ).scalar_one()
        return known

    async def close(self) -> None:
        self._closed = True
        await self._engine.dispose()

    async def migrate(self) -> None:
        """Bring the schema up to date; see :func:`atoll.postgres.migrate.migrate`."""
        try:
            connection = await self._connect()
        except _FAILURES as error:
            raise self._unavailable(error) from error
        try:
            await migrate(connection, CATALOG_MIGRATIONS, f"the catalog at {self._place}", schema=SCHEMA)
        except _FAILURES as error:
            raise self._unavailable(error) from error
        finally:
            connection.terminate()

    async def _connect(self) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(
            self._dsn, timeout=limits.CATALOG_SECONDS_MAX, command_timeout=limits.CATALOG_SECONDS_MAX
        )

    @asynccontextmanager
    async def _transaction(self, *, outcome_matters: bool = False) -> AsyncIterator[AsyncConnection]:
        """One transaction; its failures as the port names them. A reader, or a write that may be repeated, need not
        know whether the last attempt was committed."""
        if self._closed:
            raise Unavailable(f"the catalog at {self._place} is closed")
        try:
            connection = await self._engine.connect()
        except _FAILURES as error:
            raise self._unavailable(error) from error
        try:
            async with connection.begin():
                yield connection
        except _FAILURES as error:
            if outcome_matters:
                raise OutcomeUnknown(f"the catalog at {self._place} broke off in a write: {error}") from error
            raise self._unavailable(error) from error
        finally:
            await connection.close()

    def _unavailable(self, error: BaseException) -> Unavailable:
        return Unavailable(f"the catalog at {self._place} does not answer: {str(error) or type(error).__name__}")
