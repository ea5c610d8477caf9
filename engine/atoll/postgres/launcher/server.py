"""One Postgres server on loopback: start, stop, crash, start again, on files that survive all of it.

A :class:`Server` holds no connection, lock or task between calls, so that any event loop may use it. Only ``start``
must be called from the main thread (see :func:`atoll.postgres.launcher.processes.spawn`).
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import asyncpg

from atoll import limits
from atoll.errors import PostgresFailed
from atoll.postgres.launcher import processes, settings
from atoll.postgres.launcher.binaries import Binaries
from atoll.postgres.launcher.data_directory import SUPERUSER, DataDirectory, shared_password
from atoll.postgres.launcher.processes import Identity

_PAUSE_SECONDS = 0.25
_PASSING_TROUBLE = ("Address already in use", "shared memory block")
"""In the log of a start that is worth another attempt: the port is taken, or sessions of a server that crashed a
moment ago have not ended yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """What is wanted of one server."""

    name: str
    """For people: progress, errors, ``repr``."""
    data_directory: Path
    """Made at the first start, kept for ever after; its ``.log`` and ``.launcher`` stand beside it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Postgres settings on top of :data:`atoll.postgres.launcher.settings.DEFAULTS`."""
    password_file: Path | None = None
    """Where the superuser's password is kept (made when absent, mode 0600, may be shared by servers). None: everyone
    on this machine is trusted, as fits tests."""
    port: int | None = None
    """The one port to use. None: any free one, kept for as long as the :class:`Server` lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """How servers are launched on this machine."""

    identity: Identity = Identity.AUTO
    choose_port: Callable[[], int] = settings.free_port


class Stage(Enum):
    """How far a server has come."""

    CREATING = "creating"
    STARTING = "starting"
    READY = "ready"


class StopMode(StrEnum):
    """How a server ends. Both keep every acknowledged write."""

    FAST = "fast"
    """Sessions are cut, everything is flushed; the next start is quick. Becomes immediate if it takes too long."""
    IMMEDIATE = "immediate"
    """Nothing is flushed; the next start recovers from the write-ahead log."""


_FACTS = """
SELECT system_identifier, current_setting('server_version_num')::int AS version FROM pg_control_system()
"""


class _Facts(NamedTuple):
    """What a server says of itself once it answers."""

    system_identifier: int
    version: int


class Server:
    """A Postgres server that this process owns; it dies with this process, however that ends (Linux)."""

    host = settings.HOST

    def __init__(self, spec: ServerSpec, binaries: Binaries, options: LaunchOptions | None = None) -> None:
        settings.check_names(spec.settings)
        self.spec = spec
        self.name = spec.name
        self.files = DataDirectory(spec.data_directory)
        self._binaries = binaries
        self._options = options or LaunchOptions()
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = spec.port
        self._password: str | None = None
        self._facts: _Facts | None = None

    def __repr__(self) -> str:
        state = f"process {self.pid} on {self.host}:{self._port}" if self.is_running else "not running"
        return f"<Server {self.name}: {state}>"

    # -- what is known of it --------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether its main process runs at this moment."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The main process of the last start."""
        assert self._process is not None, f"server {self.name} was never started"
        return self._process.pid

    @property
    def port(self) -> int:
        assert self._port is not None, f"server {self.name} was never started"
        return self._port

    @property
    def system_identifier(self) -> int:
        """Postgres' own name for this cluster of files: no two servers share one."""
        assert self._facts is not None, f"server {self.name} was never started"
        return self._facts.system_identifier

    @property
    def version(self) -> int:
        """``server_version_num``, for instance 180004."""
        assert self._facts is not None, f"server {self.name} was never started"
        return self._facts.version

    def dsn(self, database: str = SUPERUSER) -> str:
        """Where to connect, password included: treat it as a secret when there is a ``password_file``."""
        secret = "" if self._password is None else f":{quote(self._password, safe='')}"
        return f"postgresql://{SUPERUSER}{secret}@{self.host}:{self.port}/{quote(database, safe='')}"

    # -- its life -------------------------------------------------------------------------------------------------

    async def start(self, on_stage: Callable[[Stage], None] = lambda _: None) -> None:
        """Create the files if there are none, start, and return once a connection answers.

        After a stop or a crash it comes back on the same port with the same data. Raises :class:`PostgresFailed`
        with the end of the server's log, :class:`AlreadyRunning` if another process owns the data directory.
        Cancelled or failed, it leaves no process behind.
        """
        assert not self.is_running, f"server {self.name} is running"
        if self.spec.password_file is not None:
            self._password = shared_password(self.spec.password_file)
        if not self.files.exists:
            on_stage(Stage.CREATING)
            await self.files.create(self._binaries, password=self._password, identity=self._options.identity)
        self.files.check_version(self._binaries)
        await self.files.reclaim()
        on_stage(Stage.STARTING)
        await self._start_on_some_port()
        on_stage(Stage.READY)

    async def stop(self, mode: StopMode = StopMode.FAST) -> None:
        """Shut down and return when all its processes are gone; harmless when it does not run.

        Bounded: a fast shutdown that takes too long becomes an immediate one, and that one a kill.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return
        steps = [(processes.IMMEDIATE_SHUTDOWN, limits.SERVER_ABORT_SECONDS_MAX)]
        if StopMode(mode) is StopMode.FAST:
            steps.insert(0, (processes.FAST_SHUTDOWN, limits.SERVER_STOP_SECONDS_MAX))
        try:
            for signal_number, timeout_seconds in steps:
                process.send_signal(signal_number)
                with contextlib.suppress(TimeoutError):
                    await processes.exit_of(process, timeout_seconds=timeout_seconds)
        finally:
            processes.discard(process)

    def kill(self) -> None:
        """Crash: SIGKILL for the main process and every process below it; returns when none is left.

        Nothing gets to flush or say goodbye. Blocks for some milliseconds. Harmless when it does not run.
        """
        if self._process is not None:
            processes.discard(self._process)

    async def _start_on_some_port(self) -> None:
        log_start = 0
        for _ in range(limits.SERVER_PORT_ATTEMPTS_MAX):
            log_start = self.files.log_end()
            if await self._start_on(self._port or self._options.choose_port()):
                return
            if not any(sign in self.files.log_since(log_start) for sign in _PASSING_TROUBLE):
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        raise PostgresFailed(f"server {self.name} did not start: {self.files.log_tail(log_start)}")

    async def _start_on(self, port: int) -> bool:
        """Whether the server runs now; False if it ended before it was ready, for a reason that is in its log."""
        options = settings.command_line_settings(self.spec.settings, port)
        command = [str(self._binaries.postgres), "-D", str(self.files.path), *options]
        with self.files.open_log() as log:
            self._process = processes.spawn(
                command, output=log, identity=self._options.identity, owned=[self.files.path]
            )
        try:
            if not await self._became_ready(self._process):
                return False
            self.files.note_launcher()
            self._port = port
            self._facts = await self._ask_facts()
        except BaseException:  # cancellation included; in order, for a killed server leaves shared memory behind
            await self.stop()
            raise
        return True

    async def _became_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """True once ``postmaster.pid`` says so in this very process' name; False if the process ended."""
        try:
            async with asyncio.timeout(limits.SERVER_START_SECONDS_MAX):
                while process.poll() is None:
                    if self.files.postmaster() == (process.pid, True):
                        return True
                    await asyncio.sleep(processes.POLL_SECONDS)
        except TimeoutError:
            limit = limits.SERVER_START_SECONDS_MAX
            message = f"server {self.name} was not ready within {limit:.0f} s: see {self.files.log_path}"
            raise PostgresFailed(message) from None
        return False

    # -- its databases --------------------------------------------------------------------------------------------

    async def create_database(self, name: str) -> str:
        """Make sure that the database exists, and return its DSN. Idempotent, also between racing callers."""
        connection = await self._connect()
        try:
            if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name) is None:
                await connection.execute(f"CREATE DATABASE {_quoted(name)} TEMPLATE template0")
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            pass  # somebody else was quicker, which is as good
        finally:
            await connection.close()
        return self.dsn(name)

    async def drop_database(self, name: str) -> None:
        """Make sure that the database is gone; sessions in it are cut."""
        connection = await self._connect()
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")
        finally:
            await connection.close()

    async def _connect(self) -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(self.dsn(), ssl=False, timeout=limits.SERVER_START_SECONDS_MAX)

    async def _ask_facts(self) -> _Facts:
        try:
            connection = await self._connect()
        except asyncpg.InvalidPasswordError as error:
            message = f"server {self.name} refuses the password in {self.spec.password_file}: {error}"
            raise PostgresFailed(message) from error
        try:
            row = await connection.fetchrow(_FACTS)
        finally:
            await connection.close()
        assert row is not None, "a function that returns one row"
        return _Facts(row["system_identifier"], row["version"])


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
