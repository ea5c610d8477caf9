"""Waiting for something to change, with a bound, on the node's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from atoll.ports import Clock

ItemT = TypeVar("ItemT")


class Bell:
    """Wakes everyone who waits, each time it rings. A ring between two waits is not lost: take :meth:`ticket` before
    looking at the state, then :meth:`wait` for a ring after the ticket."""

    __slots__ = ("_rings", "_waiters")

    def __init__(self) -> None:
        self._rings = 0
        self._waiters: list[asyncio.Future[bool]] = []

    def ring(self) -> None:
        """Wake all waiters."""
        self._rings += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            _settle(waiter, True)

    def ticket(self) -> int:
        """How often it has rung."""
        return self._rings

    async def wait(self, ticket: int) -> None:
        """Return once it has rung after ``ticket`` was taken."""
        if self._rings == ticket:
            await self._rung(asyncio.get_running_loop().create_future())

    async def wait_at_most(self, ticket: int, seconds: float, clock: Clock) -> bool:
        """:meth:`wait`, at most so long; whether it rang in time."""
        if self._rings != ticket:
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        cancel_alarm = clock.alarm(seconds, lambda: _settle(waiter, False))
        try:
            return await self._rung(waiter)
        finally:
            cancel_alarm()

    async def _rung(self, waiter: asyncio.Future[bool]) -> bool:
        self._waiters.append(waiter)
        try:
            return await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)


def _settle(waiter: asyncio.Future[bool], came: bool) -> None:
    if not waiter.done():
        waiter.set_result(came)


async def cancel_and_wait(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until each has ended; their errors are not raised here."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def first_to_end(*parts: Callable[[], Awaitable[None]]) -> None:
    """Run the parts side by side until one returns or fails, then end the others and raise what it raised."""
    tasks = [asyncio.ensure_future(_call(part)) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await cancel_and_wait(*tasks)


async def _call(part: Callable[[], Awaitable[None]]) -> None:
    await part()


@asynccontextmanager
async def closing_at_once(items: AsyncIterator[ItemT]) -> AsyncIterator[AsyncIterator[ItemT]]:
    """Finish an iterator when the block is left, not when it is collected: it may hold a connection."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
