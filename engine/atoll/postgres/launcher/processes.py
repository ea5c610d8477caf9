"""The operating system's processes: spawn one under the guard, look at the others, end a whole family.

Processes are plain :class:`subprocess.Popen` objects, never asyncio subprocesses: a server outlives the event loop
that started it (a test session has many loops), and any loop may stop it. Waiting polls, every few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple

from atoll import limits

POLL_SECONDS = 0.01
FAST_SHUTDOWN = signal.SIGINT
IMMEDIATE_SHUTDOWN = signal.SIGQUIT
"""What Postgres' main process understands by these signals."""
GUARD = Path(__file__).with_name("guard.py")
INHERITED = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Of the environment, Postgres sees these alone: no PGDATA, PGPORT or locale of the caller's can change a server."""


class Identity(StrEnum):
    """How Postgres, which refuses to run as root, is run when the caller is root. Ordinary users run it as is."""

    AUTO = "auto"
    """A user namespace; where the kernel forbids it, an account."""
    NAMESPACE = "namespace"
    """A user namespace or nothing: no file changes its owner."""
    ACCOUNT = "account"
    """The account ``postgres``, else ``nobody``; the data directory is given to it."""


class ProcessEntry(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    state: str

    @property
    def is_zombie(self) -> bool:
        return self.state == "Z"


def environment() -> dict[str, str]:
    """The whole environment of a Postgres program."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"PATH": "/usr/bin:/bin", **kept, "LC_ALL": "C", "TZ": "UTC"}


def spawn(
    command: Sequence[str], *, output: IO[bytes], identity: Identity = Identity.AUTO, owned: Sequence[Path] = ()
) -> subprocess.Popen[bytes]:
    """Start ``command`` under the guard: not as root, in its own session, gone when this process is gone.

    The kernel watches the spawning *thread*, not the process. Only the main thread lives as long as the process, so
    only the main thread may spawn.
    """
    assert threading.current_thread() is threading.main_thread(), (
        "Postgres must be started from the main thread: Linux ends a server together with the thread that started it"
    )
    order = json.dumps({"parent": os.getpid(), "identity": identity, "owned": [str(path) for path in owned]})
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), order, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment(),
        start_new_session=True,
    )


async def exit_of(process: subprocess.Popen[bytes], *, timeout_seconds: float) -> int:
    """The exit code, once there is one; :class:`TimeoutError` when there is none in time."""
    await until(lambda: process.poll() is not None, timeout_seconds=timeout_seconds)
    return process.wait()


async def until(condition: Callable[[], bool], *, timeout_seconds: float) -> None:
    """Return once ``condition`` holds; :class:`TimeoutError` when it does not in time."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110 - nothing tells of another process' state but looking
            await asyncio.sleep(POLL_SECONDS)


async def run(command: Sequence[str], *, output: IO[bytes], timeout_seconds: float) -> int:
    """Run a short harmless program as the caller itself; whatever happens, it is gone on return."""
    process = subprocess.Popen(  # noqa: ASYNC220 - starting is quick, and the waiting below is not blocking
        list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment()
    )
    try:
        return await exit_of(process, timeout_seconds=timeout_seconds)
    finally:
        discard(process)


def discard(process: subprocess.Popen[bytes]) -> None:
    """End the process and all below it at once, and reap it. Harmless when it has ended already."""
    if process.poll() is None:
        destroy(process.pid, reap=process.poll)
    process.wait()


# -- the process table --------------------------------------------------------------------------------------------


def process_table() -> dict[int, ProcessEntry]:
    """All processes, by id."""
    entries = _table_from_proc() if Path("/proc/self/stat").exists() else _table_from_ps()
    return {entry.pid: entry for entry in entries}


def _table_from_proc() -> list[ProcessEntry]:
    entries = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended between the listing and the reading
            after_name = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
            entries.append(ProcessEntry(int(name), int(after_name[1]), after_name[0]))
    return entries


def _table_from_ps() -> list[ProcessEntry]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,state="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listing.stdout.splitlines())
    return [ProcessEntry(int(row[0]), int(row[1]), row[2][0]) for row in rows if len(row) == 3]


def command_line(pid: int) -> str:
    """The command line of a process, or an empty text when there is no such process."""
    if Path("/proc/self/stat").exists():
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    return subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True).stdout


def descendants(pid: int) -> frozenset[int]:
    """All processes below ``pid``, without itself."""
    table = process_table()
    found: set[int] = set()
    layer = {pid}
    while layer:
        layer = {entry.pid for entry in table.values() if entry.parent in layer} - found
        found |= layer
    return frozenset(found)


def are_gone(pids: Collection[int]) -> bool:
    """Whether none of the processes runs any more; a zombie, which only waits to be reaped, is gone."""
    table = process_table()
    return all(pid not in table or table[pid].is_zombie for pid in pids)


# -- ending a family ----------------------------------------------------------------------------------------------


def destroy(pid: int, *, reap: Callable[[], object] = lambda: None) -> None:
    """SIGKILL a process and all below it, and return when none is left. Blocks for milliseconds.

    The process is stopped first: a Postgres that is killed while it forks leaves a child that nobody knows of.
    ``reap`` is called while waiting, for a process that is the caller's own child.
    """
    if not _signal(pid, signal.SIGSTOP):
        return
    _wait_until(lambda: _is_halted(pid))
    family = (pid, *descendants(pid))
    for member in family:
        _signal(member, signal.SIGKILL)

    def ended() -> bool:
        reap()
        return are_gone(family)

    _wait_until(ended)


def _is_halted(pid: int) -> bool:
    entry = process_table().get(pid)
    return entry is None or entry.state in "TtZ"


def _signal(pid: int, number: signal.Signals) -> bool:
    """Whether there was a process to send the signal to."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + limits.SERVER_ABORT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes did not end within {limits.SERVER_ABORT_SECONDS_MAX:.0f} s of SIGKILL")
        time.sleep(POLL_SECONDS / 4)
