"""The production services, transport and streams of a node over the simulated network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.fixtures.regions import topology_of
from tests.unit.simulation.network.worlds import ADDRESS, FRANKFURT, LONDON, World

from atoll.causality.cut import Cut
from atoll.crdt.operations import Delete
from atoll.errors import AtollError, DeadlineExceeded, OutcomeUnknown, Overloaded, Unavailable, WrongRing
from atoll.ids import CollectionName, NodeName, ShardName
from atoll.keyspace.topology import Node, Topology
from atoll.node.waiting import Bell
from atoll.replication.messages import Acknowledgement, Heartbeat, Hello, StreamMessage
from atoll.requests import Get, Mutate, Reply, Request, Written
from atoll.rpc.server import NodeServer
from atoll.rpc.session_stream import NotSent, SessionStream
from atoll.rpc.transport import GrpcTransport
from atoll.simulation.observations import Carried, Observation

CITY = CollectionName("city")
WRITE = Request(operations=[Mutate(collection=CITY, key="k", write=Delete())], deadline_seconds=5.0)
READ = Request(operations=[Get(collection=CITY, key="k")], deadline_seconds=5.0)
REPLY = Reply(results=[Written()], token="t")
NODE = "london.test:7100"
S1 = ShardName("s1")


class ServedNode:
    """A node of London's whose answers a test decides."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked = 0
        self.acknowledged: list[Acknowledgement] = []
        self.error: AtollError | None = None
        self.hold: Awaitable[Any] | None = None
        self.changed = Bell()

    async def start(self) -> NodeServer:
        server = NodeServer(
            execute=self._execute,
            serve_pull=self._serve_pull,
            control=cast(Any, None),
            server=self._world.network.listen(self._world.server, NODE),
        )
        await server.start(NODE)
        return server

    async def _execute(self, request: Request) -> Reply:
        self.asked += 1
        self.changed.ring()
        if self.hold is not None:
            await self.hold
        if self.error is not None:
            raise self.error
        return REPLY

    async def _serve_pull(
        self, hello: Hello, acknowledgements: AsyncIterator[Acknowledgement]
    ) -> AsyncIterator[StreamMessage]:
        if hello.ring != "ring":
            raise WrongRing(f"this is ring 'ring', not {hello.ring!r}")
        yield Heartbeat(timestamp=1, captured={S1: 7})
        async for acknowledgement in acknowledgements:
            self.acknowledged.append(acknowledgement)
            yield Heartbeat(timestamp=2, captured=acknowledgement.applied)


def topology() -> Topology:
    ring = topology_of((FRANKFURT, LONDON))
    node = Node(name=NodeName("n1"), grpc=NODE, http="127.0.0.1:1")
    return replace(ring, regions={**ring.regions, LONDON: replace(ring.regions[LONDON], nodes=[node])})


Talk = Callable[[World, ServedNode, NodeServer, GrpcTransport], Awaitable[Any]]


def held(talk: Talk, world: World | None = None) -> None:
    """Hold a conversation between a transport of Frankfurt's and a node of London's."""

    async def conversation(world: World) -> None:
        node = ServedNode(world)
        server = await world.loop.spawn(world.server, node.start(), "node")
        transport = GrpcTransport(topology(), world.network.channel(world.client))
        await talk(world, node, server, transport)
        await transport.close()

    (world or World()).run(conversation)


async def session(world: World) -> SessionStream:
    return await SessionStream.open(NODE, world.network.channel(world.client))


async def asked(node: ServedNode, count: int) -> None:
    while node.asked < count:
        await node.changed.wait(node.changed.ticket())


def test_request_is_answered_and_refusals_keep_their_class() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        assert await transport.execute(LONDON, WRITE, 5.0) == REPLY
        node.error = Overloaded("the write queue of s1 is full")
        with pytest.raises(Overloaded, match="the write queue of s1 is full"):
            await transport.execute(LONDON, WRITE, 5.0)

    held(talk)


def test_cut_under_way_leaves_a_write_unknown_and_a_read_unavailable() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        await transport.execute(LONDON, READ, 5.0)
        node.hold = world.loop.create_future()
        calls = [asyncio.ensure_future(transport.execute(LONDON, request, 30.0)) for request in (WRITE, READ)]
        await asked(node, 3)
        world.network.cut(LONDON, FRANKFURT, reset=True)
        write, read = await asyncio.gather(*calls, return_exceptions=True)
        assert type(write) is OutcomeUnknown
        assert type(read) is Unavailable

    held(talk)


