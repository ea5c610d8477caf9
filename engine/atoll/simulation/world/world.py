"""A whole ring on one simulated loop: hosts for nodes, databases and clients, and the network between them.

Hosts are named ``frankfurt/n1`` (a node), ``frankfurt/s1`` (a database server) and ``frankfurt/clients`` (everybody
who uses the ring there). The harness is a host of its own and sees everything with zero delay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atoll.client.door import Door
from atoll.client.opening import open_embedded
from atoll.client.remote import RemoteDoor
from atoll.client.tokens import split_token
from atoll.ids import Origin, RegionName
from atoll.keyspace.topology import Topology
from atoll.rpc.dialing import dial
from atoll.rpc.session_stream import SessionStream
from atoll.rpc.transport import GrpcTransport
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.hosts import Host
from atoll.simulation.network.network import Network
from atoll.simulation.observations import Observer
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.storage.memory_storage import MemoryStorage
from atoll.simulation.world.node import TOKEN_KEY, SimulatedNode


class World:
    """The ring of one scenario. Nothing runs before :meth:`start`."""

    def __init__(self, loop: SimulationLoop, scenario: Scenario, observer: Observer, client_kind: str) -> None:
        self.loop = loop
        self.topology: Topology = scenario.topology
        self.client_kind = client_kind
        self._doors = 0
        self.network = Network(loop, scenario.network, observer)
        for region in self.topology.regions.values():
            for node in region.nodes:
                self.network.place(node.grpc, loop.host(f"{region.name}/{node.name}"))
        self.databases: Mapping[Origin, Database] = {
            (origin := Origin(region.name, shard.name)): Database(
                loop, loop.host(str(origin)), origin, scenario.disk, observer
            )
            for region in self.topology.regions.values()
            for shard in region.shards
        }
        self.storage = MemoryStorage(loop, self.databases)
        self.nodes: Mapping[str, SimulatedNode] = {
            f"{region.name}/{node.name}": SimulatedNode(
                loop=loop,
                network=self.network,
                topology=self.topology,
                region=region.name,
                node=node,
                host=loop.host(f"{region.name}/{node.name}"),
                storage=self.storage,
            )
            for region in self.topology.regions.values()
            for node in region.nodes
        }

    @property
    def shards(self) -> Mapping[Origin, MemoryShard]:
        """What is durable, for looking at only."""
        return {origin: database.shard for origin, database in self.databases.items()}

    def start(self) -> None:
        """Start every node."""
        for node in self.nodes.values():
            node.start()

    def clients_host(self, region: RegionName) -> Host:
        """Where the clients of a region live."""
        return self.loop.host(f"{region}/clients")

    async def sleep(self, seconds: float) -> None:
        """Let true time pass; for the harness."""
        if seconds > 0:
            await self.loop.current_host().clock.sleep(seconds)

    async def until(self, condition: Callable[[], bool], seconds: float, step_seconds: float = 0.05) -> bool:
        """Look again and again until a condition holds, for at most so long; whether it came to hold."""
        deadline = self.loop.now() + seconds
        while not condition():
            if self.loop.now() >= deadline:
                return False
            await self.sleep(step_seconds)
        return True

    async def open_door(self, region: RegionName, token: str) -> Door:
        """A door for a client in ``region``, opened, on the calling host. Raises what opening raises."""
        if self.client_kind == "embedded":
            return await self._embedded_door(region, token)
        host = self.clients_host(region)
        channels = self.network.channel(host)

        async def open_stream(address: str) -> SessionStream:
            return SessionStream(await dial(address, make_channel=channels), address)

        addresses = [node.grpc for node in self.topology.regions[region].nodes]
        first = self._doors % len(addresses)  # clients in turn, so that the nodes of a region race each other
        self._doors += 1
        door = RemoteDoor(
            [*addresses[first:], *addresses[:first]],
            clock=host.clock,
            entropy=host.entropy,
            token=token,
            open_stream=open_stream,
        )
        await door.open()
        return door

    async def _embedded_door(self, region: RegionName, token: str) -> Door:
        host = self.clients_host(region)
        return await open_embedded(
            self.topology,
            region,
            storage=self.storage,
            transport=GrpcTransport(self.topology, self.network.channel(host)),
            token_key=TOKEN_KEY,
            clock=host.clock,
            entropy=host.entropy,
            tokens=split_token(token),
        )
