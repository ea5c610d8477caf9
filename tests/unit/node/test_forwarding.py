"""Forwarding: operations on zones that this region may not hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.fixtures.engines import CITIES, HERE, KEY, THERE, InMemoryRegion, Wires, ask, get, put

from atoll.causality.session_token import SessionToken
from atoll.errors import DeadlineExceeded, OutcomeUnknown, Overloaded, Unavailable, ValueTooLarge
from atoll.ids import RegionName, ZoneName
from atoll.requests import Found, Reply, Request, Written

PARIS = RegionName("paris")


@pytest.fixture
async def wires() -> Wires:
    return Wires()


@pytest.fixture
async def here(wires: Wires) -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion(HERE, wires)
    yield opened
    await opened.close()


@pytest.fixture
async def there(wires: Wires) -> AsyncIterator[InMemoryRegion]:
    opened = InMemoryRegion(THERE, wires)
    await opened.engine()
    yield opened
    await opened.close()


async def test_operations_are_forwarded_in_one_request_and_answered_in_order(
    here: InMemoryRegion, there: InMemoryRegion, wires: Wires
) -> None:
    engine, _ = await here.engine()
    results = await ask(
        engine,
        put("kyoto", {"n": 1}, CITIES, "asia"),
        put("bonn", {"n": 2}, CITIES, "europe"),
        put("osaka", {"n": 3}, CITIES, "country:JP"),
    )
    assert results == [Written()] * 3
    assert [(region, len(request.operations)) for region, request in wires.asked] == [(THERE, 2)]
    assert wires.asked[0][1].forwarded
    assert await ask(engine, get("osaka", CITIES, "asia"), get("bonn", CITIES, "europe")) == [
        Found({"n": 3}),
        Found({"n": 2}),
    ]
    assert {id.key for memory in there.memory.values() for id in memory.shard.records} == {"kyoto", "osaka"}
    assert {id.key for memory in here.memory.values() for id in memory.shard.records} == {"bonn"}


async def test_session_covers_what_was_forwarded(here: InMemoryRegion, there: InMemoryRegion) -> None:
    engine, _ = await here.engine()
    request = Request(operations=[put("kyoto", {"n": 1}, CITIES, "asia")], deadline_seconds=5.0)
    reply = await engine.execute(request)
    cut = SessionToken.verify(reply.token, KEY).cut
    assert [origin.region for origin in cut] == [THERE]
    assert cut.covers(SessionToken.verify(reply.token, KEY).cut)


async def test_region_that_does_not_answer_is_an_unavailable_zone(here: InMemoryRegion) -> None:
    engine, _ = await here.engine()
    (failed,) = await ask(engine, put("kyoto", {"n": 1}, CITIES, "asia"))
    assert type(failed) is Unavailable
    assert "tokyo" in str(failed)


async def test_next_region_is_asked_and_the_silent_one_is_tried_last_for_a_while(
    here: InMemoryRegion, there: InMemoryRegion, wires: Wires
) -> None:
    zones = dict(here.topology.zones)
    zones[ZoneName("asia")] = replace(zones[ZoneName("asia")], home=PARIS, regions=[PARIS, THERE])
    here.topology = replace(here.topology, zones=zones)
    engine, _ = await here.engine()
    for _ in range(3):
        assert await ask(engine, put("kyoto", {"n": 1}, CITIES, "asia")) == [Written()]
    assert [region for region, _ in wires.asked] == [PARIS, THERE, THERE, THERE]


async def test_write_that_may_have_been_forwarded_is_not_repeated_elsewhere(
    here: InMemoryRegion, there: InMemoryRegion, wires: Wires
) -> None:
    zones = dict(here.topology.zones)
    zones[ZoneName("asia")] = replace(zones[ZoneName("asia")], home=PARIS, regions=[PARIS, THERE])
    here.topology = replace(here.topology, zones=zones)
    wires.failures[PARIS] = OutcomeUnknown("the connection broke")
    engine, _ = await here.engine()
    written, read = await ask(engine, put("kyoto", {"n": 1}, CITIES, "asia"), get("kyoto", CITIES, "asia"))
    assert type(written) is OutcomeUnknown
    assert read == Found(None)


class Silent(Wires):
    """A transport whose other end takes requests and never answers."""

    async def execute(self, region: RegionName, request: Request, deadline_seconds: float) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError("nobody answers")


async def test_deadline_of_a_write_that_was_forwarded_leaves_its_outcome_unknown() -> None:
    here = InMemoryRegion(HERE, Silent())
    engine, _ = await here.engine()
    written, read = await ask(
        engine, put("kyoto", {"n": 1}, CITIES, "asia"), get("kyoto", CITIES, "asia"), seconds=0.05
    )
    await here.close()
    assert type(written) is OutcomeUnknown
    assert type(read) is DeadlineExceeded


async def test_refusal_of_the_other_region_is_passed_on(here: InMemoryRegion, wires: Wires) -> None:
    wires.failures[THERE] = Overloaded("the queue of tokyo is full")
    engine, _ = await here.engine()
    (failed,) = await ask(engine, put("kyoto", {"n": 1}, CITIES, "asia"))
    assert type(failed) is Overloaded


async def test_request_above_a_message_is_forwarded_in_parts(
    here: InMemoryRegion, there: InMemoryRegion, wires: Wires
) -> None:
    limit = 3

    class Narrow(Wires):
        async def execute(self, region: RegionName, request: Request, deadline_seconds: float) -> Reply:
            if len(request.operations) > limit:
                raise ValueTooLarge("more than a message")
            return await wires.execute(region, request, deadline_seconds)

    here.wires = Narrow()
    engine, _ = await here.engine()
    keys = [f"k{number}" for number in range(10)]
    assert await ask(engine, *(put(key, {"n": 1}, CITIES, "asia") for key in keys)) == [Written()] * 10
    assert await ask(engine, *(get(key, CITIES, "asia") for key in keys)) == [Found({"n": 1})] * 10


async def test_record_that_a_full_reply_left_out_is_asked_for_by_itself(
    here: InMemoryRegion, there: InMemoryRegion, wires: Wires
) -> None:
    class Narrow(Wires):
        async def execute(self, region: RegionName, request: Request, deadline_seconds: float) -> Reply:
            reply = await wires.execute(region, request, deadline_seconds)
            if len(reply.results) == 1:
                return reply
            return Reply(results=[*reply.results[:-1], ValueTooLarge("the reply is full")], token=reply.token)

    engine, _ = await here.engine()
    await ask(engine, put("kyoto", {"n": 1}, CITIES, "asia"), put("osaka", {"n": 2}, CITIES, "asia"))
    here.wires = Narrow()
    narrow, _ = await here.engine()
    found = await ask(narrow, get("kyoto", CITIES, "asia"), get("osaka", CITIES, "asia"))
    assert found == [Found({"n": 1}), Found({"n": 2})]
