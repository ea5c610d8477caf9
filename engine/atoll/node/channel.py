"""A bounded queue between tasks that can be closed from any side."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Closed(Exception):
    """The channel was closed; its ``__cause__`` says why, if there is a reason."""


class Channel(Generic[ItemT]):
    """First in, first out. :meth:`put` waits while ``capacity`` items wait. :meth:`close` wakes everyone at once and
    drops what was not taken: both ends raise :class:`Closed`. Fair among waiting producers."""

    def __init__(self, capacity: int) -> None:
        assert capacity > 0, "a channel holds at least one item"
        self._capacity = capacity
        self._items: deque[ItemT] = deque()
        self._reason: BaseException | None = None
        self._closed = False
        self._room: deque[asyncio.Future[None]] = deque()
        self._filled: asyncio.Future[None] | None = None

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: ItemT) -> None:
        """Append ``item`` once there is room; raises :class:`Closed`."""
        while len(self._items) >= self._capacity and not self._closed:
            await self._wait_for_room()
        self._raise_if_closed()
        self._items.append(item)
        _wake(self._filled)

    async def get(self) -> ItemT:
        """Take the oldest item once there is one; raises :class:`Closed`. For one consumer."""
        while not self._items and not self._closed:
            self._filled = asyncio.get_running_loop().create_future()
            await self._filled
        self._raise_if_closed()
        item = self._items.popleft()
        self._wake_producer()
        return item

    def close(self, reason: BaseException | None = None) -> None:
        """End it; the first reason stays. Idempotent."""
        if not self._closed:
            self._closed = True
            self._reason = reason
        self._items.clear()
        _wake(self._filled)
        while self._room:
            _wake(self._room.popleft())

    async def _wait_for_room(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._room:
                self._room.remove(waiter)
            else:
                self._wake_producer()
            raise

    def _wake_producer(self) -> None:
        while self._room and len(self._items) < self._capacity:
            waiter = self._room.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise Closed("the channel is closed") from self._reason


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
