"""Whatever happens to a server, its data survive and its next start succeeds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from atoll.errors import AlreadyRunning
from atoll.postgres.launcher import Binaries, Server, ServerSpec, StopMode, processes, running_servers, start_servers


async def write(server: Server, key: str) -> None:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (key text PRIMARY KEY)")
        await connection.execute("INSERT INTO kept VALUES ($1)", key)
    finally:
        await connection.close()


async def keys(server: Server) -> list[str]:
    connection = await asyncpg.connect(server.dsn())
    try:
        return [row["key"] for row in await connection.fetch("SELECT key FROM kept ORDER BY key")]
    finally:
        await connection.close()


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """A process that reacts to nothing but a kill, for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def test_data_identity_and_port_survive_stop_kill_and_start(crashable_server: Server) -> None:
    server = crashable_server
    identity = (server.system_identifier, server.port, server.version)
    await write(server, "1 before a fast stop")
    await server.stop()
    await server.start()
    await write(server, "2 before an immediate stop")
    await server.stop(StopMode.IMMEDIATE)
    await server.start()
    await write(server, "3 before a kill")
    server.kill()
    await server.start()
    assert await keys(server) == ["1 before a fast stop", "2 before an immediate stop", "3 before a kill"]
    assert (server.system_identifier, server.port, server.version) == identity


async def test_prepared_transaction_survives_a_kill(crashable_server: Server) -> None:
    await write(crashable_server, "first")
    connection = await asyncpg.connect(crashable_server.dsn())
    await connection.execute("BEGIN; INSERT INTO kept VALUES ('prepared'); PREPARE TRANSACTION 'gid'")
    crashable_server.kill()
    connection.terminate()
    await crashable_server.start()
    connection = await asyncpg.connect(crashable_server.dsn())
    await connection.execute("COMMIT PREPARED 'gid'")
    await connection.close()
    assert await keys(crashable_server) == ["first", "prepared"]


async def test_kill_ends_the_sessions_too_and_at_once(crashable_server: Server) -> None:
    connection = await asyncpg.connect(crashable_server.dsn())
    session = await connection.fetchval("SELECT pg_backend_pid()")
    family = processes.descendants(crashable_server.pid)
    assert session in family
    with halted(session):  # so that it cannot notice by itself that the main process is gone
        crashable_server.kill()
        assert processes.are_gone([crashable_server.pid, *family])
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()


async def test_stop_with_open_sessions_is_quick_and_leaves_no_process(crashable_server: Server) -> None:
    connection = await asyncpg.connect(crashable_server.dsn())
    await connection.execute("BEGIN; LOCK TABLE pg_class IN ACCESS SHARE MODE")
    family = processes.descendants(crashable_server.pid)
    await crashable_server.stop()
    assert processes.are_gone([crashable_server.pid, *family])
    connection.terminate()


async def test_fast_stop_of_a_server_that_does_not_react_is_escalated(
    crashable_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atoll.limits.SERVER_STOP_SECONDS_MAX", 0.2)
    monkeypatch.setattr("atoll.limits.SERVER_ABORT_SECONDS_MAX", 1.0)
    with halted(crashable_server.pid):
        await crashable_server.stop()
        assert not crashable_server.is_running


async def test_start_waits_for_the_sessions_that_outlive_a_killed_main_process(crashable_server: Server) -> None:
    """Two servers on the same files would destroy them: the new one must wait until the last old session is gone."""
    await write(crashable_server, "before")
    connection = await asyncpg.connect(crashable_server.dsn())
    session = await connection.fetchval("SELECT pg_backend_pid()")
    with halted(session):
        os.kill(crashable_server.pid, signal.SIGKILL)
        await processes.until(lambda: not crashable_server.is_running, timeout_seconds=5)
        starting = asyncio.create_task(crashable_server.start())
        log = crashable_server.files
        await processes.until(lambda: "is still in use" in log.log_since(0), timeout_seconds=10)
        assert not starting.done()
    await starting
    assert processes.are_gone([session])
    assert await keys(crashable_server) == ["before"]
    connection.terminate()


async def test_number_of_a_dead_server_that_an_innocent_process_got_does_not_prevent_the_start(
    crashable_server: Server,
) -> None:
    crashable_server.kill()
    with subprocess.Popen(["sleep", "60"]) as innocent:  # noqa: ASYNC220 - a process of any kind
        pid_file = crashable_server.files.path / "postmaster.pid"
        _, _, rest = pid_file.read_text().partition("\n")
        pid_file.write_text(f"{innocent.pid}\n{rest}")
        await crashable_server.start()
        assert innocent.poll() is None
        innocent.kill()


async def test_data_directory_in_use_is_refused_and_its_server_left_alone(
    crashable_server: Server, postgres_binaries: Binaries
) -> None:
    second = ServerSpec(name="second", data_directory=crashable_server.spec.data_directory)
    with pytest.raises(AlreadyRunning, match=str(crashable_server.pid)):
        await start_servers([second], postgres_binaries)
    assert crashable_server.is_running
    await write(crashable_server, "still served")


async def test_log_that_grew_too_long_is_put_aside_once(
    server_folder: Path, postgres_binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = ServerSpec(name="one", data_directory=server_folder / "one")
    async with running_servers([specification], postgres_binaries):
        pass
    monkeypatch.setattr("atoll.limits.SERVER_LOG_BYTES_MAX", 10)
    async with running_servers([specification], postgres_binaries) as (server,):
        old = server.files.path.with_name("one.log.old").read_text()
        assert "shut down" in old
        assert "ready to accept connections" in server.files.log_path.read_text()
