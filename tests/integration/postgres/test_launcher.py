"""Launched servers: distinct, durable, on loopback, and none left behind by a failure."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
import uvloop

from atoll.errors import InvalidConfiguration, PostgresFailed
from atoll.postgres.launcher import (
    Binaries,
    LaunchOptions,
    Progress,
    Server,
    ServerSpec,
    Stage,
    StopMode,
    processes,
    running_servers,
    start_servers,
    stop_servers,
)


def spec(folder: Path, name: str = "one", **others: object) -> ServerSpec:
    return ServerSpec(name=name, data_directory=folder / name, **others)  # type: ignore[arg-type]


def names_in(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


async def ask(server: Server, query: str, database: str = "postgres") -> object:
    connection = await asyncpg.connect(server.dsn(database))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def servers_below_this_process() -> list[str]:
    """Command lines of all Postgres programs that this process has started and that still run."""
    below = [pid for pid in processes.descendants(os.getpid()) if not processes.are_gone([pid])]
    return [line for pid in below if "postgres" in (line := processes.command_line(pid))]


# -- what runs ----------------------------------------------------------------------------------------------------


async def test_four_servers_started_at_once_are_distinct_and_have_their_own_settings(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    specs = [spec(server_folder, f"s{n}", settings={"work_mem": f"{n}MB"}) for n in range(1, 5)]
    seen: list[Progress] = []
    servers = await start_servers(specs, postgres_binaries, on_progress=seen.append)
    try:
        assert [server.name for server in servers] == ["s1", "s2", "s3", "s4"]
        for distinct in ("system_identifier", "port", "pid"):
            assert len({getattr(server, distinct) for server in servers}) == 4, distinct
        assert [await ask(server, "SHOW work_mem") for server in servers] == ["1MB", "2MB", "3MB", "4MB"]
        assert [stage for name, stage in seen if name == "s3"] == [Stage.CREATING, Stage.STARTING, Stage.READY]
        assert all(server.version // 10_000 == postgres_binaries.version[0] for server in servers)
    finally:
        await stop_servers(servers)
    assert not any(server.is_running for server in servers)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("max_prepared_transactions", "64"),
        ("max_connections", "200"),
        ("shared_buffers", "64MB"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ],
)
async def test_server_is_durable_and_on_loopback_alone(postgres_server: Server, setting: str, value: str) -> None:
    assert await ask(postgres_server, f"SHOW {setting}") == value


async def test_own_settings_win_over_the_defaults_but_not_over_the_address(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    chosen = {"synchronous_commit": "off", "listen_addresses": "*"}
    async with running_servers([spec(server_folder, settings=chosen)], postgres_binaries) as (server,):
        assert await ask(server, "SHOW synchronous_commit") == "off"
        assert await ask(server, "SHOW listen_addresses") == "127.0.0.1"


async def test_create_database_twice_and_at_the_same_time_makes_one(postgres_server: Server) -> None:
    name = 'odd "name" 100%/?'
    dsns = await asyncio.gather(*(postgres_server.create_database(name) for _ in range(4)))
    try:
        assert dsns == [postgres_server.dsn(name)] * 4
        assert await ask(postgres_server, "SELECT current_database()", name) == name
    finally:
        await postgres_server.drop_database(name)
    await postgres_server.drop_database(name)


async def test_server_with_a_password_file_refuses_whoever_does_not_know_it(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    secret = server_folder / "state" / "password"
    specification = spec(server_folder, password_file=secret)
    for _ in ("created", "found again"):
        async with running_servers([specification], postgres_binaries) as (server,):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
            assert await ask(server, "SELECT 1") == 1
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(server.dsn(), password="guess")
    assert names_in(server_folder, "*.password") == []
    secret.write_text("another")
    with pytest.raises(PostgresFailed, match="refuses the password"):
        await start_servers([specification], postgres_binaries)


def test_servers_outlive_the_loop_that_started_them_and_work_under_uvloop(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    servers = uvloop.run(start_servers([spec(server_folder)], postgres_binaries))
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        assert runner.run(ask(servers[0], "SELECT 1")) == 1
    uvloop.run(stop_servers(servers))
    assert not servers[0].is_running


def test_start_from_another_thread_is_refused_because_the_server_would_end_with_it(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    with ThreadPoolExecutor(max_workers=1) as pool:
        started = pool.submit(asyncio.run, start_servers([spec(server_folder)], postgres_binaries))
        with pytest.raises(AssertionError, match="main thread"):
            started.result()


# -- what goes wrong ----------------------------------------------------------------------------------------------


async def test_port_that_is_taken_meanwhile_is_given_up_for_the_next(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], taken.getsockname()[1], LaunchOptions().choose_port()]
        offered = iter(ports)
        options = LaunchOptions(choose_port=lambda: next(offered))
        async with running_servers([spec(server_folder)], postgres_binaries, options=options) as (server,):
            assert server.port == ports[-1]
            assert await ask(server, "SELECT 1") == 1


async def test_fixed_port_that_stays_taken_fails_clearly(server_folder: Path, postgres_binaries: Binaries) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PostgresFailed, match="Address already in use"):
            await start_servers([spec(server_folder, port=port)], postgres_binaries)


async def test_start_that_fails_quotes_the_log_and_stops_the_others(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    before = len(servers_below_this_process())
    specs = [spec(server_folder, "good"), spec(server_folder, "bad", settings={"shared_buffers": "much"})]
    with pytest.raises(PostgresFailed, match=r'bad did not start(.|\n)*"shared_buffers": "much"'):
        await start_servers(specs, postgres_binaries)
    assert len(servers_below_this_process()) == before


@pytest.mark.parametrize("stage", [Stage.CREATING, Stage.STARTING])
async def test_start_that_is_cancelled_leaves_no_process_and_can_be_repeated(
    stage: Stage, server_folder: Path, postgres_binaries: Binaries
) -> None:
    before = len(servers_below_this_process())
    reached = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.stage is stage:
            reached.set()

    starting = asyncio.create_task(start_servers([spec(server_folder)], postgres_binaries, on_progress=on_progress))
    await reached.wait()
    await processes.until(lambda: len(servers_below_this_process()) > before, timeout_seconds=10)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert len(servers_below_this_process()) == before
    async with running_servers([spec(server_folder)], postgres_binaries) as (server,):
        assert await ask(server, "SELECT 1") == 1
    assert names_in(server_folder, "*.partial-*") == []


async def test_directory_with_other_things_in_it_is_refused_and_left_alone(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    letter = server_folder / "one" / "letter.txt"
    letter.parent.mkdir()
    letter.write_text("mine")
    with pytest.raises(PostgresFailed, match="other than a Postgres data directory"):
        await start_servers([spec(server_folder)], postgres_binaries)
    assert letter.read_text() == "mine"


async def test_directory_of_another_major_version_is_refused_with_both_versions(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    (server_folder / "one").mkdir()
    (server_folder / "one" / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresFailed, match=f"made by Postgres 12.*Postgres {postgres_binaries.version[0]}"):
        await start_servers([spec(server_folder)], postgres_binaries)


@pytest.mark.parametrize("name", ["", "work mem", "a=b", "-c", "x;y"])
async def test_setting_with_an_impossible_name_is_refused(
    name: str, server_folder: Path, postgres_binaries: Binaries
) -> None:
    with pytest.raises(InvalidConfiguration, match="not the name of a Postgres setting"):
        await start_servers([spec(server_folder, settings={name: "1"})], postgres_binaries)
    assert names_in(server_folder, "*") == []


@pytest.mark.parametrize("twice", ["name", "data directory"])
async def test_two_servers_that_share_a_name_or_a_directory_are_refused(
    twice: str, server_folder: Path, postgres_binaries: Binaries
) -> None:
    names = itertools.repeat("same") if twice == "name" else iter(["first", "second"])
    places = itertools.repeat("same") if twice == "data directory" else iter(["first", "second"])
    specs = [ServerSpec(name=next(names), data_directory=server_folder / next(places)) for _ in range(2)]
    with pytest.raises(InvalidConfiguration, match=f"the same {twice}"):
        await start_servers(specs, postgres_binaries)


async def test_stop_of_a_stopped_or_never_started_server_does_nothing(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    server = Server(spec(server_folder), postgres_binaries)
    await server.stop()
    server.kill()
    assert repr(server) == "<Server one: not running>"
    await server.start()
    await server.stop(StopMode.IMMEDIATE)
    await server.stop()
    assert not server.is_running
