"""A node on a simulated host: the production composition, with a simulated network and storage around it.

The process is one task tree on its host. Killing it is the loop's business; it is started again as a supervisor
would, into the next life of the host.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from atoll.ids import NodeName, RegionName
from atoll.keyspace.topology import Node, Topology
from atoll.metrics import Metrics
from atoll.node.drill import Drill
from atoll.ports import Storage
from atoll.rpc.server import NodeServer
from atoll.rpc.transport import GrpcTransport
from atoll.server.assembly import assembled
from atoll.server.region import region_at_last
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.hosts import Host
from atoll.simulation.network.network import Network

TOKEN_KEY = b"the key of all simulated rings..."[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedNode:
    """One node of the ring. ``storage`` opens the region's databases for whoever asks on this host."""

    loop: SimulationLoop
    network: Network
    topology: Topology
    region: RegionName
    node: Node
    host: Host
    storage: Storage

    @property
    def name(self) -> str:
        """``frankfurt/n1``."""
        return self.host.name

    def start(self) -> None:
        """Begin the process in the host's present life."""
        self.loop.spawn(self.host, self._run(), f"node {self.name}")

    def crash(self, power_lost: bool | None = None) -> int:
        """Kill the process without clean-up; returns how many tasks died. ``None``: chance says whether its machine
        dies with it, and answers nobody."""
        killed = self.loop.crash(self.host)
        self.network.host_died(self.host, power_lost)
        return killed

    def restart(self) -> None:
        """Begin the host's next life with a fresh process."""
        self.host.start()
        self.network.host_back(self.host)
        self.start()

    async def _run(self) -> None:
        """What :class:`atoll.server.process.NodeProcess` does, without HTTP and signals."""
        entropy = self.host.entropy
        drill, metrics, clock = Drill(), Metrics(), self.host.clock
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(
                region_at_last(
                    self.topology,
                    self.region,
                    storage=self.storage,
                    clock=clock,
                    entropy=entropy,
                    on_problem=self._cannot_open,
                )
            )
            transport = GrpcTransport(self.topology, self.network.channel(self.host))
            stack.push_async_callback(transport.close)
            parts = await stack.enter_async_context(
                assembled(
                    here,
                    NodeName(self.node.name),
                    transport=transport,
                    drill=drill,
                    metrics=metrics,
                    token_key=TOKEN_KEY,
                    clock=clock,
                    entropy=entropy,
                )
            )
            server = NodeServer(
                execute=parts.engine.execute,
                serve_pull=parts.replication.serve_pull,
                control=parts.control,
                server=self.network.listen(self.host, self.node.grpc),
            )
            await server.start(self.node.grpc)
            await asyncio.Event().wait()  # until it is killed: a simulated process has no other end

    def _cannot_open(self, problem: str) -> None:
        self.loop.trace.note("waits", self.name, problem)
