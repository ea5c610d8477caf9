"""The locks of a simulated server: shared or exclusive, first come first served, held to the end of a transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from atoll.simulation.storage.steps import Lock, LockKey


class _Waiting(NamedTuple):
    owner: int
    shared: bool
    granted: Callable[[], None]


class _Queue:
    """One lock: who holds it, and who waits in which order."""

    __slots__ = ("holders", "waiting")

    def __init__(self) -> None:
        self.holders: dict[int, bool] = {}
        """Owners, each with whether it holds the lock shared."""
        self.waiting: deque[_Waiting] = deque()

    def admits(self, owner: int, shared: bool) -> bool:
        return all(holder == owner or (held and shared) for holder, held in self.holders.items())


class LockTable:
    """All locks of one server. Owners are the serial numbers of transactions."""

    def __init__(self) -> None:
        self._queues: dict[LockKey, _Queue] = {}
        self._held: dict[int, list[LockKey]] = {}
        self._waits: dict[int, LockKey] = {}

    def take(self, owner: int, wanted: Lock, granted: Callable[[], None]) -> bool:
        """Whether the owner holds it now; otherwise it waits, and ``granted`` is called when it does."""
        queue = self._queues.get(wanted.key)
        if queue is None:
            self._begin(wanted.key, owner, wanted.shared)
            return True
        if owner in queue.holders and (wanted.shared or not queue.holders[owner]):
            return True
        if queue.admits(owner, wanted.shared) and (owner in queue.holders or not queue.waiting):
            self._grant(queue, wanted.key, owner, wanted.shared)
            return True
        queue.waiting.append(_Waiting(owner, wanted.shared, granted))
        self._waits[owner] = wanted.key
        return False

    def try_take(self, owner: int, key: LockKey) -> bool:
        """Take a lock exclusively if nobody holds it."""
        queue = self._queues.get(key)
        if queue is None:
            self._begin(key, owner, False)
            return True
        if queue.waiting or not queue.admits(owner, False):
            return False
        self._grant(queue, key, owner, False)
        return True

    def release_all(self, owner: int) -> None:
        """The owner's transaction has ended, perhaps while it waited."""
        touched = self._held.pop(owner, [])
        waited = self._waits.pop(owner, None)
        if waited is not None:
            queue = self._queues[waited]
            queue.waiting = deque(each for each in queue.waiting if each.owner != owner)
            touched.append(waited)
        for key in touched:
            self._queues[key].holders.pop(owner, None)
        for key in dict.fromkeys(touched):
            self._serve(key)

    def _begin(self, key: LockKey, owner: int, shared: bool) -> None:
        """Grant a lock that nobody holds or waits for, as is the rule."""
        self._grant(self._queues.setdefault(key, _Queue()), key, owner, shared)

    def _grant(self, queue: _Queue, key: LockKey, owner: int, shared: bool) -> None:
        if owner not in queue.holders:
            self._held.setdefault(owner, []).append(key)
        queue.holders[owner] = shared

    def _serve(self, key: LockKey) -> None:
        queue = self._queues[key]
        while queue.waiting and queue.admits(queue.waiting[0].owner, queue.waiting[0].shared):
            first = queue.waiting.popleft()
            del self._waits[first.owner]
            self._grant(queue, key, first.owner, first.shared)
            first.granted()
        if not queue.holders and not queue.waiting:
            del self._queues[key]
