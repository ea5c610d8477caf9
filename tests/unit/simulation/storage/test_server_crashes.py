"""Servers and clients that die: what was acknowledged stays, what was not flushed may go, what was sent goes on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.contracts.records import TOKYO, Writer, record_id, rows_of, visits, visits_of
from tests.unit.simulation.storage.site import Site, outcome

from atoll import limits
from atoll.causality.cut import Cut
from atoll.errors import OutcomeUnknown, Unavailable
from atoll.ports import Outcome, Rows, WriteResult
from atoll.replication.rows import Row, encode_rows
from atoll.simulation.observations import Applied, Committed

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
        assert site.database.bites["crash_shard: statements interrupted"] == 1
        return await visits_of(await site.store(), ONE)

    kept = Counter(Site(seed, flush_ms=10.0).run(test) for seed in range(12))
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

    found = [Site(seed, flush_ms=20.0).run(test) for seed in range(12)]
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
        assert site.database.bites["crash_shard: statements to a dead server"] == 2

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

    assert len({Site(seed, flush_ms=20.0).run(test) for seed in range(12)}) > 1


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

    assert {Site(seed, flush_ms=0.3).run(test) for seed in range(12)} == {0, 1}


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
