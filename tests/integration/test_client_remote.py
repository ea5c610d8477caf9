"""The remote client over real gRPC on loopback, against engines on shards in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from tests.fixtures.engines import ASIA_ONLY, CITIES, HERE, NOTES, THERE, InMemoryRegion, Wires, until

import atoll
from atoll import limits
from atoll.client.connecting import Connecting
from atoll.errors import (
    AtollError,
    DeadlineExceeded,
    InvalidConfiguration,
    InvalidKey,
    InvalidToken,
    InvalidValue,
    OutcomeUnknown,
    PartialFailure,
    SessionNotCovered,
    Unavailable,
    UnknownCollection,
    UnknownField,
    UnknownZone,
    ValueTooLarge,
    WrongRule,
)
from atoll.node.engine import Engine
from atoll.ports import ControlSurface
from atoll.requests import Reply, Request
from atoll.rpc.server import NodeServer


class Served:
    """A node's data service in front of an engine, which a test may stop, hold back or start again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.requests: list[Request] = []
        self.before: Callable[[Request], Awaitable[None]] | None = None
        self.after: Callable[[Request], Awaitable[None]] | None = None
        self.port = 0

    async def execute(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.before is not None:
            await self.before(request)
        reply = await self.engine.execute(request)
        if self.after is not None:
            await self.after(request)
        return reply

    async def start(self) -> None:
        self._server = NodeServer(
            execute=self.execute, serve_pull=cast(Any, None), control=cast(ControlSurface, None)
        )
        self.port = await self._server.start(f"127.0.0.1:{self.port}")

    async def stop(self, grace_seconds: float = 0.0) -> None:
        await self._server.stop(grace_seconds)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
async def wires() -> Wires:
    return Wires()


@pytest.fixture
async def region(wires: Wires) -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion(HERE, wires)
    yield opened
    await opened.close()


@pytest.fixture
async def far_region(wires: Wires) -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion(THERE, wires)
    yield opened
    await opened.close()


@pytest.fixture
async def node(region: InMemoryRegion) -> AsyncIterator[Served]:
    served = Served((await region.engine())[0])
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def other_node(region: InMemoryRegion) -> AsyncIterator[Served]:
    served = Served((await region.engine())[0])
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def far_node(far_region: InMemoryRegion) -> AsyncIterator[Served]:
    served = Served((await far_region.engine())[0])
    await served.start()
    yield served
    await served.stop()


# -- records ------------------------------------------------------------------------------------------------------


async def test_every_operation_crosses_the_network(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await db.put("cities", "2950159", {"name": "Berlin", "tags": ["old"]}, country="DE")
        await db.update(
            "cities", "2950159", atoll.increment("visits", 2), atoll.add("tags", "capital"), zone="europe"
        )
        await db.update("cities", "2950159", atoll.remove("tags", "old"), atoll.assign("mayor", "Kai"), zone="europe")
        assert await db.get("cities", "2950159", zone="europe") == {
            "mayor": "Kai",
            "name": "Berlin",
            "tags": frozenset({"capital"}),
            "visits": 2,
        }
        await db.update("cities", "2950159", atoll.clear("visits"), zone="europe")
        assert "visits" not in (await db.get("cities", "2950159", zone="europe") or {})
        await db.delete("cities", "2950159", zone="europe")
        assert await db.get("cities", "2950159", zone="europe") is None


async def test_calls_of_one_turn_travel_as_one_request(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await asyncio.gather(*(db.put("notes", f"n{n}", {"n": n}) for n in range(300)))
        assert [len(request.operations) for request in node.requests] == [300]
        values = await asyncio.gather(*(db.get("notes", f"n{n}") for n in range(300)))
        assert values == [{"n": n} for n in range(300)]
        assert [len(request.operations) for request in node.requests] == [300, 300]


async def test_many_records_are_written_and_read_in_batches(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        notes = db.collection("notes")
        count = limits.BATCH_OPERATIONS_MAX + 5
        assert await notes.put_many({f"n{n}": {"n": n} for n in range(count)}) == count
        found = await notes.get_many([f"n{n}" for n in range(count + 1)])
        assert found == {**{f"n{n}": {"n": n} for n in range(count)}, f"n{count}": None}
        assert max(len(request.operations) for request in node.requests) == limits.BATCH_OPERATIONS_MAX


async def test_many_records_fail_one_by_one_and_by_name(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        records = [("a", {"n": 1}), ("bad", {"n": float("nan")}), ("b", {"n": 2}), ("", {"n": 3})]
        with pytest.raises(PartialFailure, match="2 of 4 records failed") as caught:
            await db.put_many("notes", records)
        assert {key: type(error) for key, error in caught.value.failures.items()} == {
            "bad": InvalidValue,
            "": InvalidKey,
        }
        assert await db.get_many("notes", ["a", "b"]) == {"a": {"n": 1}, "b": {"n": 2}}


async def test_place_of_each_record_may_be_a_function(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        cities = {"b": {"country": "DE"}, "p": {"country": "FR"}}
        await db.put_many("cities", cities, country=lambda _, fields: fields["country"])
        assert await db.get_many("cities", cities, zone="europe") == cities


BAD: list[tuple[Callable[[atoll.Client], Awaitable[object]], type[AtollError]]] = [
    (lambda db: db.put("nowhere", "k", {}), UnknownCollection),
    (lambda db: db.put("notes", "", {}), InvalidKey),
    (lambda db: db.put("notes", "k" * 1025, {}), InvalidKey),
    (lambda db: db.put("notes", "\ud800", {}), InvalidKey),
    (lambda db: db.put("notes", cast(Any, 5), {}), InvalidKey),
    (lambda db: db.put("notes", "k", {"x": float("nan")}), InvalidValue),
    (lambda db: db.put("notes", "k", {"x": 1 << 70}), InvalidValue),
    (lambda db: db.put("notes", "k", {"x": object()}), InvalidValue),
    (lambda db: db.put("notes", "k", {"x": "\ud800"}), InvalidValue),
    (lambda db: db.put("notes", "k", cast(Any, 7)), InvalidValue),
    (lambda db: db.put("notes", "k", {"visits": "many"}), WrongRule),
    (lambda db: db.update("notes", "k", atoll.increment("name")), UnknownField),
    (lambda db: db.update("notes", "k", atoll.increment("tags")), WrongRule),
    (lambda db: db.put("notes", "k", {"x": "y" * (limits.RECORD_BYTES_MAX + 1)}), ValueTooLarge),
    (lambda db: db.put("notes", "k", {"x": "y" * (limits.MESSAGE_BYTES_MAX + 1)}), ValueTooLarge),
    (lambda db: db.put("cities", "k", {}), UnknownZone),
    (lambda db: db.put("cities", "k", {}, zone="atlantis"), UnknownZone),
    (lambda db: db.put("cities", "k", {}, country="XX"), UnknownZone),
    (lambda db: db.put("cities", "k", {}, zone="europe", country="DE"), UnknownZone),
]


@pytest.mark.parametrize(("call", "error"), BAD, ids=[f"{error.__name__}-{n}" for n, (_, error) in enumerate(BAD)])
async def test_bad_call_raises_its_class_and_hurts_no_neighbour(
    node: Served, region: InMemoryRegion, call: Callable[[atoll.Client], Awaitable[object]], error: type[AtollError]
) -> None:
    async with atoll.connect(node.address) as db:
        before, refused, after = await asyncio.gather(
            db.put("notes", "a", {"n": 1}), call(db), db.put("notes", "b", {"n": 2}), return_exceptions=True
        )
        assert (before, after) == (None, None)
        assert type(refused) is error, refused
    assert {id.key for memory in region.memory.values() for id in memory.shard.records} == {"a", "b"}


async def test_batch_above_a_message_is_split(node: Served) -> None:
    async with atoll.connect(node.address, timeout_seconds=20.0) as db:
        big = "x" * (limits.RECORD_BYTES_MAX - 1_000)
        keys = [f"big{n}" for n in range(20)]
        await db.put_many("notes", {key: {"x": big} for key in keys})
        found = await db.get_many("notes", keys)
        assert list(map(len, (record["x"] for record in found.values() if record))) == [len(big)] * 20


async def test_zone_that_the_region_may_not_hold_is_served_by_one_that_may(
    node: Served, far_node: Served, region: InMemoryRegion, far_region: InMemoryRegion
) -> None:
    async with atoll.connect(node.address) as db:
        await db.put("cities", "tokyo", {"name": "Tokyo"}, country="JP")
        assert await db.get("cities", "tokyo", zone="asia") == {"name": "Tokyo"}
    assert not any(memory.shard.records for memory in region.memory.values())
    assert any(memory.shard.records for memory in far_region.memory.values())
    assert {NOTES, CITIES, ASIA_ONLY} == set(region.topology.collections)


# -- sessions -----------------------------------------------------------------------------------------------------


async def test_token_is_carried_from_call_to_call(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        assert db.token == ""
        await db.put("notes", "a", {"n": 1})
        token = db.token
        assert token
        await db.get("notes", "a")
        assert node.requests[-1].tokens == [token]


async def test_session_without_guarantees_carries_no_token(node: Served) -> None:
    async with atoll.connect(node.address, session=False) as db:
        await db.put("notes", "a", {"n": 1})
        assert await db.get("notes", "a") == {"n": 1}
        assert db.token == ""


async def test_session_that_moved_waits_for_what_it_has_written(node: Served, far_node: Served) -> None:
    """Nothing replicates here: the far region can never cover the session, and says what is missing."""
    async with atoll.connect(node.address, timeout_seconds=0.3) as db:
        await db.put("notes", "a", {"n": 1})
        await db.move(far_node.address)
        with pytest.raises(SessionNotCovered, match=r"batch 2 of frankfurt/s\d \(here: 0\)"):
            await db.get("notes", "a")
        with pytest.raises(SessionNotCovered):
            await db.put("notes", "b", {"n": 1})
    async with atoll.connect(far_node.address) as stranger:
        assert await stranger.get("notes", "a") is None


async def test_token_goes_on_in_another_client(node: Served, far_node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await asyncio.gather(*(db.put("notes", f"n{n}", {"n": n}) for n in range(5)))
        token = db.token
    async with atoll.connect(far_node.address, token=token, timeout_seconds=0.2) as other:
        with pytest.raises(SessionNotCovered):
            await other.get("notes", "n1")


async def test_forged_token_is_refused(node: Served) -> None:
    async with atoll.connect(node.address, token="AQAAAA==") as db:
        with pytest.raises(InvalidToken):
            await db.get("notes", "a")


async def test_tokens_of_many_requests_in_flight_stay_within_the_bound(node: Served) -> None:
    async with atoll.connect(node.address) as db:

        async def writer(number: int) -> None:
            for turn in range(20):
                await db.put("notes", f"{number}-{turn}", {"n": turn})
                await asyncio.sleep(0)

        await asyncio.gather(*(writer(number) for number in range(100)))
    assert max(len(request.tokens) for request in node.requests) <= limits.SESSION_TOKENS_MAX


# -- broken connections -------------------------------------------------------------------------------------------


async def test_first_address_that_answers_is_taken(node: Served) -> None:
    async with atoll.connect(["127.0.0.1:1", node.address]) as db:
        await db.put("notes", "a", {"n": 1})


async def test_nobody_at_any_address_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1, 127\.0\.0\.1:2"):
        await atoll.connect(["127.0.0.1:1", "127.0.0.1:2"])


async def test_client_fails_over_to_the_next_node(node: Served, other_node: Served) -> None:
    async with atoll.connect([node.address, other_node.address]) as db:
        await db.put("notes", "a", {"n": 1})
        await node.stop()
        assert await db.get("notes", "a") == {"n": 1}
        await db.put("notes", "a", {"n": 2})
        assert await db.get("notes", "a") == {"n": 2}


async def test_client_comes_back_to_a_node_that_restarts(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await db.put("notes", "a", {"n": 1})
        await node.stop()
        waiting = asyncio.create_task(db.get("notes", "a"))
        await node.start()
        assert await waiting == {"n": 1}


async def test_write_in_flight_on_a_broken_stream_is_unknown_and_a_read_goes_again(
    node: Served, other_node: Served
) -> None:
    arrived = asyncio.Event()

    async def hold(_: Request) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async with atoll.connect([node.address, other_node.address]) as db:
        await db.put("notes", "a", {"n": 1})
        node.before = hold
        calls = asyncio.gather(db.put("notes", "b", {"n": 1}), db.get("notes", "a"), return_exceptions=True)
        await arrived.wait()
        await node.stop()
        written, found = await calls
        assert type(written) is OutcomeUnknown
        assert found == {"n": 1}


async def test_what_is_not_sent_before_its_deadline_was_not_written(node: Served, region: InMemoryRegion) -> None:
    async with atoll.connect(node.address) as db:
        await node.stop()
        with pytest.raises(Unavailable):
            await db.get("notes", "a", timeout_seconds=0.1)
        with pytest.raises(Unavailable, match="not sent before the deadline"):
            await db.put("notes", "a", {"n": 1}, timeout_seconds=0.2)
    assert not any(memory.shard.records for memory in region.memory.values())


async def test_node_that_never_answers_leaves_writes_unknown(node: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.client.remote.REPLY_GRACE_SECONDS", 0.1)
    released = asyncio.Event()

    async def hold(_: Request) -> None:
        await released.wait()

    async with atoll.connect(node.address) as db:
        await db.get("notes", "a")
        node.after = hold
        results = await asyncio.gather(
            db.put("notes", "a", {"n": 1}, timeout_seconds=0.1),
            db.get("notes", "a", timeout_seconds=0.1),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [OutcomeUnknown, DeadlineExceeded]
        released.set()


async def test_closed_client_leaves_no_caller_waiting(node: Served) -> None:
    async def hold(_: Request) -> None:
        await asyncio.Event().wait()

    db = await atoll.connect(node.address)
    node.before = hold
    calls = asyncio.gather(db.put("notes", "b", {"n": 1}), db.get("notes", "a"), return_exceptions=True)
    await until(lambda: bool(node.requests))
    await db.close()
    assert [type(result) for result in await calls] == [OutcomeUnknown, Unavailable]
    with pytest.raises(Unavailable, match="closed"):
        await db.get("notes", "a")
    await db.close()


@pytest.mark.parametrize("where", ["nonsense", "host:port", [], 7, "127.0.0.1:"])
async def test_senseless_place_is_told_before_anything_is_dialled(where: Any) -> None:
    with pytest.raises(InvalidConfiguration):
        await cast(Connecting, atoll.connect(where))


def test_scripts_wait_for_each_result() -> None:
    """The node runs on a loop of its own here, as it would in another process."""
    import threading

    ready, done = threading.Event(), threading.Event()
    addresses: list[str] = []

    async def serve() -> None:
        region = InMemoryRegion()
        node = Served((await region.engine())[0])
        await node.start()
        addresses.append(node.address)
        ready.set()
        await asyncio.to_thread(done.wait)
        await node.stop()
        await region.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        with atoll.connect_sync(addresses[0]) as db:
            db.put("notes", "a", {"n": 1})
            db.update("notes", "a", atoll.increment("visits"))
            assert db.get("notes", "a") == {"n": 1, "visits": 1}
            assert db.put_many("notes", {"b": {"n": 2}}) == 1
            assert db.get_many("notes", ["b", "c"]) == {"b": {"n": 2}, "c": None}
            db.delete("notes", "a")
            assert db.get("notes", "a") is None
            assert db.token
            with pytest.raises(UnknownCollection):
                db.get("nowhere", "a")
    finally:
        done.set()
        thread.join()
    assert not any(each.name == "atoll-client" for each in threading.enumerate())