def test_write_that_was_never_sent_is_known_not_to_have_happened() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=False)
        with pytest.raises(Unavailable, match="failed to connect"):
            await transport.execute(LONDON, WRITE, 5.0)
        assert node.asked == 0

    held(talk)


def test_answer_that_does_not_come_in_time_is_a_deadline_or_an_unknown_outcome() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        node.hold = world.loop.create_future()
        began = world.loop.now()
        with pytest.raises(DeadlineExceeded):
            await transport.execute(LONDON, READ, 2.0)
        assert world.loop.now() - began == pytest.approx(3.0)
        with pytest.raises(OutcomeUnknown):
            await transport.execute(LONDON, WRITE, 2.0)

    held(talk)


def test_session_carries_many_requests_and_their_refusals() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        stream = await session(world)
        for number in range(20):
            await stream.send(stream.encode(number, WRITE))
        answers = [await stream.receive() for _ in range(20)]
        assert sorted(answer[0] for answer in answers if answer) == list(range(20))
        node.error = Overloaded("full")
        await stream.send(stream.encode(99, WRITE))
        number, refusal = await stream.receive() or (0, None)
        assert (number, type(refusal)) == (99, Overloaded)
        await stream.close()

    held(talk)


def test_node_that_stops_answers_what_it_has_begun_and_ends_the_session() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        stream = await session(world)
        node.hold = hold = world.loop.create_future()
        await stream.send(stream.encode(1, WRITE))
        await asked(node, 1)
        stopping = world.loop.spawn(world.server, server.stop(2.0), "stop")
        await asyncio.sleep(0.5)
        hold.set_result(None)
        assert await stream.receive() == (1, REPLY)
        assert await stream.receive() is None
        await stopping
        with pytest.raises(NotSent):
            await stream.send(stream.encode(2, WRITE))
        with pytest.raises(Unavailable, match="nobody listens"):
            await session(world)

    held(talk)


def test_session_breaks_with_its_connection_and_what_is_sent_afterwards_is_known_unsent() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        stream = await session(world)
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=False)
        with pytest.raises(Unavailable, match="reset"):
            await stream.receive()
        with pytest.raises(NotSent, match="reset"):
            await stream.send(stream.encode(2, WRITE))
        await stream.close()

    held(talk)


def test_replication_stream_carries_messages_both_ways_and_they_are_observed_as_bytes() -> None:
    class Eye:
        def __init__(self) -> None:
            self.seen: list[Observation] = []

        def observe(self, observation: Observation) -> None:
            self.seen.append(observation)

    eye = Eye()

    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        await transport.execute(LONDON, READ, 5.0)
        stream = await transport.pull(LONDON, Hello(ring="ring", region=FRANKFURT))
        assert await stream.receive() == Heartbeat(timestamp=1, captured={S1: 7})
        told = Acknowledgement(applied={S1: 9}, cut=Cut.EMPTY)
        await stream.acknowledge(told)
        assert await stream.receive() == Heartbeat(timestamp=2, captured={S1: 9})
        assert node.acknowledged == [told]
        await stream.close()

    held(talk, World(observer=eye))
    carried = [(seen.source, seen.target) for seen in eye.seen if isinstance(seen, Carried)]
    assert carried == [(FRANKFURT, LONDON), (LONDON, FRANKFURT), (FRANKFURT, LONDON), (LONDON, FRANKFURT)]
    assert all(isinstance(seen, Carried) and seen.payload for seen in eye.seen)


def test_stranger_is_refused_with_the_typed_error() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        with pytest.raises(WrongRing, match="not 'other'"):
            await transport.pull(LONDON, Hello(ring="other", region=FRANKFURT))

    held(talk)


def test_replication_stream_into_the_dark_breaks_as_unavailable() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        stream = await transport.pull(LONDON, Hello(ring="ring", region=FRANKFURT))
        await stream.receive()
        world.network.cut(FRANKFURT, LONDON)
        await stream.acknowledge(Acknowledgement(applied={}))
        with pytest.raises(Unavailable, match="timed out"):
            await stream.receive()
        with pytest.raises(Unavailable):
            await transport.pull(LONDON, Hello(ring="ring", region=FRANKFURT))

    held(talk)


def test_two_servers_cannot_have_one_address() -> None:
    async def talk(world: World, node: ServedNode, server: NodeServer, transport: GrpcTransport) -> None:
        with pytest.raises(RuntimeError, match="Failed to bind"):
            world.network.listen(world.client, ADDRESS)

    held(talk)
