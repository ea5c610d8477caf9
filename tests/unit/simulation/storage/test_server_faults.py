"""Servers that are slow, full, unreliable, replaced, or hold what somebody forgot; doubt is real in both ways."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts.records import TOKYO, Writer, record_id, rows_of, visits, visits_of
from tests.unit.simulation.storage.site import Site, outcome

from atoll import limits
from atoll.causality.cut import Cut
from atoll.errors import OutcomeUnknown, Unavailable, UnsafeShard
from atoll.ports import Outcome, Rows
from atoll.simulation.observations import Captured, Committed, Minted, Rewound

ONE, TWO = record_id(1), record_id(2)


async def prepared(writer: Writer) -> Any:
    """A write that is ready to be sent."""
    return await writer.prepare({ONE: visits()})


# -- stalls and slowness ------------------------------------------------------------------------------------------


def test_stalled_server_answers_nothing_and_then_everything() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        site.database.stall()
        call = site.start(writer.store.progress())
        await site.sleep(20.0)
        assert not call.done()
        site.database.unstall()
        assert (await call).captured == 0
        assert site.database.bites["stall_shard: steps held up"] > 0

    Site().run(test)


def test_patience_with_a_stalled_server_ends_and_its_late_commit_counts_all_the_same() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(TWO)
        rows = await prepared(writer)
        write = site.start(outcome(writer.store.write(rows, Cut.EMPTY)))
        await site.sleep(0.0011)
        site.database.stall()
        began = site.loop.now()
        assert await write is OutcomeUnknown
        assert site.loop.now() - began == pytest.approx(limits.SHARD_STATEMENT_SECONDS_MAX, abs=0.01)
        site.database.unstall()
        await site.sleep(0.1)
        assert await visits_of(writer.store, ONE) == 1

    Site(flush_ms=10.0).run(test)


def test_server_that_crashes_in_a_stall_is_still_stalled_when_it_is_back() -> None:
    async def test(site: Site) -> None:
        store = await site.store()
        site.database.stall()
        site.database.crash()
        site.database.restart()
        assert await outcome(store.progress()) is Unavailable
        site.database.unstall()
        assert (await store.progress()).captured == 0

    Site().run(test)


def test_slow_server_takes_as_many_times_as_long() -> None:
    async def test(site: Site) -> float:
        writer = await site.writer()
        await writer.increment(ONE)
        began = site.loop.now()
        site.database.slow(100.0)
        await writer.increment(ONE)
        slow = site.loop.now() - began
        site.database.unslow()
        began = site.loop.now()
        await writer.increment(ONE)
        assert site.database.bites["slow_shard: steps slowed down"] > 0
        return slow / (site.loop.now() - began)

    assert 20 < Site().run(test) < 150


# -- full disks and doubt -----------------------------------------------------------------------------------------


def test_full_disk_refuses_what_writes_as_production_does_and_serves_reads() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(ONE)
        rows = await prepared(writer)
        store = writer.store
        site.database.fill()
        assert await outcome(store.write(rows, Cut.EMPTY)) is OutcomeUnknown
        for work in (
            store.lease_counters(1),
            store.capture(),
            store.acknowledge(TOKYO.region, 1),
            store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(b"")),
        ):
            assert await outcome(work) is Unavailable
        assert await visits_of(store, ONE) == 1
        assert site.database.bites["full_shard: writes refused"] == 5
        site.database.empty()
        assert (await store.write(rows, Cut.EMPTY)).outcomes == [Outcome.DONE]

    Site().run(test)


def test_commits_in_doubt_are_unknown_and_about_half_of_them_are_in() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        unknown = 0
        for number in range(60):
            rows = await writer.prepare({record_id(number): visits()})
            site.database.doubt(0.5)
            unknown += await outcome(writer.store.write(rows, Cut.EMPTY)) is OutcomeUnknown
            site.database.undoubt()
        stored = len(site.database.shard.records)
        assert 20 < unknown < 40
        assert 60 - unknown + 5 < stored < 60 - 5
        assert site.database.bites["ambiguous_shard: commits left in doubt"] == unknown
        assert len(site.notebook.of(Committed)) == stored

    Site(3).run(test)


# -- other histories ----------------------------------------------------------------------------------------------


def test_promoted_replica_is_refused_and_the_original_is_back_with_everything() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(ONE)
        await site.sleep(1.0)
        await writer.increment(ONE)
        site.database.fail_over(0.5)
        await site.sleep(0.01)
        assert await outcome(writer.store.read([ONE])) is Unavailable
        assert await outcome(writer.store.progress()) is Unavailable
        assert await outcome(site.store("n2")) is UnsafeShard
        assert site.database.shard.records.keys() == {ONE}
        site.database.fail_back()
        await site.sleep(0.01)
        assert await visits_of(writer.store, ONE) == 2
        assert site.notebook.of(Rewound) == []

    Site().run(test)


def test_replica_that_is_accepted_lacks_what_came_after_its_lag_and_says_so() -> None:
    async def test(site: Site) -> None:
        site.database.accepts_other_history = True
        writer = await site.writer()
        await writer.increment(ONE)
        await site.sleep(1.0)
        await writer.increment(ONE, TWO)
        lost = site.notebook.of(Committed)[-1].transaction
        site.database.fail_over(0.5)
        again = await site.store("n2")
        assert await visits_of(again, ONE) == 1
        (rewound,) = site.notebook.of(Rewound)
        assert lost in rewound.transactions
        assert site.notebook.of(Committed)[0].transaction not in rewound.transactions
        assert site.database.shard.records.keys() == {ONE}
        block = await again.lease_counters(1)
        assert block.first <= site.notebook.of(Minted)[-2].last, "a counter is minted twice"
        site.database.fail_back()
        assert len(site.notebook.of(Rewound)) == 2
        assert await visits_of(await site.store("n3"), ONE) == 2

    Site().run(test)


def test_replica_without_lag_has_everything_that_was_acknowledged() -> None:
    async def test(site: Site) -> None:
        site.database.accepts_other_history = True
        writer = await site.writer()
        for number in range(10):
            await writer.increment(record_id(number % 3))
            await writer.store.capture()
        before = site.database.shard
        site.database.fail_over(0.0)
        await site.store("n2")
        after = site.database.shard
        assert after is not before
        assert (after.records, after.batches, after.log) == (before.records, before.batches, before.log)
        assert after.next_transaction == before.next_transaction

    Site().run(test)


def test_fail_over_of_a_dead_server_leaves_it_dead() -> None:
    async def test(site: Site) -> None:
        store = await site.store()
        site.database.crash()
        site.database.fail_over(0.0)
        assert await outcome(store.progress()) is Unavailable
        site.database.restart()
        assert await outcome(store.progress()) is Unavailable
        site.database.fail_back()
        await site.sleep(0.01)
        assert (await store.progress()).captured == 0

    Site().run(test)


# -- prepared transactions ----------------------------------------------------------------------------------------


def locked(site: Site) -> list[Any]:
    (transaction,) = site.database._prepared
    return [record_id(int(key[3][1:])) for key in transaction.keys]


@pytest.mark.parametrize("commit", [True, False])
def test_forgotten_transaction_holds_records_through_a_crash_until_it_is_resolved(commit: bool) -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(ONE, TWO)
        while not site.database._prepared or not locked(site):
            if site.database._prepared:
                site.database.resolve(commit)
            site.database.prepare_and_forget()
        held = locked(site)
        site.database.crash()
        site.database.restart()
        again = await site.writer("n2")
        write = site.start(again.increment(held[0]), "n2")
        await site.sleep(2.0)
        assert not write.done()
        assert await visits_of(writer.store, held[0]) == 1, "who only reads does not wait"
        site.database.resolve(commit)
        assert (await write).outcomes == [Outcome.DONE]
        assert site.database.bites["prepared_transaction: statements that waited"] == 1

    Site().run(test)


def test_capture_neither_waits_for_a_forgotten_transaction_nor_skips_what_follows_it() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        site.database.prepare_and_forget()
        await writer.increment(ONE)
        batch = await writer.store.capture()
        assert batch is not None
        assert batch.records == 1
        site.database.resolve(commit=True)
        await writer.increment(TWO)
        await writer.store.capture()
        assert [row.id for number in (1, 2) for row in await rows_of(writer.store, number)] == [ONE, TWO]
        told = site.notebook.of(Captured)
        assert [each.records for each in told] == [[ONE], [TWO]]
        written = [each.transaction for each in site.notebook.of(Committed)]
        assert [list(each.transactions) for each in told] == [[number] for number in written]

    Site().run(test)
