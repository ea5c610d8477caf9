"""Connections under cuts, resets, silence, crashes and pauses. From Frankfurt to London takes 10 ms, back 5 ms."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import ChannelConnectivity, StatusCode, aio
from tests.unit.simulation.network.worlds import ADDRESS, FRANKFURT, LONDON, World, outcome

from atoll.errors import Unavailable
from atoll.rpc.dialing import dial

ROUND_TRIP = 0.015
TIMED_OUT = "UNAVAILABLE 'recvmsg:Connection timed out' ()"
RESET = "UNAVAILABLE 'recvmsg:Connection reset by peer' ()"


async def connected(world: World) -> aio.Channel:
    return await dial(ADDRESS, make_channel=world.network.channel(world.client))


async def chatting(world: World) -> Any:
    call: Any = (await connected(world)).stream_stream("/test/Chat")()
    await call.write(b"first")
    await call.read()
    return call


def echo(channel: aio.Channel, request: bytes = b"hello", **options: Any) -> Any:
    call: Any = channel.unary_unary("/test/Echo")
    return call(request, **options)


# -- time ---------------------------------------------------------------------------------------------------------


def test_connecting_takes_two_round_trips_and_a_call_one() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        assert world.loop.now() == pytest.approx(2 * ROUND_TRIP)
        await echo(channel)
        assert world.loop.now() == pytest.approx(3 * ROUND_TRIP)

    World().run(talk)


def test_each_direction_has_its_own_latency() -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        sent_at = world.loop.now()
        await call.write(b"second")
        await call.read()
        times = {event.kind + event.lane: event.at for event in world.loop.trace.events if event.at >= sent_at}
        assert times["deliverlondon/n1"] - sent_at == pytest.approx(0.010)
        assert times["deliverfrankfurt/n1"] - sent_at == pytest.approx(0.015)

    World().run(talk)


def test_bandwidth_delays_by_exactly_the_size() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        await echo(channel, b"")
        began = world.loop.now()
        await asyncio.gather(echo(channel, bytes(12_500 - 64)), echo(channel, bytes(25_000 - 64)))
        there, back = 0.1 + 0.2 + 0.010, 0.2 + 0.005
        assert world.loop.now() - began == pytest.approx(there + back, abs=1e-6)

    World(bandwidth_mbps=1).run(talk)


def test_clients_reach_the_nodes_of_their_region_in_the_latency_they_were_given() -> None:
    async def talk(world: World) -> None:
        host = world.loop.host("london/clients")
        world.network.cut(LONDON, FRANKFURT)

        async def near() -> None:
            channel = await dial(ADDRESS, make_channel=world.network.channel(host))
            began = world.loop.now()
            await echo(channel)
            assert world.loop.now() - began == pytest.approx(0.004)

        await world.loop.spawn(host, near(), "near")

    World(client_latency_ms=4.0).run(talk)


# -- nobody there -------------------------------------------------------------------------------------------------


def test_address_where_nobody_listens_refuses_after_one_round_trip() -> None:
    async def talk(world: World) -> None:
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=False)
        with pytest.raises(Unavailable, match="nobody listens"):
            await connected(world)
        assert world.loop.now() == pytest.approx(ROUND_TRIP)

    World().run(talk)


def test_machine_without_power_does_not_answer() -> None:
    async def talk(world: World) -> None:
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=True)
        with pytest.raises(Unavailable):
            await connected(world)
        assert world.loop.now() == pytest.approx(3.0, abs=0.1)

    World().run(talk)


def test_channel_connects_again_by_itself_when_the_server_is_back() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=False)
        assert (await outcome(echo(channel))).startswith("UNAVAILABLE")
        world.server.start()
        world.network.host_back(world.server)
        await world.loop.spawn(world.server, world.serve(), "serve again")
        assert await echo(channel, wait_for_ready=True) == b"hello"

    World().run(talk)


# -- cuts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [(FRANKFURT, LONDON), (LONDON, FRANKFURT)])
def test_cut_of_one_direction_ends_a_busy_connection_when_patience_ends(direction: Any) -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        began = world.loop.now()
        world.network.cut(*direction)
        await call.write(b"into the dark")
        assert await outcome(call.read()) == TIMED_OUT
        assert world.loop.now() - began == pytest.approx(5.0, abs=0.05)

    World().run(talk)


@pytest.mark.parametrize("direction", [(FRANKFURT, LONDON), (LONDON, FRANKFURT)])
def test_cut_of_an_idle_connection_is_noticed_by_keepalive(direction: Any) -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        began = world.loop.now()
        world.network.cut(*direction)
        assert (await outcome(call.read())).startswith("UNAVAILABLE")
        assert 9.9 < world.loop.now() - began < 15.1

    World().run(talk)


def test_idle_connection_lives_on_for_an_hour() -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        await asyncio.sleep(3_600)
        await call.write(b"still there?")
        assert await call.read() == b"you said still there?"

    World().run(talk)


def test_short_cut_delays_what_was_sent_and_keeps_the_order() -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        began = world.loop.now()
        world.network.cut(FRANKFURT, LONDON)
        for number in range(5):
            await call.write(b"%d" % number)
        await asyncio.sleep(2.0)
        world.network.heal(FRANKFURT, LONDON)
        assert [await call.read() for _ in range(5)] == [b"you said %d" % number for number in range(5)]
        assert 2.0 < world.loop.now() - began < 4.5
        assert world.network.bites["cut: messages dropped"] > 0

    World().run(talk)


def test_message_on_its_way_is_lost_by_a_cut_that_begins_after_it_was_sent() -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        began = world.loop.now()
        await call.write(b"under way")
        await asyncio.sleep(0.004)
        world.network.cut(FRANKFURT, LONDON)
        await asyncio.sleep(0.002)
        world.network.heal(FRANKFURT, LONDON)
        assert await call.read() == b"you said under way"
        assert 0.2 < world.loop.now() - began < 0.5

    World().run(talk)


def test_cut_with_reset_breaks_connections_at_once_on_both_sides() -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        hang: Any = (await connected(world)).unary_unary("/test/Hang")
        hanging = hang(b"")
        await asyncio.sleep(0.1)
        began = world.loop.now()
        world.network.cut(FRANKFURT, LONDON, reset=True)
        assert await outcome(call.read()) == RESET
        assert await outcome(hanging) == RESET
        assert world.loop.now() - began < 0.001
        await asyncio.wait_for(world.service.hang_was_cancelled.wait(), 0.01)

    World().run(talk)


def test_cut_with_reset_refuses_new_connections_at_once() -> None:
    async def talk(world: World) -> None:
        world.network.cut(FRANKFURT, LONDON, reset=True)
        with pytest.raises(Unavailable):
            await connected(world)
        assert world.loop.now() < 0.001
        world.network.heal(FRANKFURT, LONDON)
        await connected(world)

    World().run(talk)


def test_overlapping_cuts_hold_until_the_last_is_healed() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        world.network.cut(FRANKFURT, LONDON)
        world.network.cut(FRANKFURT, LONDON)
        world.network.heal(FRANKFURT, LONDON)
        assert (await outcome(echo(channel, timeout=1.0))).startswith("DEADLINE_EXCEEDED")
        world.network.heal(FRANKFURT, LONDON)
        assert await echo(channel, timeout=5.0) == b"hello"

    World().run(talk)


# -- processes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power_lost", [False, True])
def test_answer_that_has_left_the_machine_arrives_though_its_process_dies(power_lost: bool) -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        await call.write(b"last words")
        await asyncio.sleep(0.012)
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=power_lost)
        assert await call.read() == b"you said last words"
        assert (await outcome(call.read())).startswith("UNAVAILABLE")

    World().run(talk)


@pytest.mark.parametrize(("power_lost", "seconds", "words"), [(False, 0.005, RESET), (True, 5.0, TIMED_OUT)])
def test_crash_of_the_server_is_told_by_its_machine_or_not_at_all(
    power_lost: bool, seconds: float, words: str
) -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        await call.write(b"last words")
        began = world.loop.now()
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=power_lost)
        assert await outcome(call.read()) == words
        assert world.loop.now() - began == pytest.approx(seconds, abs=0.02)

    World().run(talk)


def test_machine_that_is_back_resets_connections_it_does_not_know() -> None:
    async def talk(world: World) -> None:
        call = await chatting(world)
        world.loop.crash(world.server)
        world.network.host_died(world.server, power_lost=True)
        await call.write(b"hello?")
        await asyncio.sleep(1.0)
        world.server.start()
        world.network.host_back(world.server)
        assert await outcome(call.read()) == RESET
        assert world.loop.now() < 3.0

    World().run(talk)


def test_chance_says_what_a_dead_machine_does_where_nobody_else_does() -> None:
    def words(seed: int) -> str:
        async def talk(world: World) -> str:
            call = await chatting(world)
            await call.write(b"last words")
            world.loop.crash(world.server)
            world.network.host_died(world.server)
            return await outcome(call.read())

        return World(seed).run(talk)

    assert {words(seed) for seed in range(20)} == {RESET, TIMED_OUT}


def test_servicer_is_cancelled_when_its_client_dies() -> None:
    async def talk(world: World) -> None:
        other = world.loop.host("frankfurt/n2")

        async def ask() -> None:
            channel = await dial(ADDRESS, make_channel=world.network.channel(other))
            call: Any = channel.unary_unary("/test/Hang")
            await call(b"")

        world.loop.spawn(other, ask(), "ask")
        await asyncio.sleep(1.0)
        assert not world.service.hang_was_cancelled.is_set()
        world.loop.crash(other)
        world.network.host_died(other, power_lost=False)
        await asyncio.wait_for(world.service.hang_was_cancelled.wait(), 0.1)

    World().run(talk)


def test_paused_server_answers_after_it_has_woken_up() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        world.loop.pause(world.server)
        asked = [asyncio.ensure_future(_answered(echo(channel, b"%d" % number))) for number in range(3)]
        await asyncio.sleep(4.0)
        assert not any(task.done() for task in asked)
        world.loop.resume(world.server)
        assert await asyncio.gather(*asked) == [b"0", b"1", b"2"]
        assert world.loop.now() < 4.1

    World().run(talk)


def test_server_that_is_paused_for_long_is_given_up() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        began = world.loop.now()
        world.loop.pause(world.server)
        assert await outcome(echo(channel)) == "UNAVAILABLE 'ping timeout' ()"
        assert 9.9 < world.loop.now() - began < 16
        world.loop.resume(world.server)
        assert await echo(channel, wait_for_ready=True) == b"hello"

    World().run(talk)


def test_paused_server_is_not_ready_for_a_new_client() -> None:
    async def talk(world: World) -> None:
        world.loop.pause(world.server)
        with pytest.raises(Unavailable):
            await connected(world)
        assert world.loop.now() == pytest.approx(3.0, abs=0.1)

    World().run(talk)


async def _answered(call: Any) -> Any:
    return await call


# -- the channel --------------------------------------------------------------------------------------------------


def test_channel_that_was_connected_begins_with_short_pauses_again() -> None:
    async def talk(world: World) -> None:
        channel = await connected(world)
        for away_seconds in (30.0, 0.3):
            world.loop.crash(world.server)
            world.network.host_died(world.server, power_lost=False)
            await asyncio.sleep(0.05)
            call = asyncio.ensure_future(_answered(echo(channel, wait_for_ready=True)))
            await asyncio.sleep(away_seconds)
            world.server.start()
            await world.loop.spawn(world.server, world.serve(), "serve again")
            back_at = world.loop.now()
            assert await call == b"hello"
        assert world.loop.now() - back_at < 0.5

    World().run(talk)


def test_call_fails_at_once_while_the_last_attempt_has_failed() -> None:
    async def talk(world: World) -> None:
        channel = world.network.channel(world.client)("london.test:1")
        await outcome(echo(channel))
        assert channel.get_state() is ChannelConnectivity.TRANSIENT_FAILURE
        began = world.loop.now()
        with pytest.raises(aio.AioRpcError) as failure:
            await echo(channel)
        assert failure.value.code() is StatusCode.UNAVAILABLE
        assert world.loop.now() == began

    World().run(talk)
