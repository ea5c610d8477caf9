"""One conversation over grpc.aio's own sockets and over the simulated network: the same words come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from grpc import aio
from tests.unit.simulation.network.worlds import Service, World, outcome

from atoll.rpc.channels import real_channel
from atoll.rpc.options import server_options

Said = list[str]


class Stage:
    """Where a conversation takes place: a channel to a server, and a channel to where nobody listens."""

    def __init__(self, channel: aio.Channel, nobody: aio.Channel, server: aio.Server, service: Service) -> None:
        self.channel = channel
        self.nobody = nobody
        self.server = server
        self.service = service

    def unary(self, method: str, request: bytes = b"hello", **options: Any) -> Any:
        call: Any = self.channel.unary_unary(f"/test/{method}")
        return call(request, **options)

    def stream(self, method: str, **options: Any) -> Any:
        call: Any = self.channel.stream_stream(f"/test/{method}")
        return call(**options)


Conversation = Callable[[Stage], Coroutine[Any, Any, Said]]


async def an_answer(stage: Stage) -> Said:
    call = stage.unary("Echo")
    return [await outcome(call), await outcome(call), str(await call.code()), str(call.done()), str(call.cancelled())]


async def a_typed_refusal(stage: Stage) -> Said:
    return [await outcome(stage.unary("Refuse"))]


async def a_servicer_that_fails(stage: Stage) -> Said:
    return [await outcome(stage.unary("Fail"))]


async def a_code_that_was_set(stage: Stage) -> Said:
    return [await outcome(stage.unary("Code"))]


async def a_method_that_is_not_there(stage: Stage) -> Said:
    return [await outcome(stage.unary("Nothing")), await outcome(stage.stream("Nothing").read())]


async def a_deadline(stage: Stage) -> Said:
    await stage.unary("Echo")
    said = [await outcome(stage.unary("Hang", timeout=0.1))]
    await stage.service.hang_was_cancelled.wait()
    return said


async def a_deadline_of_a_stream(stage: Stage) -> Said:
    call = stage.stream("Chat", timeout=0.3)
    await call.write(b"1")
    return [await outcome(step) for step in (call.read(), call.read(), call.write(b"2"), call.read())]


async def nobody_listening(stage: Stage) -> Said:
    call: Any = stage.nobody.stream_stream("/test/Chat")()
    echo: Any = stage.nobody.unary_unary("/test/Echo")
    said = [await outcome(step) for step in (call.write(b"1"), call.write(b"2"), call.read(), echo(b""))]
    return [*said, await outcome(echo(b"", wait_for_ready=True, timeout=0.2))]


async def a_client_that_cancels(stage: Stage) -> Said:
    await stage.unary("Echo")
    call = stage.unary("Hang")
    await asyncio.sleep(0.05)
    said = [str(call.cancel()), await outcome(call), await outcome(call.code()), await outcome(call.details())]
    await stage.service.hang_was_cancelled.wait()
    return [*said, str(call.cancelled()), str(call.cancel())]


async def a_task_that_is_cancelled(stage: Stage) -> Said:
    await stage.unary("Echo")
    call = stage.unary("Hang")

    async def wait() -> None:
        await call

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0.05)
    task.cancel()
    return [await outcome(task), await outcome(call.code())]


async def a_stream_that_is_cancelled(stage: Stage) -> Said:
    call = stage.stream("Chat")
    await call.write(b"1")
    said = [await outcome(call.read())]
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0.05)
    call.cancel()
    said += [await outcome(reading), await outcome(call.write(b"2")), await outcome(call.read())]
    return [*said, await outcome(call.code()), await outcome(call.done_writing())]


async def a_read_that_is_cancelled(stage: Stage) -> Said:
    call = stage.stream("Chat")
    await call.write(b"1")
    said = [await outcome(call.read())]
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0.05)
    reading.cancel()
    return [*said, await outcome(reading), await outcome(call.code()), await outcome(call.write(b"2"))]


async def a_stream_to_its_end(stage: Stage) -> Said:
    call = stage.stream("Chat")
    await call.write(b"1")
    await call.write(b"2")
    await call.done_writing()
    said = [await outcome(call.write(b"3"))]
    said += [await outcome(step) for step in (call.read(), call.read(), call.read(), call.read())]
    return [*said, await outcome(call.write(b"4")), await outcome(call.code()), await outcome(call.details())]


async def a_stream_that_the_server_ends(stage: Stage) -> Said:
    call = stage.stream("Bye")
    return [await outcome(step) for step in (call.read(), call.read(), call.write(b"1"), call.done_writing())]


async def a_write_before_the_end_is_read(stage: Stage) -> Said:
    call = stage.stream("Bye")
    await call.wait_for_connection()
    await asyncio.sleep(0.2)
    return [await outcome(step) for step in (call.write(b"1"), call.write(b"2"), call.read())]


async def a_stream_that_is_refused(stage: Stage) -> Said:
    call = stage.stream("ChatOnce")
    await call.write(b"1")
    said = [await outcome(step) for step in (call.read(), call.read(), call.read(), call.write(b"2"))]
    return [*said, await outcome(call.code()), await outcome(call.details()), str(await call.trailing_metadata())]


async def responses_by_iteration(stage: Stage) -> Said:
    call: Any = stage.channel.unary_stream("/test/Count")
    return [repr([response async for response in call(b"3")]), repr([response async for response in call(b"0")])]


async def messages_that_are_too_large(stage: Stage) -> Said:
    huge = bytes(9 * 1024 * 1024)
    call, answers = stage.stream("Chat"), stage.stream("Huger")
    said = [await outcome(stage.unary("Echo", huge)), await outcome(stage.unary("Huge"))]
    await call.write(b"1")
    said += [await outcome(step) for step in (call.read(), call.write(huge), call.write(b"2"))]
    await asyncio.sleep(0.1)
    said.append(await outcome(call.read()))
    return said + [await outcome(step) for step in (answers.read(), answers.read(), answers.read())]


async def a_server_that_stops(stage: Stage) -> Said:
    call, hanging = stage.stream("Chat"), stage.unary("Hang")
    await call.write(b"1")
    said = [await outcome(call.read())]
    await stage.server.stop(0.1)
    said += [await outcome(hanging), await outcome(call.read()), await outcome(call.write(b"2"))]
    return [*said, await outcome(stage.unary("Echo"))]


async def a_server_that_stops_after_its_calls(stage: Stage) -> Said:
    call = stage.stream("Chat")
    await call.write(b"1")
    said = [await outcome(call.read())]
    stopping = asyncio.ensure_future(stage.server.stop(30.0))
    await asyncio.sleep(0.05)
    said += [str(stopping.done()), await outcome(stage.unary("Echo"))]
    await call.write(b"2")
    said.append(await outcome(call.read()))
    await call.done_writing()
    said.append(await outcome(call.read()))
    await stopping
    return said


async def a_channel_that_is_closed(stage: Stage) -> Said:
    call = stage.stream("Chat")
    await call.write(b"1")
    said = [await outcome(call.read())]
    reading = asyncio.ensure_future(call.read())
    await asyncio.sleep(0.05)
    await stage.channel.close()
    said += [await outcome(reading), str(stage.channel.get_state())]
    try:
        said.append(await outcome(stage.unary("Echo")))
    except aio.UsageError as error:
        said.append(str(error))
    return said


CONVERSATIONS = [
    an_answer,
    a_typed_refusal,
    a_servicer_that_fails,
    a_code_that_was_set,
    a_method_that_is_not_there,
    a_deadline,
    a_deadline_of_a_stream,
    nobody_listening,
    a_client_that_cancels,
    a_task_that_is_cancelled,
    a_stream_that_is_cancelled,
    a_read_that_is_cancelled,
    a_stream_to_its_end,
    a_stream_that_the_server_ends,
    a_write_before_the_end_is_read,
    a_stream_that_is_refused,
    responses_by_iteration,
    messages_that_are_too_large,
    a_server_that_stops,
    a_server_that_stops_after_its_calls,
    a_channel_that_is_closed,
]


def held_in_a_simulation(conversation: Conversation) -> Said:
    world = World()

    async def talk(world: World) -> Said:
        server = await world.loop.spawn(world.server, _served(world), "serve")
        nobody = world.network.channel(world.client)("nobody.test:1")
        return await conversation(Stage(_near(world), nobody, server, world.service))

    async def _served(world: World) -> aio.Server:
        server = world.network.listen(world.server, "london.test:7002")
        server.add_generic_rpc_handlers((world.service,))
        await server.start()
        return server

    def _near(world: World) -> aio.Channel:
        return world.network.channel(world.client)("london.test:7002")

    return world.run(talk)


async def held_over_sockets(conversation: Conversation) -> Said:
    service = Service()
    server = aio.server(options=server_options())
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel, nobody = real_channel(f"127.0.0.1:{port}"), real_channel("127.0.0.1:1")
    try:
        return await conversation(Stage(channel, nobody, server, service))
    finally:
        await channel.close()
        await nobody.close()
        await server.stop(None)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.__name__)
def test_conversation_goes_as_over_grpc(conversation: Conversation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with asyncio.Runner() as runner:
        over_sockets = runner.run(held_over_sockets(conversation))
    assert held_in_a_simulation(conversation) == over_sockets
