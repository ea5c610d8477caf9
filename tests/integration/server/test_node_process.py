"""One node as a process: it says what it waits for, serves what it can, and stops in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.command_line import RingFolder, wait_until

from atoll.postgres.launcher import Server, StopMode
from atoll.postgres.launcher.settings import free_port
from atoll.supervisor.http_probe import get_status


class NodeUnderTest:
    """``python -m atoll.server`` on a configuration that names everything."""

    def __init__(self, folder: Path, first: str, second: str) -> None:
        self.grpc, self.http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.folder = RingFolder(folder)
        (folder / "atoll.toml").write_text(
            f'ring = "test"\ntoken_key = "{"ab" * 32}"\n'
            f'[regions.oslo.shards.s1]\ndsn = "{first}"\n[regions.oslo.shards.s2]\ndsn = "{second}"\n'
            f'[regions.oslo.nodes.n1]\ngrpc = "{self.grpc}"\nhttp = "{self.http}"\n[collections.notes]\n'
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "atoll.server", "--region", "oslo", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
        self.process = subprocess.Popen(
            command, cwd=self.folder.path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        return self.process

    def ready(self) -> dict[str, Any]:
        """What ``/health/ready`` says, with its status code; empty while nothing listens."""
        try:
            with urllib.request.urlopen(f"http://{self.http}/health/ready", timeout=10) as response:
                return {"code": response.status, **json.loads(response.read())}
        except urllib.error.HTTPError as error:
            with error:
                return {"code": error.code, **json.loads(error.read())}
        except OSError:
            return {}

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def node(tmp_path: Path, fresh_database: Callable[[], str], crashable_server: Server) -> Iterator[NodeUnderTest]:
    """Its first shard is on the session's server, its second on one that may be stopped."""
    made = NodeUnderTest(tmp_path, fresh_database(), crashable_server.dsn())
    yield made
    made.close()


async def test_node_starts_without_one_of_its_shards_and_takes_it_in_later(
    node: NodeUnderTest, crashable_server: Server
) -> None:
    await crashable_server.stop(StopMode.FAST)
    node.start()
    wait_until(lambda: node.ready().get("code") == 200)
    assert "shard s2" in node.ready()["warnings"]
    written = [node.folder.json("put", "notes", f"k{number}", "n=1", code=None) for number in range(4)]
    assert any(result == {"written": True} for result in written), "records of the other shard are served"
    await crashable_server.start()
    wait_until(lambda: node.ready()["warnings"] == {})
    for number in range(4):
        assert node.folder.json("put", "notes", f"k{number}", "n=2") == {"written": True}
    assert node.stop() == 0


async def test_node_without_its_catalog_lives_and_says_what_it_waits_for(
    tmp_path: Path, fresh_database: Callable[[], str], crashable_server: Server
) -> None:
    await crashable_server.stop(StopMode.FAST)
    node = NodeUnderTest(tmp_path, crashable_server.dsn(), fresh_database())
    try:
        node.start()
        wait_until(lambda: node.ready().get("code") == 503 and "catalog" in node.ready()["problems"]["node"])
        assert await get_status(node.http, "/health/live") == 200
        await crashable_server.start()
        wait_until(lambda: node.ready().get("code") == 200)
        assert node.stop() == 0
    finally:
        node.close()


async def test_node_that_waits_for_its_catalog_stops_at_once(
    tmp_path: Path, fresh_database: Callable[[], str]
) -> None:
    node = NodeUnderTest(tmp_path, "postgresql://me@127.0.0.1:1/x", fresh_database())
    try:
        node.start()
        wait_until(lambda: node.ready().get("code") == 503)
        assert node.stop() == 0
    finally:
        node.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--node", "n9"], "no node 'n9'"), (["--region", "mars"], "no region 'mars'")],
)
def test_node_that_is_not_configured_is_refused(
    tmp_path: Path, fresh_database: Callable[[], str], arguments: list[str], said: str
) -> None:
    node = NodeUnderTest(tmp_path, fresh_database(), fresh_database())
    try:
        process = node.start(*arguments)
        _, output = process.communicate(timeout=30)
        assert process.returncode == 2
        assert said in output.decode()
    finally:
        node.close()


def test_second_node_on_one_address_is_refused(tmp_path: Path, fresh_database: Callable[[], str]) -> None:
    node = NodeUnderTest(tmp_path, fresh_database(), fresh_database())
    first = node.start()
    try:
        wait_until(lambda: node.ready().get("code") == 200)
        second = node.start()
        _, output = second.communicate(timeout=30)
        assert second.returncode == 2
        assert "cannot listen on" in output.decode()
    finally:
        node.close()
        first.kill()
        first.communicate()


def test_node_ends_with_the_parent_it_was_told_of(tmp_path: Path, fresh_database: Callable[[], str]) -> None:
    node = NodeUnderTest(tmp_path, fresh_database(), fresh_database())
    process = node.start("--parent", "1")
    try:
        assert process.wait(30) == 1, "its parent is not the one it was told of, so that one must be dead"
    finally:
        node.close()
