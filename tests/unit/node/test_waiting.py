"""Bells, and waiting with a bound: no ring is lost and no task is left."""

from __future__ import annotations

import asyncio

import pytest

from atoll.node.waiting import Bell, cancel_and_wait, first_to_end
from atoll.system_clock import SystemClock

CLOCK = SystemClock()


async def forever() -> None:
    await asyncio.Event().wait()


async def test_ring_between_ticket_and_wait_is_not_lost() -> None:
    bell = Bell()
    ticket = bell.ticket()
    bell.ring()
    await asyncio.wait_for(bell.wait(ticket), 5)


async def test_ring_wakes_everyone_who_waits() -> None:
    bell = Bell()
    waiters = [asyncio.create_task(bell.wait(bell.ticket())) for _ in range(3)]
    await asyncio.sleep(0)
    bell.ring()
    await asyncio.wait_for(asyncio.gather(*waiters), 5)


async def test_cancelled_waiter_does_not_take_the_others_with_it() -> None:
    bell = Bell()
    gone, stays = (asyncio.create_task(bell.wait(bell.ticket())) for _ in range(2))
    await asyncio.sleep(0)
    await cancel_and_wait(gone)
    assert not stays.done()
    bell.ring()
    await asyncio.wait_for(stays, 5)


async def test_wait_at_most_tells_what_came_first() -> None:
    bell = Bell()
    ticket = bell.ticket()
    assert not await bell.wait_at_most(ticket, 0.001, CLOCK)
    bell.ring()
    assert await bell.wait_at_most(ticket, 60, CLOCK)


async def test_ring_ends_a_bounded_wait_before_its_alarm() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait_at_most(bell.ticket(), 60, CLOCK))
    await asyncio.sleep(0)
    bell.ring()
    assert await asyncio.wait_for(waiting, 5)


async def test_cancelled_bounded_wait_leaves_the_bell_to_others() -> None:
    bell = Bell()
    gone = asyncio.create_task(bell.wait_at_most(bell.ticket(), 60, CLOCK))
    stays = asyncio.create_task(bell.wait(bell.ticket()))
    await asyncio.sleep(0)
    await cancel_and_wait(gone)
    bell.ring()
    await asyncio.wait_for(stays, 5)


async def test_first_to_end_ends_the_others_and_raises_what_the_first_raised() -> None:
    before = asyncio.all_tasks()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await first_to_end(forever, fail, forever)
    assert asyncio.all_tasks() == before


async def test_cancelling_first_to_end_ends_all_parts() -> None:
    before = asyncio.all_tasks()
    running = asyncio.create_task(first_to_end(forever, forever))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await cancel_and_wait(running)
    assert asyncio.all_tasks() == before
