"""Processes that stand still go on when they are told to, and when whoever halted them is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.fixtures.command_line import wait_until

from atoll.postgres.launcher.processes import process_table
from atoll.simulation.real.halting import Halted

FAMILY = ("/bin/sh", "-c", "sleep 600 & sleep 600 & wait")
"""A parent and two children that do nothing for long."""

HALT_AND_WAIT = """
import sys
from atoll.simulation.real.halting import Halted
halted = Halted(int(sys.argv[1]))
print("halted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family() -> Iterator[list[int]]:
    process = subprocess.Popen(FAMILY, start_new_session=True)
    try:
        wait_until(lambda: len(children(process.pid)) == 2, 10)
        yield [process.pid, *children(process.pid)]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def children(pid: int) -> list[int]:
    return [entry.pid for entry in process_table().values() if entry.parent == pid]


def stand_still(pids: list[int]) -> bool:
    table = process_table()
    return all(table[pid].state == "T" for pid in pids)


def run_on(pids: list[int]) -> bool:
    table = process_table()
    return all(table[pid].state in "SR" for pid in pids)


def test_whole_family_stands_still_until_it_is_resumed(family: list[int]) -> None:
    halted = Halted(family[0])
    wait_until(lambda: stand_still(family), 10)
    halted.resume()
    wait_until(lambda: run_on(family), 10)


def test_family_goes_on_when_whoever_halted_it_is_killed(family: list[int]) -> None:
    halter = subprocess.Popen(
        [sys.executable, "-c", HALT_AND_WAIT, str(family[0])], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert halter.stdout is not None
    assert halter.stdin is not None
    assert halter.stdout.readline() == b"halted\n"
    wait_until(lambda: stand_still(family), 10)
    halter.kill()
    halter.wait()
    wait_until(lambda: run_on(family), 10)
    halter.stdin.close()
    halter.stdout.close()


def test_member_that_dies_meanwhile_does_not_matter(family: list[int]) -> None:
    halted = Halted(family[0])
    os.kill(family[1], signal.SIGKILL)
    halted.resume()
    wait_until(lambda: run_on([family[0], family[2]]), 10)
