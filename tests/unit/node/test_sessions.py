"""Sessions: what a read must reflect, what a write depends on, what a token covers."""

from __future__ import annotations

import asyncio

import pytest
from tests.fixtures.engines import HERE, KEY, S1, S2, THERE, Faulty, InMemoryRegion, ask, get, increment, put, until

from atoll.causality.cut import Cut
from atoll.causality.session_token import SessionToken
from atoll.errors import Overloaded, SessionNotCovered, Unavailable
from atoll.ids import Origin, ShardName
from atoll.node.engine import Engine
from atoll.node.session import Session
from atoll.requests import Consistency, Found, Request, Written

FAR = Origin(THERE, S1)
Stores = dict[ShardName, Faulty]


def token(**numbers: int) -> str:
    """A token that covers batches of the far region's shards."""
    return SessionToken(Cut({Origin(THERE, ShardName(shard)): number for shard, number in numbers.items()})).sign(KEY)


def apply(region: InMemoryRegion, shard: ShardName, completed: int, begun: int | None = None) -> None:
    """Make the shard reflect the far region's first shard up to ``completed``."""
    memory = region.memory[shard].shard
    memory.completed = Cut({FAR: completed})
    memory.begun = Cut({FAR: completed if begun is None else begun})
    region.progress.learn(shard, memory.completed)


def key_on(engine: Engine, region: InMemoryRegion, shard: ShardName) -> str:
    """A key that the map gives to ``shard``."""
    from atoll.ids import ZoneName
    from atoll.keyspace.position import hashed_position

    for number in range(1_000):
        key = f"k{number}"
        if region.memory[shard].shard.owns(hashed_position(ZoneName("global"), key)):
            return key
    raise AssertionError("no key found")


async def written_cut(engine: Engine, key: str, tokens: tuple[str, ...] = ()) -> Cut:
    request = Request(operations=[increment(key)], tokens=tokens, deadline_seconds=5.0)
    reply = await engine.execute(request)
    assert reply.results == [Written()]
    return SessionToken.verify(reply.token, KEY).cut


# -- what a token covers ------------------------------------------------------------------------------------------


