"""What a peer must not do: it is refused whole, counted, told to people, and never half accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import structlog
from tests.contracts.records import Writer, capture_all, contents, record_id
from tests.fixtures.network import Network
from tests.fixtures.regions import (
    DEADLINE_SECONDS,
    FRANKFURT,
    TOKYO,
    MapCache,
    RunningRegion,
    converged,
    eventually,
    eventually_async,
    memory_stores,
    region_on,
    topology_of,
)

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame, Overloaded, Unavailable, WrongRing
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import ZERO, timestamp
from atoll.keyspace.shard_map import ShardMap
from atoll.limits import STREAMS_PER_PEER_MAX
from atoll.replication.frames import FrameCutter
from atoll.replication.messages import Acknowledgement, BatchPart, Heartbeat, Hello, StreamMessage
from atoll.replication.residency import ZoneSet
from atoll.replication.rows import Row, encode_rows
from atoll.simulation.storage.memory_store import Phase
from atoll.system_clock import SystemClock

BOTH = (FRANKFURT, TOKYO)
S1, S2 = ShardName("s1"), ShardName("s2")
ORIGIN = Origin(FRANKFURT, S1)


def batch(number: int, rows: bytes = b"") -> BatchPart:
    """A whole batch as an honest sender sends it."""
    cutter = FrameCutter("a batch", ZoneSet(TOKYO, topology_of().zones))
    cutter.add(rows)
    return BatchPart(
        origin=ORIGIN,
        incarnation=1,
        number=number,
        dependencies=Cut.EMPTY,
        timestamp=timestamp(SystemClock().wall_ms()),
        payload=cutter.rest(),
        final=True,
        records=cutter.records,
        digest=cutter.digest(),
    )


ROW = encode_rows([Row(record_id(1, "global"), b"", b"c", b"s", None, True)])
FAR_FUTURE = timestamp(4_102_444_800_000)
"""The year 2100: ahead of every clock, whenever the test runs."""
HONEST = batch(1, ROW)


@asynccontextmanager
async def victim_of(messages: Sequence[StreamMessage]) -> AsyncIterator[tuple[RunningRegion, list[str]]]:
    """Tokyo, pulling from a Frankfurt that sends exactly ``messages`` on every stream."""
    topology, network, staged = topology_of(BOTH), Network(), list[str]()

    async def watch(method: str, phase: Phase) -> None:
        if method == "apply":
            staged.append(method)

    async def serve(hello: Hello, acknowledgements: AsyncIterator[Acknowledgement]) -> AsyncIterator[StreamMessage]:
        for message in messages:
            yield message
        async for _ in acknowledgements:
            pass

    network.servers[FRANKFURT] = serve
    victim = region_on(topology, TOKYO, await memory_stores(topology, TOKYO, watch), network.transport(TOKYO))
    try:
        await victim.replication.start()
        yield victim, staged
    finally:
        await victim.replication.stop()


@pytest.mark.parametrize(
    ("messages", "reason", "problem"),
    [
        ([replace(HONEST, digest=HONEST.digest ^ 1)], "corrupt", "digest"),
        ([replace(HONEST, records=2)], "corrupt", "1 rows, 2 announced"),
        ([replace(HONEST, payload=ROW[:-1])], "corrupt", "digest"),
        ([batch(2, ROW)], "corrupt", "batch 2 where 1 follows"),
        ([replace(HONEST, origin=Origin(TOKYO, S1))], "corrupt", "ships only its own shards"),
        ([replace(HONEST, origin=Origin(FRANKFURT, ShardName("s9")))], "corrupt", "not a shard of this ring"),
        (
            [replace(HONEST, timestamp=FAR_FUTURE)],
            "clock",
            "ahead of this node's clock",
        ),
    ],
    ids=["digest", "count", "cut short", "gap", "foreign region", "unknown shard", "future"],
)
async def test_breach_is_refused_counted_and_told_and_nothing_is_staged(
    messages: list[StreamMessage], reason: str, problem: str
) -> None:
    async with victim_of(messages) as (victim, staged):
        refused = partial(victim.sample, "atoll_refused_rows_total", region=FRANKFURT, reason=reason)
        await eventually(lambda: refused() >= 2, "it is refused, and refused again")
        assert problem in victim.replication.peer_statuses()[0].problem
        assert not staged
        assert not await victim.contents()


async def test_sender_that_ignores_its_window_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.node.replication.intake.LINK_WINDOW_BYTES", 10)
    held = replace(batch(1, ROW), dependencies=Cut({Origin(FRANKFURT, S2): 9}))
    async with victim_of([held, batch(2, ROW)]) as (victim, staged):
        refused = partial(victim.sample, "atoll_refused_rows_total", region=FRANKFURT, reason="corrupt")
        await eventually(lambda: refused() >= 2, "the second batch is refused")
        assert "without room in its window" in victim.replication.peer_statuses()[0].problem
        assert not staged


async def test_peer_that_falls_silent_is_dropped_and_dialled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.node.replication.puller.LINK_SILENCE_SECONDS", 0.05)
    async with victim_of([Heartbeat(timestamp=ZERO, captured={S1: 0})]) as (victim, _):
        dials = partial(victim.sample, "atoll_link_dials_total", region=FRANKFURT)
        await eventually(lambda: dials() >= 3, "it is dialled again")
        await eventually(lambda: "silent for" in victim.replication.peer_statuses()[0].problem, "people are told why")


# -- the sender's side --------------------------------------------------------------------------------------------


@asynccontextmanager
async def sender() -> AsyncIterator[RunningRegion]:
    """Frankfurt with a captured write, without peers."""
    topology, network = topology_of(BOTH), Network()
    region = region_on(topology, FRANKFURT, await memory_stores(topology, FRANKFURT), network.transport(FRANKFURT))
    store = region.stores[S1]
    await Writer(store).increment(record_id(1, "global"))
    await capture_all(store)
    try:
        yield region
    finally:
        await region.replication.stop()


async def saying(*said: Acknowledgement) -> AsyncIterator[Acknowledgement]:
    for acknowledgement in said:
        yield acknowledgement
    await asyncio.Event().wait()


async def exhausted(messages: AsyncIterator[StreamMessage]) -> None:
    async for _ in messages:
        pass


@pytest.mark.parametrize(
    ("hello", "problem"),
    [
        (Hello(ring="other", region=TOKYO), "ring 'ring', not 'other'"),
        (Hello(ring="ring", region=TOKYO, wire_version=99), "wire version"),
        (Hello(ring="ring", region=RegionName("atlantis")), "not a peer"),
        (Hello(ring="ring", region=FRANKFURT), "not a peer"),
    ],
)
async def test_stranger_gets_no_stream(hello: Hello, problem: str) -> None:
    async with sender() as region:
        with pytest.raises(WrongRing, match=problem):
            await anext(aiter(region.replication.serve_pull(hello, saying())))


@pytest.mark.parametrize("applied", [{S1: 10**9}, {ShardName("s9"): 1}])
async def test_acknowledgement_of_what_was_never_sent_ends_the_stream_and_is_not_noted(
    applied: dict[ShardName, int],
) -> None:
    async with sender() as region:
        messages = region.replication.serve_pull(
            Hello(ring="ring", region=TOKYO), saying(Acknowledgement(applied=applied))
        )
        with pytest.raises(CorruptFrame, match="never sent"):
            await asyncio.wait_for(exhausted(messages), DEADLINE_SECONDS)
        assert await region.stores[S1].acknowledged() == {}


async def test_acknowledgement_of_what_another_stream_carried_is_noted() -> None:
    async with sender() as region:
        store = region.stores[S1]
        await region.replication.start()
        captured = (await store.progress()).captured
        await eventually(lambda: region.replication.cut().at(ORIGIN) >= captured, "the node knows what was captured")
        hello, said = Hello(ring="ring", region=TOKYO), Acknowledgement(applied={S1: captured})
        messages = region.replication.serve_pull(hello, saying(said))
        reading = asyncio.create_task(exhausted(messages))

        async def noted() -> bool:
            return await store.acknowledged() == {TOKYO: captured}

        await eventually_async(noted, "the acknowledgement is durable")
        assert not reading.done(), "the stream goes on"
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_peer_that_is_ahead_of_a_shard_gets_nothing_from_it_and_people_are_told() -> None:
    """The shard was restored from an older copy: what it calls batch 3 now is not what the peer has applied."""
    async with sender() as region:
        captured = (await region.stores[S1].progress()).captured
        hello = Hello(ring="ring", region=TOKYO, after={S1: captured + 5})
        messages = region.replication.serve_pull(hello, saying())
        with structlog.testing.capture_logs() as logs:
            assert isinstance(await anext(messages), Heartbeat)
            await eventually(lambda: any("restored from an older copy" in str(log) for log in logs), "it is logged")
            assert not any(isinstance(message, BatchPart) for message in [await anext(messages)])
        assert await region.stores[S1].acknowledged() == {}, "what it claims does not move retention"
        await messages.aclose()  # type: ignore[attr-defined]


async def test_stream_behind_what_another_node_of_the_peer_acknowledged_ends_and_a_new_one_goes_on() -> None:
    """The log was collected under a slow node's stream: kept open, it would never carry anything again."""
    async with sender() as region:
        captured = (await region.stores[S1].progress()).captured
        await region.stores[S1].acknowledge(TOKYO, captured)
        await region.stores[S1].collect([TOKYO])
        behind = region.replication.serve_pull(Hello(ring="ring", region=TOKYO), saying())
        with pytest.raises(Unavailable, match="begins again"):
            await asyncio.wait_for(exhausted(behind), DEADLINE_SECONDS)
        await region.increment(record_id(1, "global"))
        await capture_all(region.stores[S1])
        anew = region.replication.serve_pull(Hello(ring="ring", region=TOKYO, after={S1: captured}), saying())
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not isinstance(message := await anext(anew), BatchPart):
                pass
        assert message.number == captured + 1
        await anew.aclose()  # type: ignore[attr-defined]


