"""The log of a simulated server: what replicas have of it, and how it is trimmed."""

from __future__ import annotations

from tests.contracts.records import FRANKFURT

from atoll.ids import RegionName
from atoll.simulation.limits import FAILOVER_LAG_SECONDS_MAX, JOURNAL_TRIM_ENTRIES
from atoll.simulation.storage.journal import Journal, copy_of
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.storage.steps import Commit, Content

PEER = RegionName("tokyo")


def acknowledging(number: int) -> Commit:
    return Commit(lambda content: content.shard.acknowledge(PEER, number))


class Log:
    """A journal and the content that it is the log of."""

    def __init__(self) -> None:
        self.content = Content(shard=MemoryShard(FRANKFURT))
        self.journal = Journal(copy_of(self.content))

    def commit(self, number: int, at: float) -> None:
        """A transaction from its beginning to its effect."""
        transaction = self.content.shard.begin()
        pending = self.journal.append(transaction, acknowledging(number))
        self.journal.flushed(pending)
        pending.commit.effect(self.content)
        self.journal.note(pending, at)


def test_replica_has_what_came_up_to_its_moment_and_names_the_rest() -> None:
    log = Log()
    for number in range(1, 6):
        log.commit(number, at=float(number))
    replica, lacking = log.journal.replica(3.0)
    assert replica.shard.acknowledged == {PEER: 3}
    assert replica.shard.next_transaction == 4
    assert lacking == [4, 5]
    replica.shard.acknowledge(PEER, 99)
    assert log.content.shard.acknowledged == {PEER: 5}
    assert log.journal.replica(3.0)[0].shard.acknowledged == {PEER: 3}


def test_trimmed_log_still_makes_a_replica_that_lags_as_far_as_one_may() -> None:
    log = Log()
    seconds_each = 5 * FAILOVER_LAG_SECONDS_MAX / JOURNAL_TRIM_ENTRIES
    count = JOURNAL_TRIM_ENTRIES + 200
    for number in range(1, count + 1):
        log.commit(number, at=number * seconds_each)
    assert len(log.journal.transactions()) < count / 2
    moment = count * seconds_each - FAILOVER_LAG_SECONDS_MAX
    replica, lacking = log.journal.replica(moment)
    assert replica.shard.acknowledged == {PEER: int(moment / seconds_each)}
    assert len(lacking) == count - int(moment / seconds_each)
    assert replica.shard.next_transaction == int(moment / seconds_each) + 1


def test_flush_that_ends_takes_all_earlier_commits_along() -> None:
    log = Log()
    earlier = log.journal.append(1, acknowledging(1))
    later = log.journal.append(2, acknowledging(2))
    last = log.journal.append(3, acknowledging(3))
    log.journal.flushed(later)
    kept, lost = log.journal.crash(lambda least, _: least)
    assert (kept, lost) == ([earlier], [last])


def test_crash_may_find_everything_flushed_that_was_written() -> None:
    log = Log()
    written = [log.journal.append(number, acknowledging(number)) for number in (1, 2)]
    assert log.journal.crash(lambda _, most: most) == (written, [])
