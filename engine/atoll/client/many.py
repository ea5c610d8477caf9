"""Calls on many records: sent in batches, a few at a time, with every failure told by key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from atoll.client.door import Door
from atoll.errors import AtollError, PartialFailure
from atoll.limits import BATCH_OPERATIONS_MAX
from atoll.requests import Consistency, Found, Operation, Result

BATCHES_AT_ONCE: Final = 4
"""Batches of one call that are in flight together: enough to keep every lane busy, few enough to bound memory."""

ItemT = TypeVar("ItemT")


async def run_many(
    door: Door, operations: Iterable[Operation], consistency: Consistency, timeout_seconds: float
) -> dict[str, Any]:
    """The results by key: a value or ``None`` for reads, ``None`` for writes. The timeout is for each batch.

    Raises :class:`PartialFailure` if any operation failed; the others have been carried out. Operations are taken
    from the iterable as there is room.
    """
    values: dict[str, Any] = {}
    failures: dict[str, AtollError] = {}
    in_flight: set[asyncio.Task[None]] = set()

    async def run(batch: Sequence[Operation]) -> None:
        for operation, result in zip(batch, await _run_batch(door, batch, consistency, timeout_seconds), strict=True):
            if isinstance(result, AtollError):
                failures[operation.key] = result
            else:
                values[operation.key] = result.value if isinstance(result, Found) else None

    for batch in _batches(operations):
        in_flight.add(asyncio.create_task(run(batch)))
        if len(in_flight) >= BATCHES_AT_ONCE:
            done, in_flight = await asyncio.wait(in_flight, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    await asyncio.gather(*in_flight)
    if failures:
        raise PartialFailure(failures, values)
    return values


async def _run_batch(
    door: Door, batch: Sequence[Operation], consistency: Consistency, timeout_seconds: float
) -> Sequence[Result]:
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    results: dict[int, Result] = {}

    def settle(index: int, result: Result) -> None:
        results[index] = result
        if len(results) == len(batch) and not finished.done():
            finished.set_result(None)

    door.submit(batch, consistency, timeout_seconds, settle)
    await finished
    return [results[index] for index in range(len(batch))]


def _batches(items: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH_OPERATIONS_MAX)):
        yield batch
