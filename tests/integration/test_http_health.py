"""A node's HTTP door, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from atoll import limits
from atoll.errors import InvalidConfiguration
from atoll.http.application import build_application
from atoll.http.health import Readiness, ReadinessCheck
from atoll.http.server import HttpServer
from atoll.metrics import Metrics
from atoll.supervisor.http_probe import get_status


async def always_ready() -> Readiness:
    return Readiness(warnings={"shard s2": "connection refused"})


@asynccontextmanager
async def serving(check: ReadinessCheck = always_ready, metrics: Metrics | None = None) -> AsyncIterator[str]:
    server = HttpServer(build_application((metrics or Metrics()).registry, check), "127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def get(address: str, path: str) -> tuple[int, dict[str, str], bytes]:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


async def test_live_node_says_so() -> None:
    async with serving() as address:
        status, _, body = await get(address, "/health/live")
    assert (status, orjson.loads(body)) == (200, {"status": "live"})


async def test_node_with_warnings_is_ready() -> None:
    async with serving() as address:
        status, headers, body = await get(address, "/health/ready")
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert orjson.loads(body)["warnings"] == {"shard s2": "connection refused"}


async def test_node_with_problems_is_not_ready_and_says_why() -> None:
    async def check() -> Readiness:
        return Readiness(problems={"map": "not loaded"})

    async with serving(check) as address:
        status, _, body = await get(address, "/health/ready")
    assert status == 503
    assert orjson.loads(body)["problems"] == {"map": "not loaded"}


async def test_check_that_fails_means_not_ready() -> None:
    async def check() -> Readiness:
        raise ConnectionError("gone")

    async with serving(check) as address:
        status, _, body = await get(address, "/health/ready")
    assert status == 503
    assert orjson.loads(body)["problems"] == {"node": "ConnectionError: gone"}


async def test_check_that_hangs_means_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> Readiness:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(limits, "READY_ANSWER_SECONDS_MAX", 0.05)
    async with serving(check) as address:
        status, _, body = await get(address, "/health/ready")
    assert status == 503
    assert "no answer" in orjson.loads(body)["problems"]["node"]


async def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics()
    metrics.forwarded.labels("tokyo").inc(3)
    async with serving(metrics=metrics) as address:
        status, headers, body = await get(address, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    assert b'atoll_forwarded_total{region="tokyo"} 3.0' in body


async def test_unknown_path_is_not_found() -> None:
    async with serving() as address:
        assert await get_status(address, "/secret") == 404


async def test_taken_address_is_told_and_nothing_exits() -> None:
    async with serving() as address:
        server = HttpServer(build_application(Metrics().registry, always_ready), address)
        with pytest.raises(InvalidConfiguration, match="cannot listen on"):
            await server.start()


async def test_stopped_server_answers_no_more() -> None:
    async with serving() as address:
        assert await get_status(address, "/health/live") == 200
    assert await get_status(address, "/health/live") is None


async def test_stop_does_not_wait_for_a_silent_connection() -> None:
    async with serving() as address:
        host, port = address.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < limits.HTTP_DRAIN_SECONDS_MAX + 2
    writer.close()
