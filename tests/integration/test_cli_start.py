"""Starting a ring as people do: in the foreground, twice at once, interrupted, on an address that is taken."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures.command_line import SMALL_RING, RingFolder, run_atoll, wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RingFolder]:
    made = RingFolder(tmp_path)
    (tmp_path / "atoll.toml").write_text(SMALL_RING, encoding="utf-8")
    yield made
    run_atoll("down", "--wipe", "--yes", cwd=tmp_path)
    wait_until(lambda: made.processes() == {})
    shutil.rmtree(tmp_path, ignore_errors=True)


def start(folder: RingFolder, *arguments: str) -> subprocess.Popen[bytes]:
    """Run ``atoll`` without waiting for it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    command = [sys.executable, "-m", "atoll.cli.main", *arguments]
    return subprocess.Popen(command, cwd=folder.path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def told(process: subprocess.Popen[bytes]) -> bytes:
    """All that a process which has ended, or soon will, has printed."""
    answers, notes = process.communicate(timeout=60)
    return answers + notes


def phase(folder: RingFolder) -> str:
    """How far the ring is, ``""`` before there is one."""
    try:
        return str(folder.state["phase"])
    except FileNotFoundError:
        return ""


def test_ring_in_the_foreground_runs_until_it_is_interrupted(folder: RingFolder) -> None:
    process = start(folder, "up", "--foreground")
    wait_until(lambda: phase(folder) == "running", 60)
    assert folder.json("status")["healthy"]
    addresses = [node["grpc"] for node in folder.state["nodes"]]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    said = told(process)
    assert b"Ctrl-C" in said
    assert all(address.encode() in said for address in addresses)
    assert folder.processes() == {}
    folder.atoll("status", code=4)


def test_of_two_starts_at_once_one_wins_and_the_other_says_so(folder: RingFolder) -> None:
    starts = [start(folder, "up"), start(folder, "up")]
    for process in starts:
        told(process)
    codes = sorted(process.returncode for process in starts)
    assert codes == [0, 4]
    assert folder.json("status")["healthy"]


def test_interrupted_start_leaves_nothing(folder: RingFolder) -> None:
    process = start(folder, "up")
    wait_until(lambda: phase(folder) == "starting")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert b"interrupted: nothing is left running" in told(process)
    wait_until(lambda: folder.processes() == {})
    folder.atoll("status", code=4)


def test_address_that_is_taken_is_named_before_anything_starts(folder: RingFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        table = f'[regions.lima.nodes.n1]\nhttp = "{address}"\n'
        (folder.path / "atoll.toml").write_text(SMALL_RING + table, encoding="utf-8")
        error = folder.json("up", code=2)["error"]
    assert error["code"] == "invalid_configuration"
    assert f"regions.lima.nodes.n1.http: cannot listen on {address}: another process" in error["message"]
    assert not (folder.path / ".atoll").exists()
