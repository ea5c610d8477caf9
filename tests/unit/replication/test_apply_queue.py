"""One origin's way into one shard, as transactions."""

from __future__ import annotations

from itertools import count

import pytest

from atoll.causality.cut import Cut
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName
from atoll.instant import ZERO
from atoll.limits import APPLY_CHUNK_BYTES, BATCHES_PER_APPLY_MAX
from atoll.replication.apply_queue import ApplyQueue, ApplyStep
from atoll.replication.inbox import Release
from atoll.replication.parcel import Parcel
from atoll.replication.rows import Row, encode_rows

ORIGIN = Origin(RegionName("peer"), ShardName("s9"))
OTHER = Origin(RegionName("peer"), ShardName("s8"))
SHARD = ShardName("s1")


def release(number: int, rows: bytes = b"", begins: Cut | None = None) -> Release:
    parcel = Parcel(
        origin=ORIGIN,
        number=number,
        dependencies=Cut.EMPTY,
        timestamp=ZERO,
        records=1,
        size_bytes=len(rows),
        parts={SHARD: rows} if rows else {},
        map_version=1,
    )
    return Release(parcel, begins or Cut({ORIGIN: number}))


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


def test_consecutive_batches_become_one_transaction() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    for number in (1, 2, 3):
        queue.put(release(number))
    (step,) = steps(queue)
    assert (step.begins, step.completes) == (Cut({ORIGIN: 3}), 3)
    assert queue.completed == 3


def test_transaction_takes_no_more_batches_than_its_bound() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    for number in range(1, BATCHES_PER_APPLY_MAX + 2):
        queue.put(release(number))
    assert [step.completes for step in steps(queue)] == [BATCHES_PER_APPLY_MAX, BATCHES_PER_APPLY_MAX + 1]


def test_transaction_takes_no_more_bytes_than_a_chunk() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    rows = big_rows(APPLY_CHUNK_BYTES // 2 + 1)
    for number in (1, 2, 3):
        queue.put(release(number, rows))
    taken = steps(queue)
    assert [step.completes for step in taken] == [1, 2, 3]
    assert all(len(step.rows) <= APPLY_CHUNK_BYTES for step in taken)


def test_large_batch_goes_in_chunks_and_is_complete_with_the_last() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 4)
    rows = big_rows(2 * APPLY_CHUNK_BYTES + 1)
    queue.put(release(5, rows))
    queue.put(release(6))
    taken = steps(queue)
    assert [step.completes for step in taken] == [4, 4, 5, 6]
    assert all(step.begins == Cut({ORIGIN: 5}) for step in taken[:3])
    assert b"".join(step.rows for step in taken) == rows


def test_failed_step_is_offered_again_unchanged() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    queue.put(release(1, big_rows(2 * APPLY_CHUNK_BYTES)))
    first = queue.next_step()
    assert first == queue.next_step()


def test_step_begins_everything_its_batches_were_released_with() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    queue.put(release(1, begins=Cut({ORIGIN: 2, OTHER: 7})))
    queue.put(release(2, begins=Cut({ORIGIN: 2, OTHER: 7})))
    queue.put(release(3))
    (step,) = steps(queue)
    assert step.begins == Cut({ORIGIN: 3, OTHER: 7})


def test_gap_between_batches_is_a_broken_invariant() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    with pytest.raises(AssertionError, match="batch 2 of peer/s9 after 0"):
        queue.put(release(2))


def test_progress_of_another_node_drops_what_it_covers_even_half_way_through_a_batch() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    queue.put(release(1, big_rows(2 * APPLY_CHUNK_BYTES)))
    queue.put(release(2))
    step = queue.next_step()
    assert step is not None
    queue.caught_up(1)
    queue.done(step)
    assert queue.completed == 1
    assert [each.completes for each in steps(queue)] == [2]


def test_restart_takes_every_batch_again_and_ignores_the_step_of_before() -> None:
    queue = ApplyQueue(SHARD, ORIGIN, 0)
    for number in (1, 2, 3):
        queue.put(release(number))
    step = queue.next_step()
    assert step is not None
    queue.restart(1)
    queue.done(step)
    assert len(queue) == 0
    assert queue.completed == 1
    queue.put(release(2, b"".join([big_rows(1)])))
    assert [(each.completes, bool(each.rows)) for each in steps(queue)] == [(2, True)]
