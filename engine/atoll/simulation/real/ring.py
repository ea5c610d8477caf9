"""A ring of real processes on this machine: Postgres servers and nodes, and the proxies between the regions.

This process is their parent and owns every restart: what it kills stays dead until it is mended. Nothing outlives it
(see the launcher and :mod:`atoll.server.parent_watch`), so it must be run from the main thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from atoll import limits
from atoll.errors import NodeFailed, Unavailable
from atoll.ids import Origin, RegionName
from atoll.keyspace.topology import Topology
from atoll.ports import Clock
from atoll.postgres.launcher import Server, ServerSpec, StopMode, find_binaries, start_servers, stop_servers
from atoll.postgres.launcher.settings import HOST, free_port
from atoll.simulation.limits import PROCESS_LOOK_SECONDS
from atoll.simulation.real.cables import CLIENTS, Cables
from atoll.simulation.real.halting import Halted
from atoll.simulation.real.ring_file import ring_file, write_private
from atoll.supervisor.directory import RingDirectory
from atoll.supervisor.keeper import DATABASE
from atoll.supervisor.node_process import NodeProcess

_NODE_PORTS = range(20_000, 24_000)


@dataclass(slots=True, kw_only=True)
class RealNode:
    """A node and what has been done to it."""

    name: str
    """``frankfurt/n1``."""
    region: RegionName
    process: NodeProcess
    wanted: bool = True
    """Whether it is meant to run: a node that ends while it is wanted has failed."""
    halted: bool = False

    def kill(self) -> bool:
        """SIGKILL it; whether there was something to kill. It stays dead until :meth:`start`."""
        self.wanted = False
        self.halted = False
        return self._signal(signal.SIGKILL)

    def start(self) -> None:
        """A fresh process. Returns at once."""
        self.wanted = True
        if not self.process.is_running:
            self.process.start()

    def halt(self) -> bool:
        """SIGSTOP it; whether there was something to halt."""
        self.halted = self._signal(signal.SIGSTOP)
        return self.halted

    def resume(self) -> None:
        """SIGCONT, if it was halted and is the same process still."""
        if self.halted:
            self._signal(signal.SIGCONT)
        self.halted = False

    def _signal(self, number: signal.Signals) -> bool:
        if not self.process.is_running or self.process.pid is None:
            return False
        os.kill(self.process.pid, number)
        return True


@dataclass(slots=True, kw_only=True)
class RealServer:
    """A Postgres server and what has been done to it."""

    origin: Origin
    server: Server
    dsn: str
    halted: Halted | None = None

    def kill(self) -> bool:
        """Crash it: SIGKILL for all its processes, at once. It stays dead until :meth:`start`."""
        self.resume()
        was_running = self.server.is_running
        self.server.kill()
        return was_running

    async def start(self) -> None:
        """Recover from the write-ahead log; returns once it answers."""
        if not self.server.is_running:
            await self.server.start()

    def halt(self) -> bool:
        """Make all its processes stand still; whether there was something to halt."""
        if self.halted is None and self.server.is_running:
            self.halted = Halted(self.server.pid)
        return self.halted is not None

    def resume(self) -> None:
        """Let them go on."""
        if self.halted is not None:
            self.halted.resume()
            self.halted = None


@dataclass(slots=True, kw_only=True)
class RealRing:
    """The processes of one run. ``directory`` is the run's own."""

    topology: Topology
    """Nodes have their real addresses, which only the harness and the clients of their region use."""
    cables: Cables
    directory: RingDirectory
    clock: Clock
    nodes: dict[str, RealNode] = field(default_factory=dict)
    servers: dict[Origin, RealServer] = field(default_factory=dict)
    doors: dict[RegionName, list[str]] = field(default_factory=dict)
    """Where the clients of a region reach its nodes."""

    @classmethod
    def plan(cls, topology: Topology, cables: Cables, directory: Path, clock: Clock) -> RealRing:
        """Choose addresses; nothing is started."""
        taken: set[int] = set()
        regions = {
            region.name: replace(
                region,
                nodes=[replace(node, grpc=_address(taken), http=_address(taken)) for node in region.nodes],
                catalog_dsn=None,
            )
            for region in topology.regions.values()
        }
        placed = replace(topology, regions=regions)
        return cls(topology=placed, cables=cables, directory=RingDirectory(directory), clock=clock)

    async def start(self) -> None:
        """Servers, proxies, nodes; returns when every node is ready. Raises what kept one from starting."""
        self.directory.create()
        await self._start_servers()
        for region in self.topology.regions:
            path = self.directory.path / f"{region}.toml"
            dsns = {origin: server.dsn for origin, server in self.servers.items()}
            write_private(path, ring_file(self.topology, region, await self._addresses_seen_from(region), dsns))
            self._make_nodes(region, path)
        for node in self.nodes.values():
            node.start()
        await self.until_ready(limits.RING_READY_SECONDS_MAX)

    async def until_ready(self, seconds: float) -> None:
        """Return when every node serves. Raises :class:`NodeFailed` for one that has ended meanwhile,
        :class:`Unavailable` when it takes longer."""
        deadline = self.clock.monotonic() + seconds
        for node in self.nodes.values():
            while not await node.process.is_ready():
                if not node.process.is_running:
                    raise NodeFailed(f"node {node.name} does not start: {node.process.failure()}")
                if self.clock.monotonic() > deadline:
                    raise Unavailable(
                        f"node {node.name} is not ready within {seconds:g} s: see {self.directory.logs}"
                    )
                await self.clock.sleep(PROCESS_LOOK_SECONDS)

    async def stop(self) -> None:
        """End everything; returns when no process is left. The data stays where it is."""
        for server in self.servers.values():
            server.resume()
        for node in self.nodes.values():
            node.kill()
        await asyncio.gather(*(node.process.exited() for node in self.nodes.values() if node.process.pid is not None))
        await stop_servers([each.server for each in self.servers.values()], mode=StopMode.IMMEDIATE)
        await self.cables.close()

    # -- start ----------------------------------------------------------------------------------------------------

    async def _start_servers(self) -> None:
        specs = {
            Origin(region.name, shard.name): ServerSpec(
                name=f"{region.name}/{shard.name}",
                data_directory=self.directory.data_of(region.name, shard.name),
                password_file=self.directory.password_file,
            )
            for region in self.topology.regions.values()
            for shard in region.shards
        }
        servers = await start_servers(list(specs.values()), await find_binaries(None))
        for origin, server in zip(specs, servers, strict=True):
            self.servers[origin] = RealServer(origin=origin, server=server, dsn="")
        for each in self.servers.values():
            each.dsn = await each.server.create_database(DATABASE)

    async def _addresses_seen_from(self, here: RegionName) -> Mapping[str, str]:
        return {
            f"{region.name}/{node.name}": node.grpc
            if region.name == here
            else await self.cables.lay(here, region.name, node.grpc)
            for region in self.topology.regions.values()
            for node in region.nodes
        }

    def _make_nodes(self, region: RegionName, path: Path) -> None:
        for node in self.topology.regions[region].nodes:
            name = f"{region}/{node.name}"
            command = ["-m", "atoll.server", "--config", str(path), "--region", region, "--node", node.name]
            log = self.directory.log_of(region, node.name)
            process = NodeProcess(command=command, http=node.http, log=log)
            self.nodes[name] = RealNode(name=name, region=region, process=process)

    async def open_to_clients(self, distant: bool) -> None:
        """Say where clients find the nodes: at their addresses, or behind a proxy if clients are ``distant``."""
        for region in self.topology.regions.values():
            self.doors[region.name] = [
                await self.cables.lay(CLIENTS, region.name, node.grpc) if distant else node.grpc
                for node in region.nodes
            ]


def _address(taken: set[int]) -> str:
    while (port := free_port(_NODE_PORTS)) in taken:
        pass
    taken.add(port)
    return f"{HOST}:{port}"
