"""The locks of a simulated server."""

from __future__ import annotations

from functools import partial

from atoll.simulation.storage.locks import LockTable
from atoll.simulation.storage.steps import Lock

KEY = ("record", 1)
SHARED, EXCLUSIVE = Lock(KEY, shared=True), Lock(KEY)


class Queue:
    """A table, and who was granted what after waiting."""

    def __init__(self) -> None:
        self.table = LockTable()
        self.granted: list[int] = []

    def take(self, owner: int, lock: Lock) -> bool:
        return self.table.take(owner, lock, partial(self.granted.append, owner))


def test_shared_locks_go_together_and_an_exclusive_one_waits_for_all_of_them() -> None:
    queue = Queue()
    assert [queue.take(1, SHARED), queue.take(2, SHARED), queue.take(3, EXCLUSIVE)] == [True, True, False]
    queue.table.release_all(1)
    assert queue.granted == []
    queue.table.release_all(2)
    assert queue.granted == [3]


def test_shared_lock_does_not_overtake_an_exclusive_one_that_waits() -> None:
    queue = Queue()
    assert [queue.take(1, SHARED), queue.take(2, EXCLUSIVE), queue.take(3, SHARED)] == [True, False, False]
    queue.table.release_all(1)
    assert queue.granted == [2]
    queue.table.release_all(2)
    assert queue.granted == [2, 3]


def test_owner_takes_its_lock_again_without_waiting() -> None:
    queue = Queue()
    assert [queue.take(1, EXCLUSIVE), queue.take(1, EXCLUSIVE), queue.take(1, SHARED)] == [True] * 3
    assert queue.take(2, SHARED) is False
    queue.table.release_all(1)
    assert queue.granted == [2]


def test_owner_that_gives_up_while_it_waits_lets_the_next_one_in() -> None:
    queue = Queue()
    assert [queue.take(1, SHARED), queue.take(2, EXCLUSIVE), queue.take(3, SHARED)] == [True, False, False]
    queue.table.release_all(2)
    assert queue.granted == [3]


def test_try_takes_only_what_nobody_holds() -> None:
    queue = Queue()
    assert queue.table.try_take(1, KEY)
    assert not queue.table.try_take(2, KEY)
    queue.table.release_all(1)
    assert queue.table.try_take(2, KEY)


def test_waiting_for_one_lock_keeps_the_others() -> None:
    queue = Queue()
    other = Lock(("record", 2))
    assert [queue.take(1, EXCLUSIVE), queue.take(2, other), queue.take(2, EXCLUSIVE)] == [True, True, False]
    assert queue.take(3, other) is False
    queue.table.release_all(1)
    assert queue.granted == [2]
    queue.table.release_all(2)
    assert queue.granted == [2, 3]
