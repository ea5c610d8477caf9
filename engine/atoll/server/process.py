"""A node's life: HTTP first, then the region as soon as its catalog answers, then gRPC; and back in that order.

HTTP comes up at once so that whoever watches can see why the node is not ready. A signal stops it in order: gRPC says
that it serves no more and finishes what it has begun, the engine ends, replication ends, the shards close. A kill
at any moment loses nothing that was acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack

import structlog

from atoll.http.application import build_application
from atoll.http.health import Readiness
from atoll.http.server import HttpServer
from atoll.ids import NodeName, RegionName
from atoll.keyspace.topology import Node, Topology
from atoll.metrics import Metrics
from atoll.node.drill import Drill
from atoll.ports import Clock, Entropy
from atoll.rpc.server import NodeServer
from atoll.rpc.transport import GrpcTransport
from atoll.server.assembly import assembled
from atoll.server.postgres_storage import PostgresStorage
from atoll.server.readiness import check_shards
from atoll.server.region import OpenRegion, region_at_last

_log = structlog.get_logger(__name__)


class NodeProcess:
    """One node, from :meth:`run` to its end."""

    def __init__(
        self,
        topology: Topology,
        region: RegionName,
        node: Node,
        *,
        token_key: bytes,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._topology = topology
        self._region = region
        self._node = node
        self._token_key = token_key
        self._clock = clock
        self._entropy = entropy
        self._metrics = Metrics()
        self._drill = Drill()
        self._problem = "starting"
        self._here: OpenRegion | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop``. Raises :class:`~atoll.errors.OperatorError` for what only a person can mend: an
        address that is taken, a database that is another shard's or not durable."""
        http = HttpServer(build_application(self._metrics.registry, self._readiness), self._node.http)
        await http.start()
        serving = asyncio.create_task(self._serve(stop), name="node")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done() and not self._is_serving:
                serving.cancel()  # it waits for its catalog, and nothing is to be finished
            with contextlib.suppress(asyncio.CancelledError):
                await serving
        finally:
            stopping.cancel()
            await http.stop()

    @property
    def _is_serving(self) -> bool:
        return not self._problem

    async def _serve(self, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            self._here = await stack.enter_async_context(
                region_at_last(
                    self._topology,
                    self._region,
                    storage=PostgresStorage(),
                    clock=self._clock,
                    entropy=self._entropy,
                    on_problem=self._cannot_open,
                )
            )
            transport = GrpcTransport(self._topology)
            stack.push_async_callback(transport.close)
            parts = await stack.enter_async_context(
                assembled(
                    self._here,
                    NodeName(self._node.name),
                    transport=transport,
                    drill=self._drill,
                    metrics=self._metrics,
                    token_key=self._token_key,
                    clock=self._clock,
                    entropy=self._entropy,
                )
            )
            server = NodeServer(
                execute=parts.engine.execute, serve_pull=parts.replication.serve_pull, control=parts.control
            )
            stack.push_async_callback(server.stop)
            await server.start(self._node.grpc)
            self._problem = ""
            _log.info("serving", grpc=self._node.grpc, http=self._node.http)
            await stop.wait()
            _log.info("stopping")
            await server.set_serving(False)
            await parts.replication.stop()  # its streams never end by themselves, and would use up the grace

    def _cannot_open(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("the region cannot be opened yet", problem=problem)
        self._problem = problem

    async def _readiness(self) -> Readiness:
        if self._here is None or not self._is_serving:
            return Readiness(problems={"node": self._problem})
        return await check_shards(self._here.stores)
