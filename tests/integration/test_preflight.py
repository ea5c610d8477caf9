"""Preflight on real servers: silent when all is well, and one error by key and fix when a shard would lose writes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tests.fixtures.servers import run_in_main

from atoll.errors import InvalidConfiguration, UnsafeShard
from atoll.postgres.launcher import Binaries, ServerSpec, running_servers
from atoll.postgres.preflight import check_shards, dangers

FILE = Path("atoll.toml")
KEY = "regions.here.shards.s1.dsn"
Database = Callable[[], str]


async def run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def name_of(dsn: str) -> str:
    return urlsplit(dsn).path.strip("/")


async def test_safe_databases_pass(fresh_database: Database) -> None:
    await check_shards(FILE, {KEY: fresh_database(), "regions.here.shards.s2.dsn": fresh_database()})


async def test_no_databases_pass() -> None:
    await check_shards(FILE, {})


async def test_database_that_does_not_answer_is_named_by_key(fresh_database: Database) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer here
        dead = f"postgresql://me:hunter2@127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(InvalidConfiguration, match=r"atoll\.toml: 1 problem.*\n  regions\.there") as caught:
            await check_shards(FILE, {KEY: fresh_database(), "regions.there.shards.s1.dsn": dead})
    assert "hunter2" not in str(caught.value)


async def test_database_that_does_not_exist_is_named_by_key(fresh_database: Database) -> None:
    missing = urlunsplit(urlsplit(fresh_database())._replace(path="/nowhere"))
    with pytest.raises(InvalidConfiguration, match=r'regions\.here.*"nowhere" does not exist'):
        await check_shards(FILE, {KEY: missing})


async def test_asynchronous_commit_of_the_database_is_refused(fresh_database: Database) -> None:
    dsn = fresh_database()
    await run(dsn, f"alter database {name_of(dsn)} set synchronous_commit = off")
    with pytest.raises(UnsafeShard, match=f'ALTER DATABASE "{name_of(dsn)}" RESET synchronous_commit'):
        await check_shards(FILE, {KEY: dsn})


async def test_asynchronous_commit_of_the_role_is_refused(fresh_database: Database) -> None:
    dsn, role = fresh_database(), f"role_of_{name_of(fresh_database())}"
    await run(dsn, f"create role {role} login superuser", f"alter role {role} set synchronous_commit = off")
    try:
        parts = urlsplit(dsn)
        as_role = urlunsplit(parts._replace(netloc=f"{role}@{parts.hostname}:{parts.port}"))
        with pytest.raises(UnsafeShard, match=f'ALTER ROLE "{role}" RESET synchronous_commit'):
            await check_shards(FILE, {KEY: as_role})
    finally:
        await run(dsn, f"drop role {role}")


async def test_asynchronous_commit_of_the_dsn_is_refused(fresh_database: Database) -> None:
    with pytest.raises(UnsafeShard, match="take synchronous_commit out of the DSN"):
        await check_shards(FILE, {KEY: f"{fresh_database()}?synchronous_commit=off"})


def test_slack_server_is_refused_for_each_of_its_settings(postgres_binaries: Binaries, tmp_path: Path) -> None:
    slack = {"fsync": "off", "synchronous_commit": "off"}
    specification = ServerSpec(name="slack", data_directory=tmp_path / "slack", settings=slack)

    async def check() -> None:
        async with running_servers([specification], postgres_binaries) as [server]:
            await check_shards(FILE, {KEY: server.dsn()})

    with pytest.raises(UnsafeShard, match="2 problem") as caught:
        run_in_main(check())
    assert "set fsync = on" in str(caught.value)
    assert "without -c synchronous_commit" in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"major_version": 14}, "Postgres 14 is too old: 15 or newer"),
        ({"in_recovery": True, "read_only": "on"}, "give the DSN of the primary"),
        ({"synchronous_commit": "off", "synchronous_commit_source": "configuration file"}, "server's configuration"),
    ],
)
def test_each_danger_is_told_once_with_its_fix(facts: dict[str, object], problem: str) -> None:
    safe = {
        "major_version": 18,
        "synchronous_commit": "on",
        "synchronous_commit_source": "default",
        "fsync": "on",
        "in_recovery": False,
        "read_only": "off",
        "role": "atoll",
        "database": "shard",
    }
    assert list(dangers(safe)) == []
    (told,) = dangers({**safe, **facts})
    assert problem in told


async def test_read_only_database_is_refused(fresh_database: Database) -> None:
    dsn = fresh_database()
    await run(dsn, f"alter database {name_of(dsn)} set default_transaction_read_only = on")
    with pytest.raises(UnsafeShard, match="read-only by default"):
        await check_shards(FILE, {KEY: dsn})


async def test_two_names_of_one_database_are_refused(fresh_database: Database) -> None:
    dsn = fresh_database()
    with pytest.raises(InvalidConfiguration, match=rf"regions\.there.*same database as {KEY}"):
        await check_shards(FILE, {KEY: dsn, "regions.there.shards.s1.dsn": f"{dsn}?application_name=other"})


async def test_catalog_may_share_the_database_of_its_own_regions_shard(fresh_database: Database) -> None:
    dsn = fresh_database()
    await check_shards(FILE, {KEY: dsn, "regions.here.catalog": dsn})


async def test_all_problems_are_reported_at_once(fresh_database: Database) -> None:
    slack = f"{fresh_database()}?synchronous_commit=off"
    with pytest.raises(InvalidConfiguration) as caught:
        await check_shards(FILE, {KEY: slack, "regions.there.shards.s1.dsn": "postgresql://127.0.0.1:1/x"})
    assert "2 problems with databases" in str(caught.value)
