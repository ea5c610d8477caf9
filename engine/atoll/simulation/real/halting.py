"""Making a process stand still, and never leaving one so behind.

A node dies with its parent even while it stands still, by the kernel's SIGKILL. A Postgres server gets a polite
signal at its parent's death, which a process that stands still does not hear. So before a server is halted, a small
waiter is started that lets it go on as soon as this process says so, or is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

from atoll.postgres.launcher.processes import descendants

_WAITER = ("/bin/sh", "-c", 'cat >/dev/null; kill -CONT "$@"', "waiter")


class Halted:
    """A family of processes that stands still from now until :meth:`resume`, or the end of this process."""

    def __init__(self, pid: int) -> None:
        self._read, self._write = os.pipe()
        _send([pid], signal.SIGSTOP)  # it first: it makes no new children then
        self.pids = [pid, *sorted(descendants(pid))]
        self._waiter = subprocess.Popen(
            [*_WAITER, *map(str, self.pids)],
            stdin=self._read,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(self._read)
        _send(self.pids, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on; those that have died meanwhile are left out."""
        os.close(self._write)
        self._waiter.wait()


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
