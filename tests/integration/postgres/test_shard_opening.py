"""Opening a shard: migrations, identity, and the servers and databases that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import asyncpg
import pytest
from tests.contracts.records import FRANKFURT, TOKYO, Writer, record_id

from atoll.errors import SchemaMismatch, Unavailable, UnsafeShard
from atoll.ids import Origin, RegionName, ShardName
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Ownership
from atoll.postgres.migrate import Migration, migrate
from atoll.postgres.opening import SHARD_MIGRATIONS
from atoll.postgres.shard_store import open_shard_store


@pytest.fixture
async def dsn(fresh_database: Callable[[], str]) -> str:
    return await asyncio.to_thread(fresh_database)


@pytest.fixture
async def admin(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_first_opening_makes_schema_and_identity_and_the_next_finds_them(
    dsn: str, admin: asyncpg.Connection
) -> None:
    for _ in range(2):
        store = await open_shard_store(dsn, FRANKFURT, "ring")
        assert store.identity.incarnation == 1
        await store.close()
    assert await admin.fetchval("select count(*) from atoll.migration") == len(SHARD_MIGRATIONS)
    assert tuple(await admin.fetchrow("select ring, region, shard from atoll.identity")) == ("ring", *FRANKFURT)


async def test_many_nodes_may_open_a_new_shard_at_once(dsn: str) -> None:
    stores = await asyncio.gather(*(open_shard_store(dsn, FRANKFURT, "ring") for _ in range(6)))
    assert {store.identity.actor for store in stores} == {"frankfurt/s1/1"}
    for store in stores:
        await store.close()


@pytest.mark.parametrize(
    ("origin", "ring"),
    [
        (TOKYO, "ring"),
        (Origin(RegionName("frankfurt"), ShardName("s2")), "ring"),
        (FRANKFURT, "another"),
    ],
)
async def test_database_of_another_shard_is_refused(dsn: str, origin: Origin, ring: str) -> None:
    await (await open_shard_store(dsn, FRANKFURT, "ring")).close()
    with pytest.raises(UnsafeShard, match="holds shard s1 of region frankfurt in ring 'ring'"):
        await open_shard_store(dsn, origin, ring)


async def test_shard_restored_elsewhere_is_refused(dsn: str, admin: asyncpg.Connection) -> None:
    await (await open_shard_store(dsn, FRANKFURT, "ring")).close()
    await admin.execute("update atoll.identity set system_identifier = system_identifier + 1")
    with pytest.raises(UnsafeShard, match="restored, cloned or promoted"):
        await open_shard_store(dsn, FRANKFURT, "ring")


async def test_open_store_that_reconnects_to_another_history_refuses_to_go_on(
    dsn: str, admin: asyncpg.Connection
) -> None:
    store = await open_shard_store(dsn, FRANKFURT, "ring")
    await store.claim(Ownership(range=EVERYTHING, epoch=1))
    await Writer(store).increment(record_id(1))
    await admin.execute("update atoll.identity set timeline = timeline + 1")
    await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'atoll'")
    with pytest.raises(Unavailable):
        await Writer(store).increment(record_id(1))
    with pytest.raises(Unavailable, match="restored, cloned or promoted"):
        await Writer(store).increment(record_id(1))
    await store.close()


async def test_shard_that_would_lose_acknowledged_writes_is_refused(dsn: str, admin: asyncpg.Connection) -> None:
    database = await admin.fetchval("select current_database()")
    await admin.execute(f'alter database "{database}" set synchronous_commit = off')
    with pytest.raises(UnsafeShard, match=r"synchronous_commit is off.*ALTER DATABASE"):
        await open_shard_store(dsn, FRANKFURT, "ring")
    assert await admin.fetchval("select to_regnamespace('atoll')") is None, "nothing was touched"


async def test_store_notices_when_its_shard_stops_being_durable(dsn: str, admin: asyncpg.Connection) -> None:
    store = await open_shard_store(dsn, FRANKFURT, "ring")
    database = await admin.fetchval("select current_database()")
    await admin.execute(f'alter database "{database}" set synchronous_commit = off')
    with pytest.raises(Unavailable, match="no longer flushes"):
        await store.claim(Ownership(range=EVERYTHING, epoch=1))
    await store.close()


async def test_role_that_may_not_create_a_schema_is_told_so(dsn: str, admin: asyncpg.Connection) -> None:
    role = f"limited_{await admin.fetchval('select pg_backend_pid()')}"
    await admin.execute(f"create role {role} login")
    try:
        with pytest.raises(UnsafeShard, match="let its role create a schema"):
            await open_shard_store(dsn.replace("postgres@", f"{role}@"), FRANKFURT, "ring")
    finally:
        await admin.execute(f"drop role {role}")


async def test_database_that_cannot_hold_every_key_is_refused(dsn: str, admin: asyncpg.Connection) -> None:
    name = f"latin_{await admin.fetchval('select pg_backend_pid()')}"
    await admin.execute(f"create database {name} encoding 'LATIN1' template template0")
    try:
        with pytest.raises(UnsafeShard, match="encoding is LATIN1"):
            await open_shard_store(dsn.rpartition("/")[0] + f"/{name}", FRANKFURT, "ring")
    finally:
        await admin.execute(f"drop database {name} with (force)")


async def test_read_only_database_is_refused(dsn: str, admin: asyncpg.Connection) -> None:
    database = await admin.fetchval("select current_database()")
    await admin.execute(f'alter database "{database}" set default_transaction_read_only = on')
    with pytest.raises(UnsafeShard, match="read-only"):
        await open_shard_store(dsn, FRANKFURT, "ring")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1,127.0.0.1:1"])
async def test_server_that_does_not_answer_is_unavailable_and_the_password_stays_secret(host: str) -> None:
    with pytest.raises(Unavailable, match=r"could not reach shard s1 of frankfurt at .*:1: ") as caught:
        await open_shard_store(f"postgresql://atoll:hush%21@{host}/db", FRANKFURT, "ring")
    assert "hush" not in str(caught.value)


async def test_dsn_that_makes_no_sense_is_unavailable_and_the_password_stays_secret() -> None:
    with pytest.raises(Unavailable) as caught:
        await open_shard_store("postgresql://atoll:hush@127.0.0.1:notaport/db", FRANKFURT, "ring")
    assert "hush" not in str(caught.value)


async def test_missing_database_is_unavailable_and_named(dsn: str) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        await open_shard_store(dsn.rpartition("/")[0] + "/nowhere", FRANKFURT, "ring")


# -- migrations ---------------------------------------------------------------------------------------------------

FIRST = Migration(version=1, name="0001_one.sql", sql="create table trial.one (a integer)")
SECOND = Migration(
    version=2, name="0002_two.sql", sql="create table trial.two (a integer); insert into trial.one values (7)"
)


async def test_migrations_are_applied_once_in_order(admin: asyncpg.Connection) -> None:
    assert await migrate(admin, [FIRST], "here", schema="trial") == 1
    assert await migrate(admin, [FIRST, SECOND], "here", schema="trial") == 1
    assert await migrate(admin, [FIRST, SECOND], "here", schema="trial") == 0
    assert await admin.fetchval("select count(*) from trial.one") == 1


async def test_migration_that_fails_leaves_nothing_and_is_tried_again(admin: asyncpg.Connection) -> None:
    broken = replace(SECOND, sql="create table trial.two (a integer); select 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(admin, [FIRST, broken], "here", schema="trial")
    assert await admin.fetchval("select to_regclass('trial.two')") is None
    assert await migrate(admin, [FIRST, SECOND], "here", schema="trial") == 1


async def test_racing_migrations_apply_each_file_once(dsn: str) -> None:
    async def one() -> int:
        connection = await asyncpg.connect(dsn)
        try:
            return await migrate(connection, [FIRST, SECOND], "here", schema="trial")
        finally:
            await connection.close()

    assert sum(await asyncio.gather(*(one() for _ in range(8)))) == 2


async def test_edited_migration_is_refused(admin: asyncpg.Connection) -> None:
    await migrate(admin, [FIRST], "the shard", schema="trial")
    with pytest.raises(SchemaMismatch, match=r"the shard: migration 1 .* must never be edited"):
        await migrate(admin, [replace(FIRST, sql=FIRST.sql + " "), SECOND], "the shard", schema="trial")
    assert await admin.fetchval("select to_regclass('trial.two')") is None


async def test_schema_of_a_newer_atoll_is_refused(dsn: str, admin: asyncpg.Connection) -> None:
    await (await open_shard_store(dsn, FRANKFURT, "ring")).close()
    version = len(SHARD_MIGRATIONS) + 1
    await admin.execute("insert into atoll.migration (version, sha256) values ($1, 'x')", version)
    with pytest.raises(SchemaMismatch, match=f"schema is at version {version}"):
        await open_shard_store(dsn, FRANKFURT, "ring")