async def test_peer_has_no_more_streams_than_its_bound() -> None:
    async with sender() as region:
        hello = Hello(ring="ring", region=TOKYO)
        open_streams = [region.replication.serve_pull(hello, saying()) for _ in range(STREAMS_PER_PEER_MAX)]
        for stream in open_streams:
            await anext(stream)
        with pytest.raises(Overloaded, match="streams open"):
            await anext(aiter(region.replication.serve_pull(hello, saying())))
        for stream in open_streams:
            await stream.aclose()  # type: ignore[attr-defined]
        again = region.replication.serve_pull(hello, saying())
        await anext(again)
        await again.aclose()  # type: ignore[attr-defined]


# -- a stale map --------------------------------------------------------------------------------------------------


async def test_rows_that_a_shard_does_not_own_are_routed_anew_by_a_newer_map() -> None:
    topology, network = topology_of(BOTH), Network()
    source = region_on(topology, FRANKFURT, await memory_stores(topology, FRANKFURT), network.transport(FRANKFURT))
    other = {S1: S2, S2: S1}
    true = source.shard_map
    stale = ShardMap(1, [replace(assignment, shard=other[assignment.shard]) for assignment in true.assignments])
    maps = MapCache(stale, ShardMap(2, true.assignments))
    target = region_on(topology, TOKYO, await memory_stores(topology, TOKYO), network.transport(TOKYO), maps)
    network.servers = {FRANKFURT: source.replication.serve_pull, TOKYO: target.replication.serve_pull}
    records = [record_id(number << 56, "global") for number in range(0, 256, 16)]
    try:
        await source.increment(*records)
        for region in (source, target):
            await region.replication.start()
        await converged([source, target], records=len(records))
        assert maps.refreshes >= 1
        for record in records:
            assert record in await contents(target.stores[true.locate(record.position).shard])  # type: ignore[union-attr]
    finally:
        await source.replication.stop()
        await target.replication.stop()
