"""Postgres out of containers, where a Docker engine answers."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import asyncpg
import pytest

from atoll.errors import PostgresNotFound
from atoll.postgres.launcher import ServerSpec
from atoll.postgres.launcher.containers import docker_answers, start_containers


async def start_engine(path: Path, answer: bytes) -> asyncio.Server:
    """Something that answers each request on a socket with ``answer``, or not at all when that is empty."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()

    return await asyncio.start_unix_server(serve, path)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nOK", True),
        (b"HTTP/1.0 500 Internal Server Error\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_engine_counts_only_if_it_answers_well_and_in_time(
    answer: bytes, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atoll.limits.DOCKER_ANSWER_SECONDS_MAX", 2.0 if answer else 0.2)
    with tempfile.TemporaryDirectory() as folder:
        async with await start_engine(Path(folder) / "docker.sock", answer):
            assert await docker_answers(f"unix://{folder}/docker.sock") is expected


@pytest.mark.parametrize(
    "address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "ssh://host", "tcp://no:port"]
)
async def test_engine_that_cannot_be_reached_does_not_answer(address: str) -> None:
    assert await docker_answers(address) is False


async def test_start_without_an_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(PostgresNotFound, match="no Docker engine answers"):
        await start_containers([ServerSpec(name="one", data_directory=Path("/nowhere"))])


@pytest.mark.docker
@pytest.mark.slow
async def test_containers_serve_with_their_own_settings() -> None:
    if not await docker_answers():
        pytest.skip("no Docker engine answers on this machine")
    specs = [
        ServerSpec(name=name, data_directory=Path("/unused"), settings={"work_mem": size})
        for name, size in (("one", "1MB"), ("two", "2MB"))
    ]
    servers = await start_containers(specs)
    try:
        for server, size in zip(servers, ("1MB", "2MB"), strict=True):
            connection = await asyncpg.connect(server.dsn())
            assert await connection.fetchval("SHOW work_mem") == size
            assert await connection.fetchval("SHOW max_prepared_transactions") == "64"
            await connection.close()
    finally:
        await asyncio.gather(*(server.stop() for server in servers))
