"""All origins' way into one shard, as transactions."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.causality.cut import Cut, join_all
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName
from atoll.instant import ZERO
from atoll.limits import APPLY_CHUNK_BYTES, BATCHES_PER_APPLY_MAX
from atoll.replication.apply_queue import ApplyQueue, ApplyStep
from atoll.replication.parcel import Parcel
from atoll.replication.rows import Row, encode_rows

ONE = Origin(RegionName("peer"), ShardName("s9"))
TWO = Origin(RegionName("other"), ShardName("s8"))
SHARD = ShardName("s1")


def batch(number: int, rows: bytes = b"", origin: Origin = ONE) -> Parcel:
    return Parcel(
        origin=origin,
        number=number,
        dependencies=Cut.EMPTY,
        timestamp=ZERO,
        records=1,
        size_bytes=len(rows),
        parts={SHARD: rows} if rows else {},
        map_version=1,
    )


def big_rows(total_bytes: int) -> bytes:
    """Rows of about 100 kB."""
    numbers = count()
    made = b""
    while len(made) < total_bytes:
        identity = RecordId(b"eu\0" + next(numbers).to_bytes(8, "big"), CollectionName("city"), "k")
        made += encode_rows([Row(identity, b"", b"c", b"s" * 100_000, None, True)])
    return made


def steps(queue: ApplyQueue) -> list[ApplyStep]:
    """Run the queue dry."""
    taken = []
    while (step := queue.next_step()) is not None:
        taken.append(step)
        queue.done(step)
    return taken


def test_consecutive_batches_of_all_origins_become_one_transaction_in_their_order() -> None:
    queue = ApplyQueue(SHARD)
    for number, origin, rows in ((1, ONE, b"a"), (1, TWO, b"b"), (2, ONE, b""), (3, ONE, b"c"), (2, TWO, b"d")):
        queue.put(batch(number, rows, origin))
    (step,) = steps(queue)
    assert step.begins == step.completes == Cut({ONE: 3, TWO: 2})
    assert (step.rows, step.batches) == (b"abcd", 5)


def test_batches_that_come_while_a_step_is_in_flight_wait_for_the_next() -> None:
    queue = ApplyQueue(SHARD)
    queue.put(batch(1, b"a"))
    step = queue.next_step()
    assert step is not None
    queue.put(batch(2, b"b"))
    queue.put(batch(1, b"c", TWO))
    queue.done(step)
    assert [(each.rows, each.completes) for each in steps(queue)] == [(b"bc", Cut({ONE: 2, TWO: 1}))]


def test_transaction_takes_no_more_batches_than_its_bound() -> None:
    queue = ApplyQueue(SHARD)
    for number in range(1, BATCHES_PER_APPLY_MAX + 2):
        queue.put(batch(number))
    assert [step.completes.at(ONE) for step in steps(queue)] == [BATCHES_PER_APPLY_MAX, BATCHES_PER_APPLY_MAX + 1]


def test_transaction_takes_no_more_bytes_than_a_chunk() -> None:
    queue = ApplyQueue(SHARD)
    rows = big_rows(APPLY_CHUNK_BYTES // 2 + 1)
    for number in (1, 2, 3):
        queue.put(batch(number, rows))
    taken = steps(queue)
    assert [step.completes for step in taken] == [Cut({ONE: number}) for number in (1, 2, 3)]
    assert all(len(step.rows) <= APPLY_CHUNK_BYTES for step in taken)


def test_large_batch_goes_in_chunks_and_is_complete_with_the_last() -> None:
    queue = ApplyQueue(SHARD)
    queue.caught_up(Cut({ONE: 4}))
    rows = big_rows(2 * APPLY_CHUNK_BYTES + 1)
    queue.put(batch(1, b"before", TWO))
    queue.put(batch(5, rows))
    queue.put(batch(2, b"after", TWO))
    before, *chunks, after = steps(queue)
    assert (before.completes, after.completes) == (Cut({TWO: 1}), Cut({TWO: 2}))
    assert [step.completes for step in chunks] == [Cut.EMPTY, Cut.EMPTY, Cut({ONE: 5})]
    assert all(step.begins == Cut({ONE: 5}) for step in chunks)
    assert b"".join(step.rows for step in chunks) == rows


def test_failed_step_is_offered_again() -> None:
    queue = ApplyQueue(SHARD)
    queue.put(batch(1, big_rows(2 * APPLY_CHUNK_BYTES)))
    first = queue.next_step()
    assert first == queue.next_step()


def test_gap_between_batches_is_a_broken_invariant() -> None:
    queue = ApplyQueue(SHARD)
    with pytest.raises(AssertionError, match="batch 2 of peer/s9 after 0"):
        queue.put(batch(2))


def test_progress_of_another_node_drops_what_it_covers_even_half_way_through_a_batch() -> None:
    queue = ApplyQueue(SHARD)
    queue.put(batch(1, big_rows(2 * APPLY_CHUNK_BYTES)))
    queue.put(batch(2))
    step = queue.next_step()
    assert step is not None
    queue.caught_up(Cut({ONE: 1}))
    queue.done(step)
    assert [each.completes for each in steps(queue)] == [Cut({ONE: 2})]


def test_restart_takes_every_batch_again_and_ignores_the_step_of_before() -> None:
    queue = ApplyQueue(SHARD)
    for number in (1, 2, 3):
        queue.put(batch(number))
    step = queue.next_step()
    assert step is not None
    queue.caught_up(Cut({ONE: 1}))
    queue.restart(Cut.EMPTY)
    queue.done(step)
    assert len(queue) == 0
    queue.put(batch(2, b"anew"))
    assert [(each.completes, each.rows) for each in steps(queue)] == [(Cut({ONE: 2}), b"anew")]


def test_rows_that_a_restart_brings_are_joined_though_the_region_counts_their_batch_as_complete() -> None:
    """This shard had completed batch 2 without them; the shard that refused them completes it first."""
    queue = ApplyQueue(SHARD)
    queue.caught_up(Cut({ONE: 1}))
    queue.restart(Cut({ONE: 2}))
    queue.put(batch(2, b"refused elsewhere"))
    queue.caught_up(Cut({ONE: 2}))
    assert [each.rows for each in steps(queue)] == [b"refused elsewhere"]


@given(
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(0, 3)), max_size=40),
    st.lists(st.integers(0, 3), max_size=40),
)
def test_steps_hold_all_rows_in_order_and_complete_only_what_they_hold(
    batches: list[tuple[Origin, int]], pauses: list[int]
) -> None:
    queue = ApplyQueue(SHARD)
    numbers = {ONE: 0, TWO: 0}
    put, taken = b"", []
    waits = iter(pauses)
    for origin, size in batches:
        numbers[origin] += 1
        rows = f"{origin}:{numbers[origin]} ".encode() * size
        put += rows
        queue.put(batch(numbers[origin], rows, origin))
        if next(waits, 0) == 0 and (step := queue.next_step()) is not None:
            queue.done(step)
            taken.append(step)
            assert join_all(each.completes for each in taken) == Cut(numbers)
    taken += steps(queue)
    assert b"".join(step.rows for step in taken) == put
    assert join_all(step.completes for step in taken) == Cut(numbers)
    assert all(step.begins.covers(step.completes) for step in taken)
