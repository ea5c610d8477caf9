"""Servers cannot outlive the process that launched them, whoever that runs as."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import atoll
from atoll.errors import AlreadyRunning, PostgresFailed
from atoll.postgres.launcher import (
    Binaries,
    Identity,
    LaunchOptions,
    ServerSpec,
    processes,
    running_servers,
    start_servers,
)

SCRIPT = Path(__file__).parents[2] / "fixtures" / "launch_and_wait.py"
GONE_SECONDS = 10
WITHOUT_WATCH = "--without-parent-watch"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")


@asynccontextmanager
async def launcher_process(
    folder: Path, *options: str, command: tuple[str, ...] = (sys.executable,), **environment: str
) -> AsyncIterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The running script and what it printed; killed at the end, and waited for with all that it started."""
    arguments = [*command, str(SCRIPT), str(folder), *options]
    with subprocess.Popen(  # noqa: ASYNC220 - the parent of a server must be a process, and its start is quick
        arguments, stdout=subprocess.PIPE, env={**os.environ, **environment}, cwd="/"
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the launcher ended before its servers were ready"
            report = json.loads(line)
            yield process, report
        finally:
            process.kill()
    if WITHOUT_WATCH not in options:
        await processes.until(lambda: processes.are_gone(report["pids"]), timeout_seconds=GONE_SECONDS)


async def database_answers(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT true")
    finally:
        await connection.close()


@on_linux
async def test_kill_of_the_parent_leaves_no_server_behind(server_folder: Path) -> None:
    async with launcher_process(server_folder, "3") as (process, report):
        assert [await database_answers(dsn) for dsn in report["dsns"]] == [True, True, True]
        assert len(report["pids"]) > 3
        process.kill()
        await processes.until(lambda: processes.are_gone(report["pids"]), timeout_seconds=GONE_SECONDS)


@on_linux
async def test_data_directory_of_a_killed_parent_can_be_used_at_once(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    async with launcher_process(server_folder, "1") as (process, _):
        process.kill()
        process.wait()
    specification = ServerSpec(name="again", data_directory=server_folder / "s0")
    async with running_servers([specification], postgres_binaries) as (server,):
        assert await database_answers(server.dsn())


@pytest.mark.parametrize("reacts", [True, False], ids=["reacts", "hangs"])
async def test_orphan_where_nobody_watches_the_parent_is_ended_by_the_next_start(
    reacts: bool, server_folder: Path, postgres_binaries: Binaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = ServerSpec(name="again", data_directory=server_folder / "s0")
    async with launcher_process(server_folder, "1", WITHOUT_WATCH) as (process, report):
        with pytest.raises(AlreadyRunning):
            await start_servers([specification], postgres_binaries)
        process.kill()
        process.wait()
    assert await database_answers(report["dsns"][0])
    if not reacts:
        monkeypatch.setattr("atoll.limits.SERVER_STOP_SECONDS_MAX", 0.2)
        os.kill(report["pids"][0], signal.SIGSTOP)  # for good: only a kill ends it now
    async with running_servers([specification], postgres_binaries) as (server,):
        assert processes.are_gone(report["pids"])
        assert await database_answers(server.dsn())


# -- who runs the servers -----------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that every user of this machine can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="atoll-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def python_for(user: int, group: int) -> tuple[tuple[str, ...], str]:
    """How to run this Python as another user, and its search path; skips where that user cannot read it."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv on this machine")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    search_path = os.pathsep.join(str(Path(module.__file__).parents[1]) for module in (atoll, asyncpg))
    for python in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")):
        if python is None:
            continue
        command = (setpriv, f"--reuid={user}", f"--regid={group}", "--clear-groups", python)
        probe = [*command, "-c", "import asyncpg, atoll.postgres.launcher, os, sys; os.stat(sys.executable)"]
        environment = {**os.environ, "PYTHONPATH": search_path}
        if subprocess.run(probe, env=environment, cwd="/", capture_output=True).returncode == 0:
            return command, search_path
    return pytest.skip("no Python that an ordinary user of this machine may run and that has what Atoll needs")


def owners_of(pids: Collection[int]) -> set[int]:
    """Who runs the processes, of those that have not ended (sessions and workers of Postgres come and go)."""
    owners = set()
    for pid in pids:
        with suppress(FileNotFoundError):
            owners.add(os.stat(f"/proc/{pid}").st_uid)
    return owners


@as_root
@on_linux
async def test_ordinary_user_launches_and_its_death_leaves_no_server_behind(open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    command, search_path = python_for(nobody.pw_uid, nobody.pw_gid)
    os.chown(open_folder, nobody.pw_uid, nobody.pw_gid)
    async with launcher_process(open_folder, "2", command=command, PYTHONPATH=search_path) as (process, report):
        assert report["user"] == nobody.pw_uid
        assert owners_of(report["pids"]) == {nobody.pw_uid}
        assert [await database_answers(dsn) for dsn in report["dsns"]] == [True, True]
        process.kill()
        await processes.until(lambda: processes.are_gone(report["pids"]), timeout_seconds=GONE_SECONDS)


@as_root
@on_linux
async def test_root_without_user_namespaces_becomes_an_account_and_takes_the_files_back_later(
    open_folder: Path, postgres_binaries: Binaries
) -> None:
    specification = ServerSpec(name="one", data_directory=open_folder / "one", password_file=open_folder / "password")
    account = LaunchOptions(identity=Identity.ACCOUNT)
    async with running_servers([specification], postgres_binaries, options=account) as (server,):
        owners = owners_of((server.pid, *processes.descendants(server.pid)))
        assert len(owners) == 1
        assert owners != {0}
        assert specification.data_directory.stat().st_uid in owners
        assert await database_answers(server.dsn())
    async with running_servers([specification], postgres_binaries) as (server,):
        assert await database_answers(server.dsn())


@as_root
@on_linux
async def test_root_without_user_namespaces_is_told_which_path_the_account_cannot_reach(
    open_folder: Path, postgres_binaries: Binaries
) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    specification = ServerSpec(name="one", data_directory=closed / "one")
    with pytest.raises(PostgresFailed, match=f"cannot reach {closed}.*open its parent directories"):
        await start_servers([specification], postgres_binaries, options=LaunchOptions(identity=Identity.ACCOUNT))


@as_root
@on_linux
async def test_root_in_a_user_namespace_changes_no_owner_and_needs_no_open_directory(
    server_folder: Path, postgres_binaries: Binaries
) -> None:
    specification = ServerSpec(name="one", data_directory=server_folder / "one")
    options = LaunchOptions(identity=Identity.NAMESPACE)
    try:
        async with running_servers([specification], postgres_binaries, options=options) as (server,):
            assert await database_answers(server.dsn())
            assert specification.data_directory.stat().st_uid == 0
    except PostgresFailed as refused:
        if "does not allow user namespaces" not in str(refused):
            raise
        pytest.skip("this kernel or container does not allow user namespaces")
