"""Transactions that meet on a simulated server: who waits for whom, and what a snapshot sees in between."""

from __future__ import annotations

from typing import Any

from tests.contracts.records import TOKYO, Writer, record_id, rows_of, visits
from tests.unit.simulation.storage.site import Site

from atoll.causality.cut import Cut
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Outcome, Ownership, Progress
from atoll.simulation.observations import Captured, Collected, Committed

ONE, TWO = record_id(1), record_id(2)


async def sent(site: Site, writer: Writer, name: str = "n1") -> Any:
    """A write of one record that waits for its flush."""
    rows = await writer.prepare({ONE: visits()})
    task = site.start(writer.store.write(rows, Cut.EMPTY), name)
    await site.sleep(0.002)
    return task


def test_second_writer_of_a_record_waits_for_the_first_and_is_stale() -> None:
    async def test(site: Site) -> None:
        one, two = await site.writer("n1"), await site.writer("n2")
        rows = await two.prepare({ONE: visits(), TWO: visits()})
        first = await sent(site, one)
        assert (await two.store.write(rows, Cut.EMPTY)).outcomes == [Outcome.STALE, Outcome.DONE]
        assert (await first).outcomes == [Outcome.DONE]
        assert [each.rows[0].id for each in site.notebook.of(Committed)] == [ONE, TWO]

    Site(flush_ms=20.0).run(test)


def test_batch_skips_a_transaction_that_is_open_and_the_next_one_has_it() -> None:
    async def test(site: Site) -> None:
        one, two = await site.writer("n1"), await site.writer("n2")
        site.database.slow(1.0)
        await two.increment(TWO)
        first = await sent(site, one)
        batch = await two.store.capture()
        assert batch is not None
        assert (await first).progress.captured <= batch.number
        following = await two.store.capture()
        assert following is not None
        shipped = [[row.id for row in await rows_of(two.store, number)] for number in (1, 2)]
        assert shipped == [[TWO], [ONE]]
        assert [each.records for each in site.notebook.of(Captured)] == [[TWO], [ONE]]

    Site(flush_ms=20.0).run(test)


def test_token_of_a_write_covers_the_batch_of_a_capture_that_was_already_looking() -> None:
    """The capture took its snapshot, the write became visible, and then the batch did."""

    async def test(site: Site) -> int:
        one, two = await site.writer("n1"), await site.writer("n2")
        await two.increment(TWO)
        rows = await one.prepare({ONE: visits()})
        write = site.start(one.store.write(rows, Cut.EMPTY))
        await site.sleep(site.loop.streams.get("test").uniform(0.0, 0.003))
        capture = site.start(two.store.capture(), "n2")
        progress: Progress = (await write).progress
        assert await capture is not None
        while await two.store.capture() is not None:
            pass
        numbers = range(1, site.database.shard.captured + 1)
        (carrier,) = [n for n in numbers if ONE in [row.id for row in await rows_of(two.store, n)]]
        assert carrier <= progress.seen().at(site.database.origin) <= site.database.shard.captured
        return progress.seen().at(site.database.origin) - carrier

    assert len({Site(seed).run(test) for seed in range(8)}) > 1


def test_second_capture_at_the_same_moment_gets_nothing() -> None:
    async def test(site: Site) -> None:
        one, two = await site.writer("n1"), await site.writer("n2")
        await one.increment(ONE)
        await one.store.progress()
        await two.store.progress()
        captures = [site.start(writer.store.capture(), name) for writer, name in ((one, "n1"), (two, "n2"))]
        found = [await capture for capture in captures]
        assert [batch is None for batch in found].count(True) == 1
        assert site.database.shard.captured == 1

    Site(flush_ms=20.0).run(test)


def test_claim_waits_for_the_writes_in_flight_and_the_next_write_waits_for_the_claim() -> None:
    async def test(site: Site) -> None:
        one, two = await site.writer("n1"), await site.writer("n2")
        rows = await two.prepare({TWO: visits()})
        first = await sent(site, one)
        claim = site.start(two.store.claim(Ownership(range=EVERYTHING, epoch=9)), "n2")
        await site.sleep(0.003)
        second = site.start(two.store.write(rows, Cut.EMPTY), "n2")
        assert (await first).outcomes == [Outcome.DONE]
        assert not claim.done()
        await claim
        assert not second.done()
        assert (await second).outcomes == [Outcome.DONE]
        assert [each.owned[0].epoch for each in site.notebook.of(Committed)] == [1, 9]

    Site(flush_ms=20.0).run(test)


def test_collection_tells_the_base_that_stays() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        for number in range(4):
            await writer.increment(record_id(number))
            await writer.store.capture()
        await writer.store.acknowledge(TOKYO.region, 3)
        assert await writer.store.collect([TOKYO.region]) == 3
        assert await writer.store.collect([TOKYO.region]) == 0
        assert [each.number for each in site.notebook.of(Collected)] == [3]

    Site().run(test)


def test_same_seed_makes_the_same_run() -> None:
    async def test(site: Site) -> str:
        writers = [await site.writer(f"n{number}") for number in range(3)]
        tasks = [
            site.start(writer.increment(record_id(number % 2)), f"n{number}")
            for number, writer in enumerate(writers)
            for _ in range(5)
        ]
        await site.sleep(0.004)
        site.database.crash()
        site.database.restart()
        for task in tasks:
            try:
                await task
            except Exception as error:  # every kind of failure is part of the run
                site.loop.trace.note("failed", "test", type(error).__name__)
        return site.loop.trace.hexdigest()

    digests = [Site(seed).run(test) for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
