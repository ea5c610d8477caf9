"""The independent look finds a text wherever it hides."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import asyncpg

from atoll.postgres.inspection import find_everywhere
from atoll.postgres.launcher import Server


async def test_text_is_found_in_every_kind_of_column(fresh_database: Callable[[], str]) -> None:
    dsn = fresh_database()
    connection = await asyncpg.connect(dsn)
    await connection.execute("""
        CREATE SCHEMA "a b";
        CREATE TABLE "a b".bytes (data bytea);
        CREATE TABLE documents (document jsonb, list text[]);
        CREATE TABLE clean (data text);
        INSERT INTO "a b".bytes VALUES (convert_to('..secret_7%..', 'UTF8')), ('other');
        INSERT INTO documents VALUES ('{"x": ["a secret_7% b"]}', NULL), ('1', ARRAY['secret_7%']), ('2', '{}');
        INSERT INTO clean VALUES ('secretX7Y');
    """)
    await connection.close()
    database = dsn.rpartition("/")[2]
    found = [finding for finding in await find_everywhere(dsn, ["secret_7%"]) if finding.database == database]
    assert [(finding.table, finding.rows) for finding in found] == [('"a b".bytes', 1), ("public.documents", 2)]


async def test_temporary_table_that_a_crash_leaves_by_name_alone_does_not_end_the_search(
    crashable_server: Server,
) -> None:
    connection = await asyncpg.connect(crashable_server.dsn())
    await connection.execute("CREATE TEMPORARY TABLE gone (data text)")
    await connection.execute("CREATE TABLE kept (data text)")
    await connection.execute("INSERT INTO kept VALUES ('secret words')")
    os.kill(connection.get_server_pid(), signal.SIGSTOP)  # or it may hear of the end and clean up after itself
    crashable_server.kill()
    connection.terminate()
    await crashable_server.start()
    found = await find_everywhere(crashable_server.dsn(), ["secret words"])
    assert [(finding.table, finding.rows) for finding in found] == [("public.kept", 1)]
