"""The catalog in a real Postgres: what outlives a process, what races, and what a dead server looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine

from atoll import limits
from atoll.errors import CorruptCatalog, SchemaMismatch, Unavailable
from atoll.ids import ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import ShardMap, initial_map
from atoll.postgres.catalog import open_catalog
from atoll.postgres.catalog_tables import METADATA, SCHEMA
from atoll.postgres.launcher import Server

FIRST = initial_map([ZoneName("global")], [ShardName("s1")])
DIALECT = postgresql.dialect()
Database = Callable[[], str]


async def run(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_map_and_clock_bound_outlive_the_process(fresh_database: Database) -> None:
    dsn = fresh_database()
    catalog = await open_catalog(dsn, FIRST)
    second = ShardMap(2, FIRST.assignments[:1])
    await catalog.publish(second)
    await catalog.raise_clock_bound(Timestamp(42))
    await catalog.close()
    again = await open_catalog(dsn, FIRST)
    assert await again.shard_map() == second
    assert await again.clock_bound() == 42
    await again.close()


async def test_nodes_that_open_a_new_catalog_at_once_agree_on_the_map(fresh_database: Database) -> None:
    dsn = fresh_database()
    proposals = [initial_map([ZoneName("global")], [ShardName(f"s{number}")]) for number in range(4)]
    catalogs = await asyncio.gather(*(open_catalog(dsn, proposal) for proposal in proposals))
    maps = [await catalog.shard_map() for catalog in catalogs]
    assert maps[0] in proposals
    assert maps == [maps[0]] * 4
    await asyncio.gather(*(catalog.close() for catalog in catalogs))


async def test_models_are_what_the_migrations_make(fresh_database: Database) -> None:
    dsn = fresh_database()
    await (await open_catalog(dsn, FIRST)).close()
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn))
    found = MetaData()
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: found.reflect(sync, schema=SCHEMA))
    await engine.dispose()
    assert shape(found) - {f"{SCHEMA}.migration"} == shape(METADATA)


def shape(metadata: MetaData) -> set[str]:
    """Tables and, for all but the runner's own, their columns with type, nullability and key."""
    own = [table for name, table in metadata.tables.items() if not name.endswith(".migration")]
    columns = [column for table in own for column in table.columns]
    described = {f"{c.table}.{c.name} {c.type.compile(DIALECT)} {c.nullable} {c.primary_key}" for c in columns}
    return set(metadata.tables) | described


async def test_old_versions_of_the_map_are_forgotten(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SHARD_MAP_VERSIONS_KEPT", 3)
    dsn = fresh_database()
    catalog = await open_catalog(dsn, FIRST)
    for version in range(2, 8):
        await catalog.publish(ShardMap(version, FIRST.assignments))
    await catalog.close()
    connection = await asyncpg.connect(dsn)
    kept = await connection.fetch("select version from atoll_catalog.shard_map_version order by version")
    await connection.close()
    assert [row["version"] for row in kept] == [5, 6, 7]


async def test_document_that_nobody_wrote_is_a_corrupt_catalog(fresh_database: Database) -> None:
    dsn = fresh_database()
    catalog = await open_catalog(dsn, FIRST)
    await run(dsn, "update atoll_catalog.shard_map_version set document = '{}'")
    with pytest.raises(CorruptCatalog):
        await catalog.shard_map()
    await catalog.close()


async def test_newer_schema_is_refused(fresh_database: Database) -> None:
    dsn = fresh_database()
    await (await open_catalog(dsn, FIRST)).close()
    await run(dsn, "insert into atoll_catalog.migration (version, sha256) values (9999, 'later')")
    with pytest.raises(SchemaMismatch, match="the catalog at"):
        await open_catalog(dsn, FIRST)


async def test_dead_catalog_is_unavailable_and_comes_back_with_its_server(crashable_server: Server) -> None:
    dsn = crashable_server.dsn()
    catalog = await open_catalog(dsn, FIRST)
    crashable_server.kill()
    with pytest.raises(Unavailable, match=r"the catalog at 127\.0\.0\.1"):
        await catalog.shard_map()
    with pytest.raises(Unavailable):
        await open_catalog(dsn, FIRST)
    await crashable_server.start()
    assert await catalog.shard_map() == FIRST
    await catalog.close()


async def test_address_that_is_none_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await open_catalog("postgresql://me:hunter2@127.0.0.1:1/x", FIRST)