async def test_token_of_a_write_names_the_batch_that_will_hold_it(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    key = key_on(engine, region, S1)
    cut = await written_cut(engine, key)
    assert cut == Cut({Origin(HERE, S1): 2})
    await region.memory[S1].capture()
    await region.memory[S1].capture()
    cut = await written_cut(engine, key)
    assert cut == Cut({Origin(HERE, S1): 4})


async def test_token_of_a_read_covers_what_was_visible(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    apply(region, S1, completed=3, begun=5)
    reply = await engine.execute(Request(operations=[get(key_on(engine, region, S1))], deadline_seconds=5.0))
    assert SessionToken.verify(reply.token, KEY).cut == Cut({FAR: 5})


async def test_write_reveals_nothing_of_other_regions(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    apply(region, S1, completed=3, begun=5)
    assert await written_cut(engine, key_on(engine, region, S1)) == Cut({Origin(HERE, S1): 2})


async def test_token_covers_every_token_that_was_presented(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    apply(region, S1, completed=9)
    apply(region, S2, completed=9)
    reply = await engine.execute(
        Request(operations=[get("a")], tokens=(token(s1=4), token(s1=7)), deadline_seconds=5.0)
    )
    assert SessionToken.verify(reply.token, KEY).cut.at(FAR) == 9


async def test_timestamp_of_a_session_is_passed_on(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    reply = await engine.execute(Request(operations=[put("a", {"n": 1})], deadline_seconds=5.0))
    first = SessionToken.verify(reply.token, KEY).timestamp
    assert first > 0
    later = await engine.execute(
        Request(operations=[put("b", {"n": 1})], tokens=(reply.token,), deadline_seconds=5.0)
    )
    assert SessionToken.verify(later.token, KEY).timestamp > first


# -- what a read must reflect -------------------------------------------------------------------------------------


async def test_read_waits_until_its_shard_covers_the_session(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    key = key_on(engine, region, S1)
    reading = asyncio.create_task(ask(engine, get(key), tokens=(token(s1=3),)))
    await until(lambda: len(stores[S1].reads) >= 2)
    assert not reading.done()
    apply(region, S1, completed=3)
    assert await reading == [Found(None)]
    assert engine.metrics.registry.get_sample_value("atoll_session_wait_seconds_count") == 1


async def test_read_is_not_held_by_shards_it_does_not_touch(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    apply(region, S1, completed=3)
    assert await ask(engine, get(key_on(engine, region, S1)), tokens=(token(s1=3),)) == [Found(None)]


async def test_batch_that_is_applied_in_part_does_not_cover_a_session(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    apply(region, S1, completed=2, begun=3)
    (late,) = await ask(engine, get(key_on(engine, region, S1)), tokens=(token(s1=3),), seconds=0.1)
    assert type(late) is SessionNotCovered


async def test_read_that_is_not_covered_in_time_names_what_is_missing(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    apply(region, S1, completed=1)
    (late,) = await ask(engine, get(key_on(engine, region, S1)), tokens=(token(s1=3, s2=9),), seconds=0.1)
    assert type(late) is SessionNotCovered
    assert "batch 3 of tokyo/s1 (here: 1)" in str(late)
    assert "batch 9 of tokyo/s2 (here: 0)" in str(late)


async def test_own_shards_always_reflect_what_they_acknowledged(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    ahead = SessionToken(Cut({Origin(HERE, S1): 99})).sign(KEY)
    assert await ask(engine, get(key_on(engine, region, S1)), tokens=(ahead,)) == [Found(None)]


async def test_eventual_read_waits_for_nothing(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    assert await ask(engine, get("a"), tokens=(token(s1=3),), consistency=Consistency.EVENTUAL) == [Found(None)]


async def test_read_that_waits_does_not_hold_up_others(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    key = key_on(engine, region, S1)
    waiting = asyncio.create_task(ask(engine, get(key), tokens=(token(s1=3),), seconds=1.0))
    for _ in range(20):
        assert await ask(engine, get(key)) == [Found(None)]
    apply(region, S1, completed=3)
    assert await waiting == [Found(None)]


# -- what a write depends on --------------------------------------------------------------------------------------


async def test_write_depends_on_a_batch_of_another_shard_that_exists(region: InMemoryRegion) -> None:
    """Two sessions that cross two shards must never make batches wait for each other."""
    engine, stores = await region.engine()
    one, two = key_on(engine, region, S1), key_on(engine, region, S2)
    session = engine.session(())
    await submit(engine, session, one)
    assert session.cut == Cut({Origin(HERE, S1): 2})
    await submit(engine, session, two)
    captured = max(region.memory[S1].shard.batches)
    assert captured >= 1
    (dependencies,) = stores[S2].dependencies
    assert dependencies == Cut({Origin(HERE, S1): captured})


async def test_batches_of_crossing_sessions_depend_on_earlier_batches_only(region: InMemoryRegion) -> None:
    """Whoever receives them can apply them one after the other: dependencies form no cycle."""
    engine, _ = await region.engine()
    keys = [key_on(engine, region, S1), key_on(engine, region, S2)]

    async def cross(start: int) -> None:
        session = engine.session(())
        for turn in range(20):
            await submit(engine, session, keys[(start + turn) % 2])

    async def capture(shard: ShardName) -> None:
        while not done.is_set():
            await region.memory[shard].capture()
            await asyncio.sleep(0)

    done = asyncio.Event()
    captures = [asyncio.create_task(capture(shard)) for shard in (S1, S2)]
    await asyncio.gather(*(cross(number) for number in range(8)))
    done.set()
    await asyncio.gather(*captures)
    for shard in (S1, S2):
        while await region.memory[shard].capture():
            pass
    pending = {
        batch.origin: [each for _, (each, _) in sorted(memory.shard.batches.items()) if each.number]
        for memory in region.memory.values()
        for batch, _ in [memory.shard.batches[1]]
    }
    applied = Cut.EMPTY
    while any(pending.values()):
        ready = [origin for origin, batches in pending.items() if batches and applied.covers(batches[0].dependencies)]
        assert ready, f"nothing can be applied after {applied.describe()}"
        for origin in ready:
            applied = applied.advanced(origin, pending[origin].pop(0).number)


async def test_write_waits_until_its_shard_has_joined_what_the_session_saw_elsewhere(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    key = key_on(engine, region, S1)
    writing = asyncio.create_task(ask(engine, increment(key), tokens=(token(s1=3),)))
    await asyncio.sleep(0.03)
    assert not stores[S1].groups
    apply(region, S1, completed=3, begun=3)
    assert await writing == [Written()]
    assert stores[S1].dependencies == [Cut.EMPTY]


async def test_write_is_not_let_go_by_a_sibling_that_has_joined_what_the_session_saw(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    apply(region, S2, completed=3, begun=3)
    apply(region, S1, completed=2, begun=3)
    key = key_on(engine, region, S1)
    writing = asyncio.create_task(ask(engine, increment(key), tokens=(token(s1=3),)))
    await asyncio.sleep(0.03)
    assert not stores[S1].groups, "the cause is not on this shard yet"
    apply(region, S1, completed=3, begun=3)
    assert await writing == [Written()]


async def test_write_whose_session_is_cut_off_fails_and_says_why(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    key = key_on(engine, region, S1)
    (late,) = await ask(engine, increment(key), tokens=(token(s1=3),), seconds=0.1)
    assert type(late) is SessionNotCovered
    assert "batch 3 of tokyo/s1 (here: 0)" in str(late)
    assert not stores[S1].groups
    assert await ask(engine, increment(key)) == [Written()]


async def test_eventual_write_waits_for_nothing_and_depends_on_nothing(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    key = key_on(engine, region, S1)
    result = await ask(engine, increment(key), tokens=(token(s1=3),), consistency=Consistency.EVENTUAL)
    assert result == [Written()]
    assert stores[S1].dependencies == [Cut.EMPTY]


async def test_captures_on_demand_are_shared(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    one = key_on(engine, region, S1)
    session = engine.session(())
    await submit(engine, session, one)
    await asyncio.gather(*(submit(engine, session, key_on(engine, region, S2)) for _ in range(50)))
    assert max(region.memory[S1].shard.batches) <= 3


@pytest.mark.parametrize("shard", [S1, S2])
async def test_own_shard_needs_no_capture(region: InMemoryRegion, shard: ShardName) -> None:
    engine, _ = await region.engine()
    session = engine.session(())
    for _ in range(5):
        await submit(engine, session, key_on(engine, region, shard))
    assert max(region.memory[shard].shard.batches) == 0


async def submit(engine: Engine, session: Session, key: str) -> None:
    """One increment in a session, waited for."""
    finished = asyncio.get_running_loop().create_future()
    engine.submit([increment(key)], session, Consistency.SESSION, 5.0, lambda _, result: finished.set_result(result))
    assert await finished == Written()


async def test_write_whose_dependency_cannot_be_captured_is_unavailable_until_it_can(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    one, two = key_on(engine, region, S1), key_on(engine, region, S2)
    request = Request(operations=[increment(one)], deadline_seconds=5.0)
    token_of_one = (await engine.execute(request)).token

    async def away() -> None:
        raise Unavailable("the shard is away")

    vars(stores[S1])["capture"] = away
    (late,) = await ask(engine, increment(two), tokens=(token_of_one,), seconds=0.1)
    assert type(late) is Unavailable
    assert "could not be captured" in str(late)
    assert not stores[S2].groups
    waiting = asyncio.create_task(ask(engine, increment(two), tokens=(token_of_one,)))
    await asyncio.sleep(0)
    del vars(stores[S1])["capture"]
    assert await waiting == [Written()]


async def test_too_many_writes_that_wait_for_their_sessions_are_refused(
    region: InMemoryRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atoll.node.holding.WRITE_QUEUE_MAX", 3)
    engine, _ = await region.engine()
    key = key_on(engine, region, S1)
    results = await asyncio.gather(
        *(ask(engine, increment(key), tokens=(token(s1=3),), seconds=0.1) for _ in range(5))
    )
    kinds = [type(result) for (result,) in results]
    assert sorted(kinds, key=lambda kind: kind.__name__) == [Overloaded] * 2 + [SessionNotCovered] * 3
    apply(region, S1, completed=3)
    assert await ask(engine, increment(key), tokens=(token(s1=3),)) == [Written()]
