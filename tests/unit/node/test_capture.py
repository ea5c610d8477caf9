"""The capture loop of one shard, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.contracts.records import FRANKFURT, Writer, record_id
from tests.fixtures.hand_clock import HandClock
from tests.fixtures.regions import topology_of

from atoll.causality.hybrid_clock import HybridClock
from atoll.errors import Unavailable
from atoll.ids import ShardName
from atoll.keyspace.key_range import EVERYTHING
from atoll.limits import BACKOFF_SECONDS_MAX, CAPTURE_IDLE_SECONDS, CAPTURE_INTERVAL_SECONDS
from atoll.metrics import Metrics
from atoll.node.drill import Drill
from atoll.node.replication.capture import CaptureLoop
from atoll.node.replication.captured import CapturedNumbers
from atoll.node.replication.site import Site
from atoll.node.waiting import cancel_and_wait
from atoll.ports import Ownership
from atoll.simulation.storage.memory_store import MemoryShardStore, Phase

S1 = ShardName("s1")


class Captured:
    """A shard with its loop, and how often it was asked to capture."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False
        self.clock = HandClock()
        self.store = MemoryShardStore(FRANKFURT, disturbance=self._disturb)
        self.numbers = CapturedNumbers([S1])
        site = Site(
            topology=topology_of(),
            region=FRANKFURT.region,
            stores={S1: self.store},
            timestamps=HybridClock(self.clock.wall_ms),
            clock=self.clock,
            entropy=self.clock,
            metrics=Metrics(),
            drill=Drill(),
        )
        self.loop = CaptureLoop(site, self.store, self.numbers)

    async def _disturb(self, method: str, phase: Phase) -> None:
        if method == "capture" and phase is Phase.BEFORE:
            self.asked += 1
            if self.down:
                raise Unavailable("the shard is down")

    async def write(self) -> None:
        await Writer(self.store).increment(record_id(1))
        self.loop.hint()


@asynccontextmanager
async def captured() -> AsyncIterator[Captured]:
    made = Captured()
    await made.store.claim(Ownership(range=EVERYTHING, epoch=1))
    task = asyncio.create_task(made.loop.run())
    try:
        await made.clock.settle()
        yield made
    finally:
        await cancel_and_wait(task)


async def advance_until(made: Captured, condition: Callable[[], bool], seconds: float) -> None:
    """Let time pass in small steps until the condition holds, at most ``seconds``."""
    passed = 0.0
    while not condition():
        assert passed < seconds, f"not within {seconds:g} s of its clock"
        await made.clock.advance(CAPTURE_INTERVAL_SECONDS / 5)
        passed += CAPTURE_INTERVAL_SECONDS / 5


async def test_hint_brings_out_the_batch_and_the_empty_one_that_closes_it() -> None:
    async with captured() as made:
        await made.write()
        await advance_until(made, lambda: made.numbers.number(S1) == 2, 3 * CAPTURE_INTERVAL_SECONDS)
        first, second = await made.store.batches(0, 9)
        assert (first.records, second.records) == (1, 0)


async def test_busy_shard_is_captured_no_more_often_than_the_interval() -> None:
    async with captured() as made:
        asked = made.asked
        for _ in range(50):
            await made.write()
            await made.clock.advance(CAPTURE_INTERVAL_SECONDS / 5)
        assert made.asked - asked <= 50 / 5 + 2


async def test_idle_shard_is_asked_ever_less_often_but_writers_elsewhere_are_found() -> None:
    async with captured() as made:
        await made.clock.advance(1.0)
        asked = made.asked
        for _ in range(100):
            await made.clock.advance(CAPTURE_IDLE_SECONDS / 10)
        assert made.asked - asked <= 12
        await Writer(made.store).increment(record_id(1))  # no hint
        await advance_until(made, lambda: made.numbers.number(S1) >= 1, 2 * CAPTURE_IDLE_SECONDS)


async def test_batches_that_another_node_captured_are_noticed() -> None:
    async with captured() as made:
        await Writer(made.store).increment(record_id(1))
        elsewhere = MemoryShardStore(FRANKFURT, shard=made.store.shard)
        while await elsewhere.capture() is not None:
            pass
        await advance_until(made, lambda: made.numbers.number(S1) == 2, 1.0)


async def test_shard_that_is_down_is_tried_for_ever_and_captured_when_it_returns() -> None:
    async with captured() as made:
        made.down = True
        await made.write()
        asked = made.asked
        for _ in range(200):
            await made.clock.advance(0.5)
        assert 10 <= made.asked - asked <= 400
        made.down = False
        await advance_until(made, lambda: made.numbers.number(S1) == 2, BACKOFF_SECONDS_MAX + 1)
