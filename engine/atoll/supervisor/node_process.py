"""One node of a ring as a child process: start, watch, ask whether it is ready, stop within a bound."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from atoll import limits
from atoll.supervisor.bounded_log import open_log
from atoll.supervisor.http_probe import get_status

_POLL_SECONDS = 0.05
_TAIL_BYTES = 65_536


class NodeProcess:
    """A child that is killed by the kernel when this process dies. Started from the main thread alone."""

    def __init__(self, *, command: Sequence[str], http: str, log: Path) -> None:
        self._command = [sys.executable, *command, "--parent", str(os.getpid())]
        self._http = http
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def uptime_seconds(self) -> float:
        return time.monotonic() - self._started

    def start(self) -> None:
        """Spawn it, its output appended to its log, in a session of its own: Ctrl-C is not for it."""
        assert not self.is_running
        with open_log(self._log) as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "GRPC_VERBOSITY": "ERROR", "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        self._started = time.monotonic()

    async def exited(self) -> int:
        """The exit code, once there is one."""
        assert self._process is not None
        while (code := self._process.poll()) is None:  # noqa: ASYNC110 - a child has no event
            await asyncio.sleep(_POLL_SECONDS)
        return code

    async def is_ready(self) -> bool:
        """Whether the node itself says that it serves."""
        return await get_status(self._http, "/health/ready") == 200

    async def stop(self) -> None:
        """Ask it to finish, then kill it when it takes too long; returns when it is gone."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(limits.NODE_STOP_SECONDS_MAX):
                await self.exited()
        except TimeoutError:
            self._process.kill()
            self._process.wait()

    def failure(self, lines: int = 12) -> str:
        """Why it ended, for an error message: the last error it logged since its last start, and where to read more;
        the end of its log as it stands when there is no such entry."""
        text = self._log.read_bytes()[self._log_start :][-_TAIL_BYTES:].decode(errors="replace")
        ended = text.splitlines()
        said = next(filter(None, map(_error_of, reversed(ended))), None)
        return f"{said}\n(its log: {self._log})" if said else "\n".join([str(self._log), *ended[-lines:]])


def _error_of(line: str) -> str | None:
    """The message of a log entry that tells an error, with the last line of its traceback if it has one."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(entry, dict) or entry.get("level") not in ("error", "critical") or "event" not in entry:
        return None
    traceback = str(entry.get("exception", "")).strip().splitlines()
    return ": ".join([str(entry["event"]), *traceback[-1:]])
