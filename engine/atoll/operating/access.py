"""A running ring as operators reach it: by region, through whichever of the region's nodes answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import TracebackType
from typing import TypeVar

from atoll import limits
from atoll.client.connecting import Connecting, connect
from atoll.control import Location, NodeStatus
from atoll.errors import AtollError, InvalidConfiguration, Unavailable
from atoll.ids import CollectionName, NodeName, RegionName, ZoneName
from atoll.keyspace.placement import resolve_zone
from atoll.keyspace.topology import Node, Topology
from atoll.operating.overview import NodeView, Overview
from atoll.operating.verification import Verification, verify_regions
from atoll.ports import ControlSurface
from atoll.rpc.remote_control import RemoteControl

T = TypeVar("T")


class RingAccess:
    """``async with`` it; every node's addresses must be known. Raises what the nodes raise, and
    :class:`~atoll.errors.Unavailable` when no node of a region answers."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self._controls = {
            (region.name, node.name): RemoteControl(node.grpc, limits.CONTROL_SECONDS_MAX)
            for region in topology.regions.values()
            for node in region.nodes
        }

    async def __aenter__(self) -> RingAccess:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(control.close() for control in self._controls.values()))

    # -- one region -----------------------------------------------------------------------------------------------

    def region(self, name: str | None) -> RegionName:
        """The region of that name, the first for ``None``; :class:`InvalidConfiguration` naming those there are."""
        if name is None:
            return next(iter(self.topology.regions))
        if name not in self.topology.regions:
            known = ", ".join(self.topology.regions)
            raise InvalidConfiguration(f"no region {name!r} in ring {self.topology.ring!r}; configured: {known}")
        return RegionName(name)

    def client(self, region: RegionName) -> Connecting:
        """A client of the region, with a session of its own: ``async with`` it."""
        return connect([node.grpc for node in self.topology.regions[region].nodes])

    async def status(self, region: RegionName) -> NodeStatus:
        """What the region's first node that answers says."""
        return await self._ask(region, lambda control: control.status())

    async def drill(self, region: RegionName, cut_off_from: Collection[RegionName]) -> None:
        """Let every node of ``region`` play dead to exactly these others; none of them: heal."""
        nodes = self.topology.regions[region].nodes
        await asyncio.gather(*(self._controls[region, node.name].drill(cut_off_from) for node in nodes))

    async def _ask(self, region: RegionName, question: Callable[[ControlSurface], Awaitable[T]]) -> T:
        failure: AtollError = Unavailable(f"region {region} has no nodes")
        for node in self.topology.regions[region].nodes:
            try:
                return await question(self._controls[region, node.name])
            except Unavailable as error:
                failure = error
        raise failure

    # -- all regions ----------------------------------------------------------------------------------------------

    async def overview(self) -> Overview:
        """Every node's view, or why it has none."""
        views = await asyncio.gather(
            *(self._view(region.name, node) for region in self.topology.regions.values() for node in region.nodes)
        )
        return Overview(ring=self.topology.ring, nodes=views)

    async def _view(self, region: RegionName, node: Node) -> NodeView:
        name = NodeName(node.name)
        try:
            status = await self._controls[region, node.name].status()
        except AtollError as error:
            return NodeView(region=region, node=name, status=None, problem=error.message)
        return NodeView(region=region, node=name, status=status)

    async def verify(self) -> Verification:
        """Compare all regions row by row, each through a node that answers."""
        controls = {region: await self._answering(region) for region in self.topology.regions}
        return await verify_regions(self.topology, controls)

    async def _answering(self, region: RegionName) -> ControlSurface:
        async def itself(control: ControlSurface) -> ControlSurface:
            await control.status()
            return control

        return await self._ask(region, itself)

    async def locate_everywhere(
        self, collection: str, key: str, zone: ZoneName | None
    ) -> Mapping[RegionName, Location]:
        """Where each region keeps a record."""
        name = CollectionName(collection)
        found = await asyncio.gather(
            *(self._ask(region, lambda c: c.locate(name, zone, key)) for region in self.topology.regions)
        )
        return dict(zip(self.topology.regions, found, strict=True))

    def zone(self, collection: str, zone: str | None, country: str | None) -> ZoneName:
        """The zone that a caller means, given outright, by country or by the collection."""
        named = self.topology.zone_of_country(country) if country is not None else zone
        placed = self.topology.collection(collection)
        return self.topology.zone(resolve_zone(placed, None if named is None else ZoneName(named))).name
