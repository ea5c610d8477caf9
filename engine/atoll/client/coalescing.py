"""Coalescing: the calls of one turn of the event loop travel as one batch.

A call costs a future and two list entries; the batch goes out with ``call_soon``, after every task that was ready had
its turn. Calls with different timeouts or consistency travel apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from atoll.client.door import Door, OnResult
from atoll.errors import AtollError, Overloaded
from atoll.limits import BATCH_OPERATIONS_MAX, CLIENT_OPERATIONS_WAITING_MAX
from atoll.requests import Consistency, Operation, Result

Kind = tuple[Consistency, float]


class Turn:
    """Operations of one kind that wait for the end of the turn."""

    __slots__ = ("futures", "operations")

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.futures: list[asyncio.Future[Any]] = []

    def settle(self, index: int, result: Result) -> None:
        """Hand a result to its caller, unless it has gone away."""
        future = self.futures[index]
        if future.done():
            return
        if isinstance(result, AtollError):
            future.set_exception(result)
        else:
            future.set_result(result)

    def fail(self, error: Exception) -> None:
        """The door failed in a way that nobody foresaw: leave no caller waiting."""
        for future in self.futures:
            if not future.done():
                future.set_exception(error)


class Coalescer:
    """Gathers calls and sends them through a door."""

    __slots__ = ("_door", "_scheduled", "_turns", "_waiting")

    def __init__(self, door: Door) -> None:
        self._door = door
        self._turns: dict[Kind, Turn] = {}
        self._scheduled = False
        self._waiting = 0

    def call(self, operation: Operation, consistency: Consistency, timeout_seconds: float) -> asyncio.Future[Any]:
        """The future result of an operation. Cancelling it does not stop a write that has been sent."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        turn = self._turns.get((consistency, timeout_seconds))
        if turn is None:
            turn = self._turns[consistency, timeout_seconds] = Turn()
        if self._waiting >= CLIENT_OPERATIONS_WAITING_MAX:
            future.set_exception(_too_many())
            return future
        self._waiting += 1
        turn.operations.append(operation)
        turn.futures.append(future)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        self._scheduled = False
        turns, self._turns = self._turns, {}
        for (consistency, timeout_seconds), turn in turns.items():
            for part in _parts(turn):
                settle = self._counting(part)
                try:
                    self._door.submit(part.operations, consistency, timeout_seconds, settle)
                except Exception as error:
                    part.fail(error)
                    raise

    def _counting(self, turn: Turn) -> OnResult:
        def settle(index: int, result: Result) -> None:
            self._waiting -= 1
            turn.settle(index, result)

        return settle


def _parts(turn: Turn) -> Sequence[Turn]:
    """The turn in batches of a legal size."""
    if len(turn.operations) <= BATCH_OPERATIONS_MAX:
        return (turn,)
    parts = []
    for begin in range(0, len(turn.operations), BATCH_OPERATIONS_MAX):
        part = Turn()
        part.operations = turn.operations[begin : begin + BATCH_OPERATIONS_MAX]
        part.futures = turn.futures[begin : begin + BATCH_OPERATIONS_MAX]
        parts.append(part)
    return parts


_FULL: Final = f"{CLIENT_OPERATIONS_WAITING_MAX:,} calls of this client wait for an answer: wait for some of them"


def _too_many() -> Overloaded:
    return Overloaded(_FULL)
