"""What a broken database server does to its users: what was acknowledged stays, and doubt is real in both ways."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.contracts.records import TOKYO, Writer, record_id, rows_of, visits, visits_of
from tests.unit.simulation.storage.site import Site, outcome

from atoll import limits
from atoll.causality.cut import Cut
from atoll.errors import OutcomeUnknown, Unavailable, UnsafeShard
from atoll.ports import Outcome, Rows, WriteResult
from atoll.replication.rows import Row, encode_rows
from atoll.simulation.observations import Applied, Captured, Committed, Minted, Rewound

ONE, TWO = record_id(1), record_id(2)


async def prepared(writer: Writer) -> Any:
    """A write that is ready to be sent."""
    return await writer.prepare({ONE: visits()})


# -- crashes ------------------------------------------------------------------------------------------------------


def test_acknowledged_write_survives_a_crash() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(ONE, amount=3)
        site.database.crash()
        site.database.restart()
        assert await visits_of(await site.store(), ONE) == 3

    Site().run(test)


def test_write_in_flight_at_a_crash_is_unknown_and_over_the_seeds_both_kept_and_lost() -> None:
    async def test(site: Site) -> object:
        writer = await site.writer()
        rows = await prepared(writer)
        write = site.start(outcome(writer.store.write(rows, Cut.EMPTY)))
        await site.sleep(0.005)
        site.database.crash()
        await site.sleep(0.001)
        assert await write is OutcomeUnknown
        site.database.restart()
        assert sum(site.database.bites.values()) == 2
        return await visits_of(await site.store(), ONE)

    kept = Counter(Site(seed, flush_ms=10.0).run(test) for seed in range(20))
    assert kept.keys() == {0, 1}


def test_crash_keeps_a_prefix_of_the_commits_that_were_being_flushed() -> None:
    async def test(site: Site) -> list[object]:
        writers = [await site.writer(f"n{number}") for number in range(4)]
        ready = [await writer.prepare({record_id(number): visits()}) for number, writer in enumerate(writers)]
        for number, (writer, rows) in enumerate(zip(writers, ready, strict=True)):
            site.start(outcome(writer.store.write(rows, Cut.EMPTY)), f"n{number}")
            await site.sleep(0.002)
        site.database.crash()
        site.database.restart()
        store = await site.store()
        return [await visits_of(store, record_id(number)) for number in range(4)]

    found = [Site(seed, flush_ms=20.0).run(test) for seed in range(20)]
    assert all(each == sorted(each, reverse=True) for each in found), found  # type: ignore[type-var]
    assert len({sum(map(int, map(str, each))) for each in found}) >= 4


def test_reads_leases_and_captures_in_flight_at_a_crash_are_unavailable() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(ONE)
        calls = [
            site.start(outcome(work))
            for work in (
                writer.store.read([ONE]),
                writer.store.lease_counters(1),
                writer.store.capture(),
                writer.store.progress(),
                writer.store.acknowledge(TOKYO.region, 1),
                writer.store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(b"")),
            )
        ]
        await site.sleep(0.0001)
        site.database.crash()
        assert [await call for call in calls] == [Unavailable] * 6

    Site().run(test)


def test_dead_server_refuses_connections_at_once() -> None:
    async def test(site: Site) -> None:
        store = await site.store()
        site.database.crash()
        began = site.loop.now()
        assert await outcome(store.read([ONE])) is Unavailable
        assert await outcome(site.store("n2")) is Unavailable
        assert site.loop.now() - began < 0.01

    Site().run(test)


def test_first_write_on_a_connection_that_broke_unnoticed_is_unknown_the_next_unavailable() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        await writer.increment(TWO)
        rows = await prepared(writer)
        site.database.crash()
        assert await outcome(writer.store.write(rows, Cut.EMPTY)) is OutcomeUnknown
        assert await outcome(writer.store.write(rows, Cut.EMPTY)) is Unavailable

    Site().run(test)


def test_machine_that_is_gone_hangs_its_clients_until_their_patience_ends() -> None:
    async def test(site: Site) -> None:
        store = await site.store()
        site.database.crash(silent=True)
        began = site.loop.now()
        assert await outcome(store.progress()) is Unavailable
        assert site.loop.now() - began == pytest.approx(limits.SHARD_STATEMENT_SECONDS_MAX)
        assert await outcome(site.store("n2")) is Unavailable
        waited = site.loop.now() - began - limits.SHARD_STATEMENT_SECONDS_MAX
        assert waited == pytest.approx(limits.SHARD_CONNECT_SECONDS_MAX)

    Site().run(test)


def test_machine_that_is_back_tells_those_who_still_wait() -> None:
    async def test(site: Site) -> None:
        store = await site.store()
        site.database.crash(silent=True)
        call = site.start(outcome(store.progress()))
        await site.sleep(1.0)
        site.database.restart()
        await site.sleep(0.01)
        assert call.done()
        assert await call is Unavailable
        assert (await store.progress()).captured == 0

    Site().run(test)


def test_commit_that_survived_a_crash_is_told_when_the_server_is_back() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        rows = await prepared(writer)
        site.start(outcome(writer.store.write(rows, Cut.EMPTY)))
        await site.sleep(0.005)
        site.database.crash()
        assert site.notebook.of(Committed) == []
        await site.sleep(1.0)
        site.database.restart()
        kept = await visits_of(await site.store(), ONE)
        assert [each.at for each in site.notebook.of(Committed)] == [pytest.approx(site.loop.now(), abs=0.1)] * int(
            str(kept)
        )

    for seed in range(6):
        Site(seed, flush_ms=10.0).run(test)


def test_numbers_of_lost_transactions_are_given_out_again_and_no_change_is_captured_twice_or_never() -> None:
    async def test(site: Site) -> int:
        writer = await site.writer()
        await writer.increment(ONE)
        shard = site.database.shard
        rows = await writer.prepare({TWO: visits()})
        site.start(outcome(writer.store.write(rows, Cut.EMPTY)))
        await site.sleep(0.005)  # its number is drawn, and it waits for its flush
        capture = site.start(outcome(writer.store.capture()))
        await site.sleep(0.005)
        before = shard.next_transaction
        site.database.crash()
        site.database.restart()
        await capture
        lowest = shard.next_transaction
        again = await site.writer()
        for number in range(3, 6):
            await again.increment(record_id(number))
            await again.store.capture()
        while await again.store.capture() is not None:
            pass
        shipped = [row.id for number in range(1, shard.captured + 1) for row in await rows_of(again.store, number)]
        assert sorted(shipped) == sorted(shard.records)
        return before - lowest

    assert len({Site(seed, flush_ms=20.0).run(test) for seed in range(20)}) > 1


# -- clients that go away -----------------------------------------------------------------------------------------


def test_transaction_of_a_node_that_died_or_paused_after_sending_it_commits() -> None:
    async def test(site: Site) -> None:
        for name, stop in (("n1", site.loop.crash), ("n2", site.loop.pause)):
            writer = await site.writer(name)
            before = int(str(await visits_of(writer.store, ONE)))
            rows = await prepared(writer)
            site.start(outcome(writer.store.write(rows, Cut.EMPTY)), name)
            await site.sleep(0.0001)
            stop(site.node(name))
            await site.sleep(0.1)
            assert await visits_of(await site.store("n3"), ONE) == before + 1

    Site().run(test)


def test_paused_node_hears_its_answer_when_it_goes_on() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        rows = await prepared(writer)
        write = site.start(writer.store.write(rows, Cut.EMPTY))
        await site.sleep(0.0001)
        site.loop.pause(site.node())
        await site.sleep(10.0)
        assert not write.done()
        site.loop.resume(site.node())
        result: WriteResult = await write
        assert result.outcomes == [Outcome.DONE]

    Site().run(test)


def test_cancelled_write_commits_or_not_depending_on_the_moment() -> None:
    async def test(site: Site) -> object:
        writer = await site.writer()
        rows = await prepared(writer)
        write = site.start(writer.store.write(rows, Cut.EMPTY))
        await site.sleep(0.00001)
        write.cancel()
        await site.sleep(0.1)
        assert write.cancelled()
        return await visits_of(writer.store, ONE)

    assert {Site(seed, flush_ms=0.3).run(test) for seed in range(20)} == {0, 1}


def test_open_transaction_of_a_dead_node_gives_up_its_locks() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        other = await site.writer("n2")
        rows = Rows(encode_rows([Row(ONE, b"", b"context", b"state", None, True)]))
        site.start(outcome(writer.store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), rows)))
        while ("record", *ONE) not in site.database._locks._queues:
            await site.sleep(0.00001)
        site.loop.crash(site.node())
        result = await other.increment(ONE)
        assert result.outcomes == [Outcome.DONE]
        assert (await other.store.progress()).begun == Cut.EMPTY

    Site().run(test)


def test_open_transaction_of_a_paused_node_keeps_its_locks() -> None:
    async def test(site: Site) -> None:
        writer = await site.writer()
        other = await site.writer("n2")
        rows = Rows(encode_rows([Row(ONE, b"", b"context", b"state", None, True)]))
        apply = site.start(writer.store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), rows))
        while ("record", *ONE) not in site.database._locks._queues:
            await site.sleep(0.00001)
        site.loop.pause(site.node())
        write = site.start(other.increment(ONE), "n2")
        await site.sleep(5.0)
        assert not write.done()
        site.loop.resume(site.node())
        assert (await apply).inserted == 1
        assert (await write).outcomes == [Outcome.STALE]
        assert [each.after for each in site.notebook.of(Applied)] == [Cut({TOKYO: 1})]

    Site().run(test)


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
        for work in (writer.store.read([ONE]), writer.store.progress(), site.store("n2")):
            assert await outcome(work) is UnsafeShard
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
        assert await outcome(store.progress()) is UnsafeShard
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
