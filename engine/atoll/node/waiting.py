"""Waiting for something to change, with a bound, on the node's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from atoll.ports import Clock

ItemT = TypeVar("ItemT")


class Bell:
    """Wakes everyone who waits, each time it rings. A ring between two waits is not lost: take :meth:`ticket` before
    looking at the state, then :meth:`wait` for a ring after the ticket."""

    __slots__ = ("_rings", "_waiter")

    def __init__(self) -> None:
        self._rings = 0
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake all waiters."""
        self._rings += 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def ticket(self) -> int:
        """How often it has rung."""
        return self._rings

    async def wait(self, ticket: int) -> None:
        """Return once it has rung after ``ticket`` was taken."""
        while self._rings == ticket:
            if self._waiter is None:
                self._waiter = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)


async def either(waiting: Coroutine[Any, Any, None], seconds: float, clock: Clock) -> bool:
    """Wait for ``waiting`` at most ``seconds``; whether it came in time. Nothing is left running."""
    wanted = asyncio.ensure_future(waiting)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((wanted, alarm), return_when=asyncio.FIRST_COMPLETED)
        came = wanted.done()
        if came:
            wanted.result()
        return came
    finally:
        await cancel_and_wait(wanted, alarm)


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
