"""A node's gRPC server on loopback: services, limits, health, reflection, typed errors, a graceful end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.fixtures.regions import eventually

from atoll.causality.cut import Cut
from atoll.control import Location, NodeStatus, RowDigest
from atoll.crdt.operations import Put
from atoll.errors import (
    AtollError,
    InvalidToken,
    OperatorError,
    Overloaded,
    Unavailable,
    UnknownCollection,
    UnknownZone,
    ValueTooLarge,
    WrongRing,
    ZoneNotHosted,
)
from atoll.ids import CollectionName, NodeName, RegionName, ShardName, ZoneName
from atoll.limits import MESSAGE_BYTES_MAX, REQUESTS_PER_STREAM_MAX
from atoll.replication.messages import Acknowledgement, Heartbeat, Hello, StreamMessage
from atoll.requests import Found, Get, Mutate, Operation, Reply, Request, Result, Written
from atoll.rpc.channels import Channels
from atoll.rpc.failures import from_rpc_error
from atoll.rpc.options import channel_options, server_options
from atoll.rpc.pull_stream import GrpcPullStream
from atoll.rpc.remote_control import RemoteControl
from atoll.rpc.server import NodeServer
from atoll.rpc.session_stream import SessionStream
from atoll.wire.v1 import control_pb2, control_pb2_grpc, data_pb2, data_pb2_grpc

SERVICES = ("atoll.wire.v1.Data", "atoll.wire.v1.Replication", "atoll.wire.v1.Control")
CITY = CollectionName("city")


def answer_to(operation: Operation) -> Result:
    return Written() if isinstance(operation, Mutate) else Found({"key": operation.key})


class FakeNode:
    """Answers as told."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.error: AtollError | None = None
        self.in_progress = 0
        self.most_in_progress = 0
        self.drilled: Collection[RegionName] = ()

    async def execute(self, request: Request) -> Reply:
        self.asked.append(request)
        self.in_progress += 1
        self.most_in_progress = max(self.most_in_progress, self.in_progress)
        try:
            await self.hold.wait()
            if self.error is not None:
                raise self.error
            results = [
                Written() if isinstance(each, Mutate) else Found({"key": each.key}) for each in request.operations
            ]
            return Reply(results=results, token="token")
        finally:
            self.in_progress -= 1

    async def serve_pull(
        self, hello: Hello, acknowledgements: AsyncIterator[Acknowledgement]
    ) -> AsyncIterator[StreamMessage]:
        if self.error is not None:
            raise self.error
        yield Heartbeat(timestamp=0, captured=hello.after)  # type: ignore[arg-type]
        async for acknowledgement in acknowledgements:
            yield Heartbeat(timestamp=0, captured=acknowledgement.applied)  # type: ignore[arg-type]

    async def status(self) -> NodeStatus:
        if self.error is not None:
            raise self.error
        return NodeStatus(
            ring="ring",
            region=RegionName("frankfurt"),
            node=NodeName("n1"),
            map_version=1,
            shards=[],
            peers=[],
            cut=Cut.EMPTY,
            cut_off_from=[],
        )

    async def digest(self, zone: ZoneName) -> AsyncIterator[Sequence[RowDigest]]:
        for number in range(3):
            yield [RowDigest("city", f"k{number}", bytes([number]) * 16)]
        if zone == "nowhere":
            raise UnknownZone("no zone 'nowhere'")

    async def locate(self, collection: CollectionName, zone: ZoneName | None, key: str) -> Location:
        raise ZoneNotHosted(f"{collection}/{zone}/{key} lives elsewhere")

    async def drill(self, cut_off_from: Collection[RegionName]) -> None:
        self.drilled = cut_off_from


@pytest.fixture
async def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
async def address(node: FakeNode) -> AsyncIterator[str]:
    server = NodeServer(execute=node.execute, serve_pull=node.serve_pull, control=node)
    port = await server.start("127.0.0.1:0")
    yield f"127.0.0.1:{port}"
    node.hold.set()
    await server.stop(0)


@pytest.fixture
async def channel(address: str) -> AsyncIterator[aio.Channel]:
    channels = Channels()
    yield channels.to(address)
    await channels.close()


@asynccontextmanager
async def session_to(address: str) -> AsyncIterator[SessionStream]:
    stream = await SessionStream.open(address)
    try:
        yield stream
    finally:
        await stream.close()


def read(*keys: str) -> Request:
    return Request(operations=[Get(collection=CITY, key=key) for key in keys], deadline_seconds=5.0)


