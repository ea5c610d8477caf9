"""The keeper of a ring on one machine: starts its servers and nodes, starts again what dies, stops them in order.

Postgres first, nodes after; at the stop the other way round. Every child dies with this process (by the kernel's hand
on Linux), so there is nothing to clean up after a ``kill -9``. The state file tells the other doors how far it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import structlog

from atoll import limits
from atoll.configuration import Configuration
from atoll.errors import AtollError, NodeFailed, PostgresFailed, Unavailable
from atoll.postgres.launcher import Progress, Server, ServerSpec, Stage, find_binaries, start_servers, stop_servers
from atoll.server.ring_state import NodeEntry, PartState, Phase, RingState, ServerEntry
from atoll.supervisor.allotment import planned_state
from atoll.supervisor.backoff import RestartPause
from atoll.supervisor.directory import RingDirectory
from atoll.supervisor.node_process import NodeProcess

_LOOK_SECONDS = 0.1
_STAGES: Mapping[Stage, PartState] = {
    Stage.CREATING: PartState.CREATING,
    Stage.STARTING: PartState.STARTING,
    Stage.READY: PartState.READY,
}
DATABASE = "atoll"
"""The database of a shard on a server that the supervisor owns."""

log = structlog.get_logger("atoll.supervisor")


class Keeper:
    """Runs one ring from start to stop. The caller holds the directory's lock and awaits :meth:`run` once."""

    def __init__(self, configuration: Configuration, directory: RingDirectory, pg_bin: Path | None = None) -> None:
        self._directory = directory
        self._pg_bin = pg_bin
        self._configuration = configuration
        self._stop = asyncio.Event()
        self._servers: list[tuple[ServerEntry, Server]] = []
        self._nodes: list[tuple[NodeEntry, NodeProcess]] = []
        self.state = planned_state(configuration, os.getpid())

    def stop(self) -> None:
        """Begin the orderly stop; :meth:`run` returns when nothing runs any more. May be called at any time."""
        self._stop.set()

    async def run(self, on_change: Callable[[RingState], None] = lambda _: None) -> None:
        """Start everything, keep it running until :meth:`stop`, stop everything.

        Raises the first error when the ring cannot be started; then nothing is left running and the state file
        says why. ``on_change`` is called after each change of the state.
        """
        self._on_change = on_change
        try:
            await self._until_stopped(self._start())
            if not self._stop.is_set():
                self._enter(Phase.RUNNING)
                await self._until_stopped(self._watch_all())
        except BaseException as error:
            await self._stop_all(Phase.FAILED, error)
            raise
        await self._stop_all(Phase.STOPPING, None)

    async def _until_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Await ``work``, or give it up as soon as a stop is asked for."""
        task = asyncio.create_task(work)
        waiting = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
        finally:
            for each in (task, waiting):
                each.cancel()
                with contextlib.suppress(asyncio.CancelledError, AtollError):
                    await each

    # -- start ----------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self._enter(Phase.STARTING)
        await self._start_servers()
        for entry, node in self._nodes_planned():
            self._nodes.append((entry, node))
            node.start()
            self._note(entry, PartState.STARTING, node.pid)
        await self._all_ready()

    async def _all_ready(self) -> None:
        try:
            async with asyncio.timeout(limits.RING_READY_SECONDS_MAX), asyncio.TaskGroup() as group:
                for entry, node in self._nodes:
                    group.create_task(self._until_ready(entry, node))
        except TimeoutError:
            late = ", ".join(_name(entry) for entry, _ in self._nodes if entry.state is not PartState.READY)
            raise Unavailable(
                f"not ready within {limits.RING_READY_SECONDS_MAX:.0f} s: {late}; "
                f"their logs in {self._directory.logs} say why"
            ) from None
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _start_servers(self) -> None:
        by_name = {f"{entry.region}/{entry.shard}": entry for entry in self.state.servers}
        specs = [
            ServerSpec(
                name=name,
                data_directory=self._directory.data_of(entry.region, entry.shard),
                password_file=self._directory.password_file,
            )
            for name, entry in by_name.items()
        ]

        def note(progress: Progress) -> None:
            self._note(by_name[progress.name], _STAGES[progress.stage], None)

        binaries = await find_binaries(self._pg_bin) if specs else None
        servers = await start_servers(specs, binaries, on_progress=note)
        self._servers = [(by_name[server.name], server) for server in servers]
        for entry, server in self._servers:
            self._link_log(server, entry)
            entry.dsn = await server.create_database(DATABASE)
            self._note(entry, PartState.READY, server.pid)

    def _link_log(self, server: Server, entry: ServerEntry) -> None:
        """Show the server's log among the others."""
        link = self._directory.logs / f"{entry.region}-{entry.shard}-postgres.log"
        with contextlib.suppress(FileExistsError):
            link.symlink_to(server.files.log_path)

    def _nodes_planned(self) -> list[tuple[NodeEntry, NodeProcess]]:
        return [(entry, self._node_process(entry)) for entry in self.state.nodes]

    def _node_process(self, entry: NodeEntry) -> NodeProcess:
        command = ["-m", "atoll.server", "--config", str(self._configuration.file), "--region", entry.region]
        command += ["--node", entry.name, "--allotment", str(self._directory.state_file)]
        return NodeProcess(command=command, http=entry.http, log=self._directory.log_of(entry.region, entry.name))

    async def _until_ready(self, entry: NodeEntry, node: NodeProcess) -> None:
        """Wait for the first readiness; a node that dies is tried again a few times, then the start fails."""
        pause = RestartPause()
        while not (node.is_running and await node.is_ready()):
            if not node.is_running:
                entry.restarts += 1
                self._note(entry, PartState.DOWN, None)
                if entry.restarts >= limits.START_ATTEMPTS_MAX:
                    raise NodeFailed(f"node {entry.region}/{entry.name} does not start: {node.failure()}")
                await asyncio.sleep(pause.after(0))
                node.start()
                self._note(entry, PartState.STARTING, node.pid)
            await asyncio.sleep(_LOOK_SECONDS)
        self._note(entry, PartState.READY, node.pid)

    # -- keep -----------------------------------------------------------------------------------------------------

    async def _watch_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for server_entry, server in self._servers:
                group.create_task(self._watch_server(server_entry, server))
            for node_entry, node in self._nodes:
                group.create_task(self._watch_node(node_entry, node))

    async def _watch_server(self, entry: ServerEntry, server: Server) -> None:
        pause, started = RestartPause(), asyncio.get_running_loop().time()
        while True:
            while server.is_running:  # noqa: ASYNC110 - a child has no event
                await asyncio.sleep(_LOOK_SECONDS)
            uptime = asyncio.get_running_loop().time() - started
            self._died(entry, "postgres")
            await asyncio.sleep(pause.after(uptime))
            started = asyncio.get_running_loop().time()
            try:
                await server.start()
            except (PostgresFailed, OSError) as error:
                log.error("postgres does not start", region=entry.region, shard=entry.shard, error=str(error))
                continue
            self._note(entry, PartState.READY, server.pid)

    async def _watch_node(self, entry: NodeEntry, node: NodeProcess) -> None:
        pause = RestartPause()
        while True:
            code = await node.exited()
            self._died(entry, "node", exit_code=code)
            await asyncio.sleep(pause.after(node.uptime_seconds))
            node.start()
            self._note(entry, PartState.STARTING, node.pid)
            while node.is_running and not await node.is_ready():  # noqa: ASYNC110 - nor has readiness
                await asyncio.sleep(_LOOK_SECONDS)
            if node.is_running:
                self._note(entry, PartState.READY, node.pid)

    def _died(self, entry: ServerEntry | NodeEntry, kind: str, **facts: object) -> None:
        entry.restarts += 1
        self._note(entry, PartState.DOWN, None)
        log.warning(f"{kind} died, starting it again", part=_name(entry), restarts=entry.restarts, **facts)

    # -- stop -----------------------------------------------------------------------------------------------------

    async def _stop_all(self, phase: Phase, error: BaseException | None) -> None:
        if isinstance(error, AtollError):
            self.state.error = {"code": error.code, "message": error.message}
        elif error is not None:
            self.state.error = {"code": "atoll_error", "message": f"{type(error).__name__}: {error}"}
        self.state.phase = Phase.STOPPING
        self._changed()
        await asyncio.gather(*(self._stop_node(entry, node) for entry, node in self._nodes))
        await stop_servers(server for _, server in self._servers)
        for part in self.state.parts():
            part.state, part.pid = PartState.STOPPED, None
        if phase is Phase.FAILED:
            self._enter(Phase.FAILED)

    async def _stop_node(self, entry: NodeEntry, node: NodeProcess) -> None:
        await node.stop()
        self._note(entry, PartState.STOPPED, None)

    # -- telling --------------------------------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        self.state.phase = phase
        log.info(f"ring {phase}", ring=self.state.ring)
        self._changed()

    def _note(self, entry: ServerEntry | NodeEntry, state: PartState, pid: int | None) -> None:
        entry.state, entry.pid = state, pid
        self._changed()

    def _changed(self) -> None:
        self.state.save(self._directory.state_file)
        self._on_change(self.state)


def _name(entry: ServerEntry | NodeEntry) -> str:
    return f"{entry.region}/{entry.shard if isinstance(entry, ServerEntry) else entry.name}"
