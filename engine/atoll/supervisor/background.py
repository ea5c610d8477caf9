"""From the command line to the supervisor and back: start it in the background, wait, stop it, sweep after it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from atoll import limits
from atoll.errors import AlreadyRunning, NotRunning, OperatorError, from_code
from atoll.server.ring_state import Phase, RingState
from atoll.supervisor.bounded_log import open_log
from atoll.supervisor.directory import RingDirectory

_POLL_SECONDS = 0.05

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Supervisors that this very process has started and that run on: it reaps those that it stops."""


def start_in_background(
    configuration: Path,
    directory: RingDirectory,
    *,
    pg_bin: Path | None = None,
    on_change: Callable[[RingState], None] = lambda _: None,
    tied: bool = False,
) -> RingState:
    """Start a supervisor that outlives this process, unless it is ``tied`` to it; returns the running ring's state.

    Raises what kept the ring from starting; then nothing runs. An interrupt while waiting stops what has begun.
    """
    check_stopped(directory)
    sweep(directory)
    directory.create()
    process = _spawn(configuration, directory, pg_bin, tied)
    try:
        return _until_running(process, directory, on_change)
    except BaseException:
        process.terminate()
        process.wait(limits.RING_STOP_SECONDS_MAX)
        del _children[process.pid]
        raise


def _spawn(configuration: Path, directory: RingDirectory, pg_bin: Path | None, tied: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "atoll.supervisor", "--config", str(configuration)]
    if pg_bin is not None:
        command += ["--pg-bin", str(pg_bin)]
    if tied:
        command += ["--tied-to", str(os.getpid())]
    with open_log(directory.supervisor_log) as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    _children[process.pid] = process
    return process


def _until_running(
    process: subprocess.Popen[bytes], directory: RingDirectory, on_change: Callable[[RingState], None]
) -> RingState:
    while True:
        ended = process.poll() is not None
        state = RingState.load(directory.state_file)
        if state is not None and state.supervisor == process.pid:
            on_change(state)
            if state.phase is Phase.RUNNING and not ended:
                return state
            if state.error is not None and ended:
                raise from_code(state.error["code"], state.error["message"])
        if ended:
            check_stopped(directory)  # somebody else was quicker
            raise OperatorError(f"the supervisor ended without a word; see {directory.supervisor_log}")
        time.sleep(_POLL_SECONDS)


def running_state(directory: RingDirectory) -> RingState:
    """The state of the ring that runs here, or :class:`NotRunning` saying how to start one."""
    state = RingState.load(directory.state_file)
    if state is None or not directory.is_held():
        raise NotRunning(f"no ring is running from {directory.path}: `atoll up` starts one")
    return state


def check_stopped(directory: RingDirectory) -> None:
    """Raise :class:`AlreadyRunning` if a supervisor lives."""
    if directory.is_held():
        raise AlreadyRunning(
            f"a ring is running from {directory.path}: `atoll status` shows it, `atoll down` stops it"
        )


def stop(directory: RingDirectory) -> None:
    """Stop the ring that runs here; returns when every process is gone. Raises :class:`NotRunning`.

    Asks the supervisor first; one that does not end in time is killed, and its children with it.
    """
    state = running_state(directory)
    command = _command_of(state.supervisor)
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.supervisor, signal.SIGTERM)
    if not _until(lambda: not directory.is_held(), limits.RING_STOP_SECONDS_MAX):
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.supervisor, signal.SIGKILL)
        if not _until(lambda: not directory.is_held(), limits.SERVER_ABORT_SECONDS_MAX):
            raise OperatorError(f"supervisor process {state.supervisor} does not end; see {directory.logs}")
    if (child := _children.pop(state.supervisor, None)) is not None:
        child.wait(limits.SERVER_ABORT_SECONDS_MAX)
    elif command:  # the lock falls a moment before the process ends
        _until(lambda: _command_of(state.supervisor) != command, limits.SERVER_ABORT_SECONDS_MAX)
    sweep(directory)


def sweep(directory: RingDirectory) -> None:
    """Forget a ring whose supervisor is dead: wait for its children to follow it, then remove the state file.

    The kernel ends them; this only waits, for a server's fast shutdown may take a moment.
    """
    state = RingState.load(directory.state_file)
    if state is None or directory.is_held():
        return
    pids = [part.pid for part in state.parts() if part.pid is not None]
    _until(lambda: not any(_is_ours(pid, directory) for pid in pids), limits.SERVER_STOP_SECONDS_MAX)
    for pid in pids:
        if _is_ours(pid, directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    directory.state_file.unlink(missing_ok=True)


def _is_ours(pid: int, directory: RingDirectory) -> bool:
    """Whether the process still is the one that the state names: its command line carries this directory."""
    return os.fsencode(directory.path) in _command_of(pid)


def _command_of(pid: int) -> bytes:
    """The command line of a process that runs; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
