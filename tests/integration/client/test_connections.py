"""The remote client when connections break: what is repeated, what is unknown, and who is asked next."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.fixtures.engines import InMemoryRegion, until
from tests.fixtures.served import Served

import atoll
from atoll.errors import DeadlineExceeded, InvalidConfiguration, OutcomeUnknown, Unavailable, UnknownCollection
from atoll.requests import Request


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
        await atoll.connect(where)


def test_scripts_wait_for_each_result() -> None:
    """The node runs on a loop of its own here, as it would in another process."""
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
