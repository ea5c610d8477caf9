"""The state directory of a ring on this machine: where its files are, and who holds it.

``.atoll/`` beside ``atoll.toml`` holds ``ring.json`` (what runs), ``supervisor.lock`` (held by the supervisor for as
long as it lives, by the kernel's word and not by a process id that may be somebody else's by now), ``logs/``,
``data/``, the password of the servers in ``password`` and the key of session tokens in ``token.key``. Nothing else is
ever touched, ``wipe`` included.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atoll.configuration.configuration import TOKEN_KEY_FILE_NAME
from atoll.errors import AlreadyRunning
from atoll.server.ring_state import STATE_FILE_NAME


class RingDirectory:
    """Paths and the lock. Creating one touches nothing; :meth:`create` makes the directories."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.state_file = self.path / STATE_FILE_NAME
        self.lock_file = self.path / "supervisor.lock"
        self.password_file = self.path / "password"
        self.token_key_file = self.path / TOKEN_KEY_FILE_NAME
        self.data = self.path / "data"
        self.logs = self.path / "logs"
        self.supervisor_log = self.logs / "supervisor.log"

    def create(self) -> None:
        """Make the directories, readable by this user alone: the state names passwords. Idempotent."""
        for directory in (self.path, self.data, self.logs):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the ring for the length of a block; :class:`AlreadyRunning` if another process does."""
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f"a ring is running from {self.path}: `atoll status` shows it, `atoll down` stops it"
                ) from None
            yield
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Whether a supervisor lives at this moment."""
        if not self.lock_file.exists():
            return False
        try:
            with self.held():
                return False
        except AlreadyRunning:
            return True

    def data_of(self, region: str, shard: str) -> Path:
        """The data directory of one server that the supervisor owns."""
        return self.data / f"{region}-{shard}"

    def log_of(self, region: str, name: str) -> Path:
        """The log of one node."""
        return self.logs / f"{region}-{name}.log"

    def wipe(self) -> None:
        """Remove everything this ring has stored here. To be called when nothing runs.

        The token key goes too: a token that names batches of the removed data must not be believed afterwards.
        """
        for directory in (self.data, self.logs):
            shutil.rmtree(directory, ignore_errors=True)
        for file in (self.state_file, self.password_file, self.token_key_file, self.lock_file):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()