# -- health and reflection ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_health_of_every_service_is_serving(channel: aio.Channel, service: str) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_of_a_server_that_stops_is_not_serving_before_it_is_gone(node: FakeNode) -> None:
    server = NodeServer(execute=node.execute, serve_pull=node.serve_pull, control=node)
    port = await server.start("127.0.0.1:0")
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICES[0]))
        states = aiter(watch)
        assert (await anext(states)).status == health_pb2.HealthCheckResponse.SERVING
        stopping = asyncio.create_task(server.stop(5))
        assert (await anext(states)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        await stopping


async def test_reflection_lists_every_service(channel: aio.Channel) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for reply in call:
        names = {service.name for service in reply.list_services_response.service}
        assert {*SERVICES, "grpc.health.v1.Health"} <= names


# -- limits and options -------------------------------------------------------------------------------------------


def test_both_ends_have_limits_in_both_directions_and_keepalive() -> None:
    for options in (dict(channel_options()), dict(server_options())):
        assert options["grpc.max_send_message_length"] == MESSAGE_BYTES_MAX
        assert options["grpc.max_receive_message_length"] == MESSAGE_BYTES_MAX
        assert options["grpc.keepalive_time_ms"] == 10_000
        assert options["grpc.keepalive_timeout_ms"] == 5_000
        assert options["grpc.keepalive_permit_without_calls"] == 1
    assert dict(server_options())["grpc.so_reuseport"] == 0
    allowed = dict(server_options())["grpc.http2.min_recv_ping_interval_without_data_ms"]
    assert allowed < dict(channel_options())["grpc.keepalive_time_ms"], "the server must not take pings for an attack"


async def test_message_above_the_limit_is_refused_with_a_typed_error_and_never_executed(
    node: FakeNode, address: str
) -> None:
    """The client's own limit is lifted, so that it is the server's that refuses."""
    async with aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        stub: Any = data_pb2_grpc.DataStub(channel)
        message = data_pb2.ExecuteRequest(tokens=["x" * (MESSAGE_BYTES_MAX + 1)], deadline_seconds=1)
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.Execute(message)
    assert isinstance(from_rpc_error(caught.value, address), ValueTooLarge)
    assert not node.asked


async def test_message_above_the_limit_does_not_leave_the_client(node: FakeNode, address: str) -> None:
    with pytest.raises(ValueTooLarge, match="bytes"):
        SessionStream.encode(1, Request(operations=[], tokens=["x" * (MESSAGE_BYTES_MAX + 1)], deadline_seconds=1.0))


async def test_message_just_below_the_limit_passes(node: FakeNode, address: str) -> None:
    part = Put({"blob": bytes(MESSAGE_BYTES_MAX // 8 - 100)})
    writes = [Mutate(collection=CITY, key="k", write=part) for _ in range(8)]
    async with session_to(address) as stream:
        await stream.send(stream.encode(1, Request(operations=writes, deadline_seconds=5.0)))
        answer = await stream.receive()
    assert answer == (1, Reply(results=[Written()] * 8, token="token"))


async def test_second_server_on_the_same_port_is_refused_with_a_clear_error(node: FakeNode, address: str) -> None:
    second = NodeServer(execute=node.execute, serve_pull=node.serve_pull, control=node)
    with pytest.raises(OperatorError, match=f"cannot listen on {address}"):
        await second.start(address)
    await second.stop(0)


# -- data ---------------------------------------------------------------------------------------------------------


async def test_session_answers_in_the_order_in_which_replies_are_ready(node: FakeNode, address: str) -> None:
    async with session_to(address) as stream:
        for number in range(1, 6):
            await stream.send(stream.encode(number, read(f"k{number}")))
        answers = dict([await stream.receive() or pytest.fail("ended") for _ in range(5)])
    assert {number: reply.results[0].value for number, reply in answers.items()} == {
        number: {"key": f"k{number}"} for number in range(1, 6)
    }


async def test_session_has_no_more_requests_in_progress_than_its_bound(node: FakeNode, address: str) -> None:
    total = REQUESTS_PER_STREAM_MAX + 40
    node.hold.clear()
    async with session_to(address) as stream:
        for number in range(total):
            await stream.send(stream.encode(number, read("k")))
        await eventually(lambda: node.in_progress == REQUESTS_PER_STREAM_MAX, "as many as may be are in progress")
        node.hold.set()
        for _ in range(total):
            assert await stream.receive() is not None
    assert node.most_in_progress == REQUESTS_PER_STREAM_MAX


async def test_refusal_of_a_whole_request_crosses_as_its_class_and_the_session_goes_on(
    node: FakeNode, address: str
) -> None:
    async with session_to(address) as stream:
        node.error = InvalidToken("the token was tampered with")
        await stream.send(stream.encode(1, read("a")))
        number, error = await stream.receive() or pytest.fail("ended")
        assert (number, type(error), str(error)) == (1, InvalidToken, "the token was tampered with")
        node.error = None
        await stream.send(stream.encode(2, read("a")))
        assert (await stream.receive() or pytest.fail("ended"))[0] == 2


async def test_unforeseen_failure_is_a_typed_error_without_its_details(node: FakeNode, address: str) -> None:
    async def explode(request: Request) -> Reply:
        raise ZeroDivisionError("a secret of the implementation")

    server = NodeServer(execute=explode, serve_pull=node.serve_pull, control=node)
    port = await server.start("127.0.0.1:0")
    try:
        async with session_to(f"127.0.0.1:{port}") as stream:
            await stream.send(stream.encode(1, read("a")))
            _, error = await stream.receive() or pytest.fail("ended")
        assert isinstance(error, AtollError)
        assert "secret" not in str(error)
    finally:
        await server.stop(0)


async def test_stopping_server_answers_what_it_has_begun_and_ends_its_sessions(node: FakeNode) -> None:
    server = NodeServer(execute=node.execute, serve_pull=node.serve_pull, control=node)
    port = await server.start("127.0.0.1:0")
    node.hold.clear()
    async with session_to(f"127.0.0.1:{port}") as stream:
        await stream.send(stream.encode(1, read("a")))
        await eventually(lambda: node.in_progress == 1, "the request has begun")
        stopping = asyncio.create_task(server.stop(30))
        node.hold.set()
        assert (await stream.receive() or pytest.fail("ended"))[0] == 1
        assert await stream.receive() is None
        await asyncio.wait_for(stopping, 10)


# -- replication --------------------------------------------------------------------------------------------------


async def test_pull_stream_carries_messages_both_ways_and_ends_when_closed(channel: aio.Channel) -> None:
    s1 = ShardName("s1")
    hello = Hello(ring="ring", region=RegionName("tokyo"), after={s1: 3})
    stream = await GrpcPullStream.open(channel, "frankfurt", hello)
    assert await stream.receive() == Heartbeat(timestamp=0, captured={s1: 3})  # type: ignore[arg-type]
    await stream.acknowledge(Acknowledgement(applied={s1: 9}))
    assert await stream.receive() == Heartbeat(timestamp=0, captured={s1: 9})  # type: ignore[arg-type]
    await stream.close()
    await stream.close()


@pytest.mark.parametrize("kind", [WrongRing, Unavailable, Overloaded])
async def test_refused_pull_raises_the_peers_typed_error(
    node: FakeNode, channel: aio.Channel, kind: type[AtollError]
) -> None:
    node.error = kind("this is why")
    with pytest.raises(kind, match="this is why") as caught:
        await GrpcPullStream.open(channel, "frankfurt", Hello(ring="ring", region=RegionName("tokyo")))
    assert type(caught.value) is kind


async def test_stream_of_a_server_that_dies_is_unavailable(node: FakeNode) -> None:
    server = NodeServer(execute=node.execute, serve_pull=node.serve_pull, control=node)
    port = await server.start("127.0.0.1:0")
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = await GrpcPullStream.open(channel, "frankfurt", Hello(ring="ring", region=RegionName("tokyo")))
        await stream.receive()
        await server.stop(0)
        with pytest.raises(Unavailable):
            await stream.receive()
        with pytest.raises(Unavailable):
            await stream.acknowledge(Acknowledgement(applied={}))


# -- control ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def remote(address: str) -> AsyncIterator[RemoteControl]:
    remote = RemoteControl(address, timeout_seconds=5.0)
    yield remote
    await remote.close()


async def test_status_is_answered(remote: RemoteControl) -> None:
    assert (await remote.status()).region == "frankfurt"


async def test_digest_comes_in_chunks_and_in_order(remote: RemoteControl) -> None:
    keys = [row.key async for chunk in remote.digest(ZoneName("eu")) for row in chunk]
    assert keys == ["k0", "k1", "k2"]


async def test_digest_that_fails_half_way_raises_the_typed_error(remote: RemoteControl) -> None:
    with pytest.raises(UnknownZone, match="nowhere"):
        async for _ in remote.digest(ZoneName("nowhere")):
            pass


async def test_locate_raises_the_typed_error_of_the_node(remote: RemoteControl) -> None:
    with pytest.raises(ZoneNotHosted, match="city/None/k lives elsewhere"):
        await remote.locate(CITY, None, "k")


async def test_drill_reaches_the_node(node: FakeNode, remote: RemoteControl) -> None:
    await remote.drill([RegionName("tokyo")])
    assert list(node.drilled) == ["tokyo"]


async def test_control_of_a_node_that_is_not_there_is_unavailable() -> None:
    remote = RemoteControl("127.0.0.1:1", timeout_seconds=5.0)
    try:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
            await remote.status()
    finally:
        await remote.close()


async def test_typed_error_is_told_to_tools_as_a_grpc_status_too(node: FakeNode, channel: aio.Channel) -> None:
    node.error = UnknownCollection("no collection 'x'")
    stub: Any = control_pb2_grpc.ControlStub(channel)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.Status(control_pb2.StatusRequest())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "no collection 'x'"
