"""What a stream carries: in order, once, and never more than a window unread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.simulation.network.worlds import ADDRESS, FRANKFURT, LONDON, World, outcome

from atoll.rpc.dialing import dial
from atoll.simulation.limits import STREAM_WINDOW_BYTES_MAX, STREAM_WINDOW_BYTES_MIN
from atoll.simulation.network.network import Network

BAD_LINK = {"loss": 0.2, "duplicate": 0.2, "reorder": 0.3, "jitter_factor": 5.0}


async def stream(world: World, method: str) -> Any:
    channel = await dial(ADDRESS, make_channel=world.network.channel(world.client))
    return channel.stream_stream(f"/test/{method}")()


def worsen(network: Network, **parameters: float) -> None:
    network.degrade(FRANKFURT, LONDON, **parameters)
    network.degrade(LONDON, FRANKFURT, **parameters)


@pytest.mark.parametrize("seed", range(5))
def test_order_is_kept_under_loss_doubling_reordering_and_jitter(seed: int) -> None:
    messages = [b"%d" % number for number in range(200)]

    async def talk(world: World) -> None:
        call = await stream(world, "Collect")
        worsen(world.network, **BAD_LINK)
        for message in messages:
            await call.write(message)
            await asyncio.sleep(0.001)
        await call.done_writing()
        assert await call.read() == b"200"
        assert world.service.collected == messages
        assert {"loss: packets sent again", "degrade: packets duplicated"} < set(world.network.bites)

    World(seed, jitter=0.3).run(talk)


def test_calls_on_connections_of_their_own_overtake_each_other() -> None:
    async def talk(world: World) -> list[bytes]:
        worsen(world.network, loss=0.2)

        async def say(number: int) -> None:
            call = await stream(world, "Collect")
            await asyncio.sleep(1.0 + number * 0.001)
            await call.write(b"%d" % number)
            await call.done_writing()
            await call.read()

        await asyncio.gather(*(say(number) for number in range(20)))
        return world.service.collected

    collected = World(jitter=0.3).run(talk)
    assert sorted(collected) == sorted(b"%d" % number for number in range(20))
    assert collected != sorted(collected, key=int)


def test_writer_waits_while_nobody_reads() -> None:
    async def talk(world: World) -> None:
        call = await stream(world, "Deaf")
        written = 0

        async def write_for_ever() -> None:
            nonlocal written
            while True:
                await call.write(bytes(10_000))
                written += 1

        writing = asyncio.ensure_future(write_for_ever())
        await asyncio.sleep(60.0)
        assert written * 10_000 <= STREAM_WINDOW_BYTES_MIN + 10_000
        call.cancel()
        assert await outcome(writing) == "cancelled"

    World().run(talk)


def test_servicer_waits_while_its_client_does_not_read_and_goes_on_when_it_does() -> None:
    async def talk(world: World) -> None:
        channel = await dial(ADDRESS, make_channel=world.network.channel(world.client))
        flood: Any = channel.unary_stream("/test/Flood")
        call = flood(b"")
        await asyncio.sleep(10.0)
        piled_up = world.service.written
        assert 0 < piled_up * 16_384 <= STREAM_WINDOW_BYTES_MIN + 16_384
        for _ in range(2 * piled_up):
            assert await call.read() == b"x" * 16_384
        await asyncio.sleep(10.0)
        assert world.service.written > 2 * piled_up
        call.cancel()

    World().run(talk)


def test_message_larger_than_the_window_gets_through() -> None:
    async def talk(world: World) -> None:
        call = await stream(world, "Chat")
        for size in (1_000_000, 3_000_000, 0, 5_000_000):
            await call.write(bytes(size))
            assert len(await call.read()) == size + len(b"you said ")

    World().run(talk)


def test_reader_that_keeps_up_is_given_more_than_the_first_window_a_round_trip() -> None:
    async def talk(world: World) -> float:
        call = await stream(world, "Collect")
        began = world.loop.now()
        for _ in range(1_000):
            await call.write(bytes(10_000))
        await call.done_writing()
        await call.read()
        return 10_000_000 / (world.loop.now() - began)

    bytes_per_second = World().run(talk)
    assert bytes_per_second > 4 * STREAM_WINDOW_BYTES_MIN / 0.015


def test_window_has_an_end_however_fast_the_reader_was() -> None:
    async def talk(world: World) -> None:
        channel = await dial(ADDRESS, make_channel=world.network.channel(world.client))
        flood: Any = channel.unary_stream("/test/Flood")
        call = flood(b"")
        for _ in range(3_000):
            await call.read()
        before = world.service.written
        await asyncio.sleep(10.0)
        assert world.service.written - before <= STREAM_WINDOW_BYTES_MAX // 16_384 + 1
        call.cancel()

    World().run(talk)


def test_slow_message_holds_up_those_behind_it() -> None:
    async def talk(world: World) -> None:
        call = await stream(world, "Chat")
        slow = world.network.degrade(FRANKFURT, LONDON, latency_factor=20.0)
        began = world.loop.now()
        await call.write(b"slow")
        world.network.mend(slow)
        await asyncio.sleep(0.02)
        await call.write(b"fast")
        assert await call.read() == b"you said slow"
        assert world.loop.now() - began == pytest.approx(20 * 0.010 + 0.005)
        assert await call.read() == b"you said fast"
        assert world.loop.now() - began == pytest.approx(20 * 0.010 + 0.005)

    World().run(talk)


def test_servicer_sees_the_end_of_the_requests_or_its_cancellation_as_chance_has_it() -> None:
    def ended(seed: int) -> str:
        async def talk(world: World) -> str:
            call = await stream(world, "Collect")
            await call.write(b"1")
            await asyncio.sleep(0.1)
            call.cancel()
            await asyncio.sleep(0.1)
            return world.service.collecting_ended[0]

        return World(seed).run(talk)

    assert {ended(seed) for seed in range(12)} == {"cancelled", "no more requests"}


@pytest.mark.parametrize("seed", [1, 2])
def test_same_seed_gives_the_same_trace(seed: int) -> None:
    def digest(seed: int) -> str:
        async def talk(world: World) -> None:
            call = await stream(world, "Chat")
            worsen(world.network, **BAD_LINK)
            for number in range(50):
                await call.write(b"%d" % number)
                await call.read()
            call.cancel()

        world = World(seed, jitter=0.3)
        world.run(talk)
        return world.loop.trace.hexdigest()

    assert digest(seed) == digest(seed)
    assert digest(seed) != digest(seed + 10)


# -- messages lost, doubled and swapped inside a stream -----------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "bite"),
    [
        ({"message_loss": 0.2}, "degrade: messages lost"),
        ({"message_duplicate": 0.2}, "degrade: messages duplicated"),
        ({"message_reorder": 0.2}, "degrade: messages reordered"),
    ],
)
def test_broken_proxy_changes_what_a_stream_carries(parameters: dict[str, float], bite: str) -> None:
    messages = [b"%d" % number for number in range(100)]

    async def talk(world: World) -> None:
        handle = world.network.degrade(FRANKFURT, LONDON, **parameters)
        call = await stream(world, "Collect")
        for message in messages:
            await call.write(message)
        await call.done_writing()
        await call.read()
        bites, collected = world.network.bites[bite], world.service.collected
        assert bites > 0
        match bite.split()[-1]:
            case "lost":
                assert len(collected) == 100 - bites
            case "duplicated":
                assert len(collected) == 100 + bites
            case _:
                assert collected != messages
                assert sorted(collected) == sorted(messages)
        world.network.mend(handle)

    World().run(talk)


def test_windows_do_not_leak_when_messages_are_lost() -> None:
    async def talk(world: World) -> None:
        world.network.degrade(FRANKFURT, LONDON, message_loss=0.5)
        call = await stream(world, "Collect")
        for _ in range(200):
            await asyncio.wait_for(call.write(bytes(10_000)), 1.0)
        await call.done_writing()
        await call.read()

    World().run(talk)
