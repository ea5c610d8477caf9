"""One server's files: creating them whole or not at all, and making sure that nobody else is running on them.

Beside ``<data>`` stand ``<data>.log`` and ``<data>.launcher``, which holds the process id of who started the server.
From that and the process table it can be told whether a server that still runs has an owner (then it is left alone)
or was orphaned (then it is stopped): the sweep for platforms that cannot tie a server to its parent's life.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import IO, NamedTuple

from atoll import limits
from atoll.errors import AlreadyRunning, PostgresFailed
from atoll.postgres.launcher import processes
from atoll.postgres.launcher.binaries import Binaries

SUPERUSER = "postgres"
_READY_LINE = 7


class PostmasterFile(NamedTuple):
    """What a running (or crashed) server says of itself in ``postmaster.pid``."""

    pid: int
    is_ready: bool


class DataDirectory:
    """The files of one server. Every path is absolute; nothing but these paths is ever touched."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log_path = self._sibling(".log")
        self.launcher_path = self._sibling(".launcher")

    def _sibling(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    @property
    def exists(self) -> bool:
        return (self.path / "PG_VERSION").is_file()

    # -- creation -------------------------------------------------------------------------------------------------

    def check_version(self, binaries: Binaries) -> None:
        """Raise :class:`PostgresFailed` if another major version made these files."""
        major = (self.path / "PG_VERSION").read_text().strip()
        if major != str(binaries.version[0]):
            raise PostgresFailed(
                f"{self.path} was made by Postgres {major}, but the programs found are {binaries.describe()}: "
                f"name the bin directory of a Postgres {major}, or remove the directory to begin anew"
            )

    async def create(self, binaries: Binaries, *, password: str | None, identity: processes.Identity) -> None:
        """Run ``initdb``. The directory appears complete, in one rename, or not at all.

        With a password, every connection must give it (SCRAM); without, everyone on this machine is trusted.
        Each directory gets a system identifier of its own. The files are flushed before this returns.
        """
        self._check_vacant()
        self._remove_partials()
        partial = self._sibling(f".partial-{os.getpid()}")
        secret = self._sibling(f".partial-{os.getpid()}.password")
        partial.mkdir(parents=True, mode=0o700)
        try:
            command = _initdb_command(binaries, partial, None if password is None else secret)
            if password is not None:
                write_private(secret, password + "\n")
            await self._run_initdb(command, identity, owned=[path for path in (partial, secret) if path.exists()])
            partial.rename(self.path)
        finally:
            secret.unlink(missing_ok=True)
            shutil.rmtree(partial, ignore_errors=True)

    async def _run_initdb(self, command: list[str], identity: processes.Identity, *, owned: list[Path]) -> None:
        with self.open_log() as log:
            start = log.tell()
            process = processes.spawn(command, output=log, identity=identity, owned=owned)
            try:
                code = await processes.exit_of(process, timeout_seconds=limits.SERVER_CREATE_SECONDS_MAX)
            except TimeoutError:
                limit = limits.SERVER_CREATE_SECONDS_MAX
                raise PostgresFailed(f"initdb did not end within {limit:.0f} s: see {self.log_path}") from None
            except asyncio.CancelledError:
                await _interrupt(process)
                raise
            finally:
                processes.discard(process)
        if code != 0:
            raise PostgresFailed(f"initdb failed for {self.path}: {self.log_tail(start)}")

    def _check_vacant(self) -> None:
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise PostgresFailed(
                f"{self.path} exists, and holds something other than a Postgres data directory: "
                "name another directory, or empty it"
            )

    def _remove_partials(self) -> None:
        """What launchers that were killed during ``initdb`` left behind."""
        for path in self.path.parent.glob(f"{self.path.name}.partial-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    # -- the log --------------------------------------------------------------------------------------------------

    def open_log(self) -> IO[bytes]:
        """The log, positioned at its end; one that has grown too long is put aside first."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.stat().st_size > limits.SERVER_LOG_BYTES_MAX:
                self.log_path.replace(self._sibling(".log.old"))
        log = self.log_path.open("ab")
        log.seek(0, os.SEEK_END)
        return log

    def log_end(self) -> int:
        """The byte at which the next line will stand, once an overlong log has been put aside."""
        with self.open_log() as log:
            return log.tell()

    def log_since(self, start: int) -> str:
        """What was logged after byte ``start``."""
        with self.log_path.open("rb") as log:
            log.seek(start)
            return log.read(limits.SERVER_LOG_BYTES_MAX).decode(errors="replace")

    def log_tail(self, start: int) -> str:
        """The last lines after byte ``start``, with where to read the rest, for an error message."""
        lines = self.log_since(start).strip().splitlines()[-limits.SERVER_LOG_LINES_QUOTED :]
        quoted = "\n".join(f"    {line}" for line in lines) or "    (nothing was logged)"
        return f"the end of {self.log_path} says\n{quoted}"

    # -- who runs here --------------------------------------------------------------------------------------------

    def postmaster(self) -> PostmasterFile | None:
        """What ``postmaster.pid`` says; None when it is absent or half written."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self.path / "postmaster.pid").read_text().splitlines()
            ready = len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready"
            return PostmasterFile(pid=int(lines[0]), is_ready=ready)
        return None

    async def reclaim(self) -> None:
        """Make sure that no server runs here: forget a dead one, stop an orphan, refuse one that has an owner.

        Raises :class:`AlreadyRunning` for the last.
        """
        noted = self.postmaster()
        if noted is not None and self._is_server(noted.pid):
            if not self._is_orphan(noted.pid):
                raise AlreadyRunning(f"a Postgres server (process {noted.pid}) runs on {self.path}: stop it first")
            await _stop_orphan(noted.pid)
        self._disarm_stale_number()

    def _disarm_stale_number(self) -> None:
        """Keep Postgres from taking an innocent process, which was given the dead server's number, for a server.

        The file must not be removed: through its other lines Postgres finds out whether sessions of the dead server
        still hold its shared memory. Postgres never mistakes its own parent for a server, so the number becomes ours.
        """
        file = self.path / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            _, newline, rest = file.read_text().partition("\n")
            file.write_text(f"{os.getpid()}{newline}{rest}")

    def note_launcher(self) -> None:
        """Write down that this process owns the server that runs here now."""
        self.launcher_path.write_text(f"{os.getpid()}\n")

    def _is_server(self, pid: int) -> bool:
        """Whether ``pid`` is a server of this directory, and not just a process with the same number.

        After a reboot the number may well be that of a sibling server: its command line names another directory. A
        server that somebody started without naming the directory might be on this one.
        """
        if processes.are_gone([pid]):
            return False
        words = f"{processes.command_line(pid)} "
        is_anonymous = " -D " not in words and Path(words.split(" ")[0]).name in ("postgres", "postmaster")
        return is_anonymous or f" -D {self.path} " in words

    def _is_orphan(self, pid: int) -> bool:
        """Whether the server was started by a launcher, and that launcher is no longer its parent."""
        try:
            launcher = int(self.launcher_path.read_text())
        except (FileNotFoundError, ValueError):
            return False
        entry = processes.process_table().get(pid)
        return entry is None or entry.parent != launcher


async def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Let ``initdb`` end in order: when killed, it leaves shared memory behind that nobody would ever remove."""
    process.send_signal(processes.FAST_SHUTDOWN)
    with contextlib.suppress(TimeoutError):
        await processes.exit_of(process, timeout_seconds=limits.SERVER_ABORT_SECONDS_MAX)


async def _stop_orphan(pid: int) -> None:
    try:
        os.kill(pid, processes.FAST_SHUTDOWN)
        await processes.until(lambda: processes.are_gone([pid]), timeout_seconds=limits.SERVER_STOP_SECONDS_MAX)
    except ProcessLookupError:
        return
    except TimeoutError:
        processes.destroy(pid)


def _initdb_command(binaries: Binaries, directory: Path, password_file: Path | None) -> list[str]:
    authentication = ["--auth=trust"]
    if password_file is not None:
        authentication = ["--auth=scram-sha-256", f"--pwfile={password_file}"]
    fixed = [f"--username={SUPERUSER}", "--no-locale", "--encoding=UTF8", *authentication]
    return [str(binaries.initdb), *fixed, "-D", str(directory)]


def write_private(path: Path, text: str) -> None:
    """Create a file that only its owner can read; :class:`FileExistsError` when it is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def shared_password(path: Path) -> str:
    """The password kept in ``path``, made at the first call. Several launches may race; one password wins."""
    with contextlib.suppress(FileExistsError):
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()
