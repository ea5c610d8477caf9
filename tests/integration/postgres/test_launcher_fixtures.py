"""The shared servers do what the tests of all other parts rely on."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg

from atoll.postgres.launcher import Server


async def test_fresh_databases_on_one_server_do_not_see_each_other(fresh_database: Callable[[], str]) -> None:
    first, second = await asyncpg.connect(fresh_database()), await asyncpg.connect(fresh_database())
    try:
        await first.execute("CREATE TABLE mine (key text)")
        assert await second.fetchval("SELECT to_regclass('mine')") is None
    finally:
        await first.close()
        await second.close()


def test_fresh_database_works_outside_any_loop(fresh_database: Callable[[], str], postgres_server: Server) -> None:
    assert fresh_database().startswith(f"postgresql://postgres@127.0.0.1:{postgres_server.port}/test_")


async def test_crashable_server_that_is_killed_comes_back_on_its_port(crashable_server: Server) -> None:
    dsn = crashable_server.dsn()
    crashable_server.kill()
    assert not crashable_server.is_running
    await crashable_server.start()
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
