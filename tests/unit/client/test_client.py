"""The client in front of a door that a test holds in its hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence

import pytest

import atoll
from atoll import limits
from atoll.client.client import Client
from atoll.client.door import Door, OnResult
from atoll.errors import InvalidName, Overloaded, PartialFailure, Unavailable
from atoll.requests import Consistency, Found, Mutate, Operation, Written


class HandDoor(Door):
    """Keeps what was submitted until the test answers it."""

    def __init__(self) -> None:
        self.batches: list[tuple[Sequence[Operation], Consistency, float, OnResult]] = []
        self.closed = 0
        self.failure: Exception | None = None

    def submit(
        self, operations: Sequence[Operation], consistency: Consistency, timeout_seconds: float, on_result: OnResult
    ) -> None:
        if self.failure is not None:
            raise self.failure
        self.batches.append((operations, consistency, timeout_seconds, on_result))

    def answer(self, number: int = 0) -> None:
        operations, _, _, on_result = self.batches[number]
        for index, operation in enumerate(operations):
            on_result(index, Written() if isinstance(operation, Mutate) else Found({"key": operation.key}))

    @property
    def token(self) -> str:
        return "token"

    async def open(self) -> None:
        pass

    async def move(self, *addresses: str) -> None:
        pass

    async def close(self) -> None:
        self.closed += 1

    def describe(self) -> str:
        return "a hand"


@pytest.fixture
def door() -> HandDoor:
    return HandDoor()


async def test_calls_of_one_turn_are_one_batch_and_those_of_the_next_another(door: HandDoor) -> None:
    db = Client(door)
    first = [asyncio.ensure_future(db.get("notes", key)) for key in "abc"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.ensure_future(db.put("notes", "d", {}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [[operation.key for operation in batch[0]] for batch in door.batches] == [["a", "b", "c"], ["d"]]
    door.answer(0)
    door.answer(1)
    assert await asyncio.gather(*first) == [{"key": "a"}, {"key": "b"}, {"key": "c"}]
    await second


async def test_calls_with_different_timeouts_travel_apart(door: HandDoor) -> None:
    db = Client(door, session=False, timeout_seconds=3.0)
    calls = asyncio.gather(db.get("notes", "a"), db.get("notes", "b", timeout_seconds=1.0), db.get("notes", "c"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [(len(batch[0]), batch[1], batch[2]) for batch in door.batches] == [
        (2, Consistency.EVENTUAL, 3.0),
        (1, Consistency.EVENTUAL, 1.0),
    ]
    door.answer(0)
    door.answer(1)
    await calls


async def test_turn_above_a_batch_is_cut(door: HandDoor) -> None:
    db = Client(door)
    count = limits.BATCH_OPERATIONS_MAX * 2 + 1
    calls = asyncio.gather(*(db.get("notes", str(number)) for number in range(count)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [len(batch[0]) for batch in door.batches] == [limits.BATCH_OPERATIONS_MAX] * 2 + [1]
    for number in range(3):
        door.answer(number)
    assert await calls == [{"key": str(number)} for number in range(count)]


async def test_too_many_calls_without_an_answer_are_refused(door: HandDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.client.coalescing.CLIENT_OPERATIONS_WAITING_MAX", 5)
    db = Client(door)
    calls = asyncio.gather(*(db.get("notes", str(number)) for number in range(7)), return_exceptions=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    door.answer(0)
    results = await calls
    assert [type(result) for result in results] == [dict] * 5 + [Overloaded] * 2
    again = asyncio.ensure_future(db.get("notes", "a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    door.answer(1)
    assert await again == {"key": "a"}


async def test_answer_to_a_caller_that_went_away_is_dropped(door: HandDoor) -> None:
    db = Client(door)
    gone, stayed = (asyncio.ensure_future(db.get("notes", key)) for key in "ab")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    door.answer(0)
    assert await stayed == {"key": "b"}
    assert gone.cancelled()


async def test_door_that_fails_unforeseen_leaves_no_caller_waiting(door: HandDoor) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    door.failure = ZeroDivisionError("a defect")
    with pytest.raises(ZeroDivisionError):
        await Client(door).get("notes", "a")


async def test_many_records_keep_few_batches_in_flight(door: HandDoor) -> None:
    db = Client(door)
    count = limits.BATCH_OPERATIONS_MAX * 6
    reading = asyncio.ensure_future(db.get_many("notes", (str(number) for number in range(count))))
    answered = 0
    while not reading.done():
        await asyncio.sleep(0)
        assert len(door.batches) - answered <= 4
        if len(door.batches) - answered == 4 or len(door.batches) == 6:
            while answered < len(door.batches):
                door.answer(answered)
                answered += 1
    assert len(await reading) == count


async def test_failures_of_many_records_are_told_by_key(door: HandDoor) -> None:
    db = Client(door)
    reading = asyncio.ensure_future(db.get_many("notes", ["a", "b"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    _, _, _, on_result = door.batches[0]
    on_result(1, Unavailable("away"))
    on_result(0, Found(None))
    with pytest.raises(PartialFailure, match="1 of 2 records failed; the first, 'b': away") as caught:
        await reading
    assert caught.value.values == {"a": None}


async def test_place_is_filled_in_by_a_bound_collection(door: HandDoor) -> None:
    cities = Client(door).collection("cities", country="DE")
    calls = asyncio.gather(
        cities.get("a"), cities.put("b", {}), cities.update("c", atoll.increment("n")), cities.delete("d")
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert {(operation.collection, operation.zone) for operation in door.batches[0][0]} == {("cities", "country:DE")}
    door.answer(0)
    await calls


async def test_collection_that_is_no_text_is_refused(door: HandDoor) -> None:
    with pytest.raises(InvalidName):
        await Client(door).get(["cities"], "a")  # type: ignore[arg-type]


async def test_closed_client_refuses_and_closes_its_door(door: HandDoor) -> None:
    async with Client(door) as db:
        assert repr(db) == "<Client of a hand>"
        assert db.token == "token"
    assert door.closed == 1
    assert "closed" in repr(db)
    for call in (db.get("notes", "a"), db.get_many("notes", ["a"]), db.put_many("notes", {}), db.move("h:1")):
        with pytest.raises(Unavailable, match="connect again"):
            await call


def test_importing_atoll_loads_nothing_heavy() -> None:
    heavy = "[name for name in ('grpc', 'asyncpg', 'asyncio', 'sqlalchemy', 'pydantic') if name in sys.modules]"
    command = [sys.executable, "-c", f"import atoll, sys; print({heavy}, len(atoll.__all__))"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed.split() == ["[]", str(len(atoll.__all__))]


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(atoll, name) is not None for name in atoll.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = atoll.nothing
