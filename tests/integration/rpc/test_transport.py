"""The way from one region to the nodes of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.fixtures.ports import free_ports
from tests.fixtures.regions import FRANKFURT, TOKYO, eventually, topology_of

from atoll.crdt.operations import Delete
from atoll.errors import (
    AtollError,
    DeadlineExceeded,
    InvalidToken,
    OutcomeUnknown,
    Overloaded,
    StaleRoute,
    Unavailable,
    ZoneNotHosted,
)
from atoll.ids import CollectionName, NodeName, RegionName
from atoll.keyspace.topology import Node, Topology
from atoll.node.drill import Drill
from atoll.node.drilled_transport import DrilledTransport
from atoll.replication.messages import Hello
from atoll.requests import Get, Mutate, Reply, Request, Written
from atoll.rpc.server import NodeServer
from atoll.rpc.transport import GrpcTransport

CITY = CollectionName("city")
WRITE = Request(operations=[Mutate(collection=CITY, key="k", write=Delete())], deadline_seconds=5.0)
READ = Request(operations=[Get(collection=CITY, key="k")], deadline_seconds=5.0)


class Nodes:
    """A region of two nodes, of which a test starts those it wants."""

    def __init__(self) -> None:
        self.ports = free_ports(2)
        self.topology = self._topology()
        self.transport = GrpcTransport(self.topology)
        self.asked = [0, 0]
        self.held: set[int] = set()
        """Nodes that do not answer."""
        self.error: AtollError | None = None
        self._servers: dict[int, NodeServer] = {}

    def _topology(self) -> Topology:
        ring = topology_of((FRANKFURT, TOKYO))
        nodes = [
            Node(name=NodeName(f"n{index}"), grpc=f"127.0.0.1:{port}", http="127.0.0.1:1")
            for index, port in enumerate(self.ports)
        ]
        return replace(ring, regions={**ring.regions, TOKYO: replace(ring.regions[TOKYO], nodes=nodes)})

    async def start(self, index: int) -> None:
        async def execute(request: Request) -> Reply:
            self.asked[index] += 1
            if index in self.held:
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
            return Reply(results=[Written() for _ in request.operations], token="t")

        self._servers[index] = NodeServer(execute=execute, serve_pull=cast(Any, None), control=cast(Any, None))
        await self._servers[index].start(f"127.0.0.1:{self.ports[index]}")

    async def stop(self, index: int) -> None:
        await self._servers.pop(index).stop(0)

    async def close(self) -> None:
        await self.transport.close()
        for index in list(self._servers):
            await self.stop(index)


@pytest.fixture
async def nodes() -> AsyncIterator[Nodes]:
    made = Nodes()
    yield made
    await made.close()


async def test_request_is_answered_by_a_node_of_the_region(nodes: Nodes) -> None:
    await nodes.start(0)
    assert await nodes.transport.execute(TOKYO, WRITE, 5.0) == Reply(results=[Written()], token="t")


async def test_node_that_is_not_there_makes_way_for_the_next_even_for_writes(nodes: Nodes) -> None:
    await nodes.start(1)
    await nodes.transport.execute(TOKYO, WRITE, 5.0)
    await nodes.transport.execute(TOKYO, WRITE, 5.0)
    assert nodes.asked == [0, 2]


async def test_region_without_any_node_that_answers_is_unavailable(nodes: Nodes) -> None:
    with pytest.raises(Unavailable, match="of tokyo at 127"):
        await nodes.transport.execute(TOKYO, WRITE, 5.0)
    with pytest.raises(Unavailable, match="of tokyo at 127"):
        await nodes.transport.pull(TOKYO, Hello(ring="ring", region=FRANKFURT))


async def test_region_nobody_configured_is_unavailable(nodes: Nodes) -> None:
    with pytest.raises(Unavailable, match="atlantis has no nodes"):
        await nodes.transport.execute(RegionName("atlantis"), READ, 5.0)


@pytest.mark.parametrize("kind", [StaleRoute, ZoneNotHosted, InvalidToken, Overloaded, DeadlineExceeded])
async def test_redirects_and_refusals_cross_as_their_class(nodes: Nodes, kind: type[AtollError]) -> None:
    await nodes.start(0)
    nodes.error = kind("the map has epoch 7")
    with pytest.raises(kind, match="the map has epoch 7") as caught:
        await nodes.transport.execute(TOKYO, WRITE, 5.0)
    assert type(caught.value) is kind


async def test_connection_that_breaks_under_a_write_leaves_its_outcome_unknown(nodes: Nodes) -> None:
    await nodes.start(0)
    await nodes.start(1)
    nodes.held.add(0)
    call = asyncio.create_task(nodes.transport.execute(TOKYO, WRITE, 5.0))
    await eventually(lambda: nodes.asked[0] == 1, "the write is under way")
    await nodes.stop(0)
    with pytest.raises(OutcomeUnknown, match="under way"):
        await call
    assert nodes.asked == [1, 0], "nobody may repeat it elsewhere"


async def test_connection_that_breaks_under_a_read_goes_to_the_next_node(nodes: Nodes) -> None:
    await nodes.start(0)
    await nodes.start(1)
    nodes.held.add(0)
    call = asyncio.create_task(nodes.transport.execute(TOKYO, READ, 5.0))
    await eventually(lambda: nodes.asked[0] == 1, "the read is under way")
    await nodes.stop(0)
    assert await call
    assert nodes.asked == [1, 1]


@pytest.mark.parametrize(("request_", "kind"), [(READ, DeadlineExceeded), (WRITE, OutcomeUnknown)])
async def test_node_that_never_answers_ends_with_the_deadline(
    nodes: Nodes, request_: Request, kind: type[AtollError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atoll.rpc.transport.REPLY_GRACE_SECONDS", 0.1)
    await nodes.start(0)
    nodes.held.add(0)
    with pytest.raises(kind):
        await nodes.transport.execute(TOKYO, request_, 0.1)


async def test_drill_keeps_the_node_from_dialling_and_forwarding(nodes: Nodes) -> None:
    await nodes.start(0)
    drill = Drill()
    transport = DrilledTransport(nodes.transport, drill)
    drill.set([TOKYO])
    with pytest.raises(Unavailable, match="drill"):
        await transport.execute(TOKYO, WRITE, 5.0)
    with pytest.raises(Unavailable, match="drill"):
        await transport.pull(TOKYO, Hello(ring="ring", region=FRANKFURT))
    assert nodes.asked == [0, 0]
    drill.set([])
    assert await transport.execute(TOKYO, WRITE, 5.0)
