"""The gRPC server of a node: Data, Replication and Control, with health and reflection."""

from __future__ import annotations

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from atoll.errors import OperatorError
from atoll.limits import STOP_GRACE_SECONDS
from atoll.ports import ControlSurface
from atoll.rpc.control_service import ControlService
from atoll.rpc.data_service import DataService, Execute
from atoll.rpc.options import server_options
from atoll.rpc.replication_service import ReplicationService, ServePull
from atoll.wire.v1 import (
    control_pb2,
    control_pb2_grpc,
    data_pb2,
    data_pb2_grpc,
    replication_pb2,
    replication_pb2_grpc,
)

_SERVICES = (
    data_pb2.DESCRIPTOR.services_by_name["Data"].full_name,
    replication_pb2.DESCRIPTOR.services_by_name["Replication"].full_name,
    control_pb2.DESCRIPTOR.services_by_name["Control"].full_name,
)


class NodeServer:
    """Serves from :meth:`start` to :meth:`stop`. It stops nothing but itself: what it calls outlives it."""

    def __init__(
        self, *, execute: Execute, serve_pull: ServePull, control: ControlSurface, server: aio.Server | None = None
    ) -> None:
        """``server``: one that has nothing registered and was not started; without one, gRPC's own."""
        self._server = aio.server(options=server_options()) if server is None else server
        self._health = health.aio.HealthServicer()
        self._data = DataService(execute)
        data_pb2_grpc.add_DataServicer_to_server(self._data, self._server)
        replication_pb2_grpc.add_ReplicationServicer_to_server(ReplicationService(serve_pull), self._server)
        control_pb2_grpc.add_ControlServicer_to_server(ControlService(control), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)

    async def start(self, address: str) -> int:
        """Listen on ``host:port`` (port 0: any) and serve; returns the port. Raises :class:`OperatorError` if the
        address cannot be bound."""
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OperatorError(f"cannot listen on {address}: is another process on that port? ({error})") from error
        await self._server.start()
        await self.set_serving(True)
        return port

    async def set_serving(self, serving: bool) -> None:
        """What the health service says of every service, and of the node as a whole (the empty name)."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *_SERVICES):
            await self._health.set(name, status)

    async def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Say that it goes, take no new calls, give those in flight the grace, then end them. Idempotent.

        Sessions end as soon as they are answered; replication streams use up the grace unless replication was
        stopped before.
        """
        await self._health.enter_graceful_shutdown()
        self._data.drain()
        await self._server.stop(grace_seconds)
