"""A bounded queue that can be closed from any side."""

from __future__ import annotations

import asyncio

import pytest

from atoll.node.channel import Channel, Closed


async def settle() -> None:
    """Let every task that can run run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_items_come_out_in_order() -> None:
    channel: Channel[int] = Channel(3)
    for number in (1, 2, 3):
        await channel.put(number)
    assert [await channel.get() for _ in range(3)] == [1, 2, 3]


async def test_producer_waits_while_the_channel_is_full() -> None:
    channel: Channel[int] = Channel(1)
    await channel.put(1)
    second = asyncio.create_task(channel.put(2))
    await settle()
    assert not second.done()
    assert len(channel) == 1
    assert await channel.get() == 1
    await second
    assert await channel.get() == 2


async def test_consumer_waits_for_the_next_item() -> None:
    channel: Channel[int] = Channel(1)
    taken = asyncio.create_task(channel.get())
    await settle()
    assert not taken.done()
    await channel.put(7)
    assert await taken == 7


async def test_closing_wakes_both_ends_with_the_reason_and_drops_what_waited() -> None:
    full: Channel[int] = Channel(1)
    await full.put(1)
    producer = asyncio.create_task(full.put(2))
    await settle()
    reason = ValueError("enough")
    full.close(reason)
    full.close(KeyError("too late"))
    for end in (producer, full.get()):
        with pytest.raises(Closed) as caught:
            await end
        assert caught.value.__cause__ is reason
    empty: Channel[int] = Channel(1)
    consumer = asyncio.create_task(empty.get())
    await settle()
    empty.close()
    with pytest.raises(Closed):
        await consumer


async def test_cancelled_producer_does_not_swallow_the_room_it_was_given() -> None:
    channel: Channel[int] = Channel(1)
    await channel.put(1)
    first, second = asyncio.create_task(channel.put(2)), asyncio.create_task(channel.put(3))
    await settle()
    assert await channel.get() == 1  # the first waiter is woken
    first.cancel()  # and goes away before it runs
    await asyncio.wait([first, second], timeout=5)
    assert first.cancelled()
    assert await channel.get() == 3


async def test_many_producers_lose_nothing_and_never_exceed_the_bound() -> None:
    channel: Channel[int] = Channel(4)
    producers = [asyncio.create_task(channel.put(number)) for number in range(100)]
    taken = []
    for _ in range(100):
        assert len(channel) <= 4
        taken.append(await channel.get())
    await asyncio.gather(*producers)
    assert sorted(taken) == list(range(100))
