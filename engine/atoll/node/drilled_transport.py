"""A transport that obeys the drill: what the node plays dead to, it neither dials nor forwards to."""

from __future__ import annotations

from atoll.ids import RegionName
from atoll.node.drill import Drill
from atoll.ports import PullStream, Transport
from atoll.replication.messages import Hello
from atoll.requests import Reply, Request


class DrilledTransport:
    """Wraps another :class:`~atoll.ports.Transport`, which it closes."""

    def __init__(self, transport: Transport, drill: Drill) -> None:
        self._transport = transport
        self._drill = drill

    async def pull(self, region: RegionName, hello: Hello) -> PullStream:
        self._drill.check(region)
        return await self._transport.pull(region, hello)

    async def execute(self, region: RegionName, request: Request, deadline_seconds: float) -> Reply:
        self._drill.check(region)
        return await self._transport.execute(region, request, deadline_seconds)

    async def close(self) -> None:
        await self._transport.close()
