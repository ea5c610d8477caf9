"""The causal gate: in any interleaving it never releases too early, never twice, and never loses a batch."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import ZERO
from atoll.limits import BATCHES_PER_APPLY_MAX, CATCH_UP_BATCHES
from atoll.replication.inbox import Arrival, Inbox, Release
from atoll.replication.parcel import Parcel

HERE = RegionName("here")
A1, A2 = Origin(RegionName("a"), ShardName("s1")), Origin(RegionName("a"), ShardName("s2"))
B1, B2 = Origin(RegionName("b"), ShardName("s1")), Origin(RegionName("b"), ShardName("s2"))
OWN = Origin(HERE, ShardName("s1"))
REMOTE = (A1, A2, B1, B2)


def batch(origin: Origin, number: int, needs: Mapping[Origin, int] | None = None, size_bytes: int = 10) -> Parcel:
    return Parcel(
        origin=origin,
        number=number,
        dependencies=Cut(needs or {}),
        timestamp=ZERO,
        records=1,
        size_bytes=size_bytes,
        parts={},
        map_version=1,
    )


def names(releases: list[Release]) -> list[tuple[Origin, int]]:
    return [(release.batch.origin, release.batch.number) for release in releases]


def test_batch_without_dependencies_goes_at_once_and_begins_itself_alone() -> None:
    inbox = Inbox(HERE)
    assert inbox.arrive(batch(A1, 1)) is Arrival.HELD
    (release,) = inbox.release()
    assert (release.batch.number, release.begins) == (1, Cut({A1: 1}))


def test_batch_waits_until_the_regions_cut_covers_its_dependencies() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 2}))
    assert not inbox.release()
    inbox.advance(Cut({B1: 1}))
    assert not inbox.release()
    inbox.advance(Cut({B1: 2}))
    assert names(list(inbox.release())) == [(A1, 1)]


def test_released_dependency_is_not_enough_until_it_is_applied() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(B1, 1))
    inbox.arrive(batch(A1, 1, {B1: 1}))
    assert names(list(inbox.release())) == [(B1, 1)]
    assert not inbox.release()
    inbox.advance(Cut({B1: 1}))
    assert names(list(inbox.release())) == [(A1, 1)]


def test_entries_of_the_own_region_and_of_the_origin_itself_are_always_satisfied() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {OWN: 99, A1: 7}))
    assert names(list(inbox.release())) == [(A1, 1)]


def test_blocked_origin_does_not_stop_another_shard_of_the_same_region() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 5}))
    inbox.arrive(batch(A2, 1))
    assert names(list(inbox.release())) == [(A2, 1)]


def test_blocked_names_the_batch_and_what_it_waits_for() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 5, B2: 1}))
    inbox.advance(Cut({B2: 1}))
    (blocked,) = inbox.blocked()
    assert str(blocked) == "batch 1 of a/s1 waits for b/s1:5"


def test_two_batches_that_depend_on_each_other_go_together_and_each_begins_both() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {A2: 1}))
    assert not inbox.release()
    inbox.arrive(batch(A2, 1, {A1: 1}))
    releases = inbox.release()
    assert names(list(releases)) == [(A1, 1), (A2, 1)]
    assert {release.begins for release in releases} == {Cut({A1: 1, A2: 1})}


def test_circle_waits_for_what_it_depends_on_outside_itself() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {A2: 1}))
    inbox.arrive(batch(A2, 1, {A1: 1, B1: 1}))
    assert not inbox.release()
    inbox.arrive(batch(B1, 1))
    alone, *circle = inbox.release()
    assert names([alone, *circle]) == [(B1, 1), (A1, 1), (A2, 1)]
    assert alone.begins == Cut({B1: 1})
    assert {release.begins for release in circle} == {Cut({A1: 1, A2: 1, B1: 1})}


def test_group_begins_what_was_released_before_it_and_is_not_yet_applied() -> None:
    """The circle may depend on it, and it is not complete everywhere."""
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {A2: 2}))
    inbox.arrive(batch(A2, 1))
    assert names(list(inbox.release())) == [(A2, 1)]
    inbox.arrive(batch(A2, 2, {A1: 1}))
    releases = inbox.release()
    assert names(list(releases)) == [(A1, 1), (A2, 2)]
    assert {release.begins for release in releases} == {Cut({A1: 1, A2: 2})}


def chain(length: int) -> list[Parcel]:
    """Batches of two shards, each dependent on the one before."""
    first = [batch(A1, number, {A2: number - 1}) for number in range(1, length + 1)]
    second = [batch(A2, number, {A1: number}) for number in range(1, length + 1)]
    return [*first, *second]


def test_short_chain_goes_one_after_the_other() -> None:
    inbox = Inbox(HERE)
    for link in chain(CATCH_UP_BATCHES // 2):
        inbox.arrive(link)
    assert names(list(inbox.release())) == [(A1, 1)]


def test_long_chain_goes_together_and_begins_all_of_it() -> None:
    inbox, length = Inbox(HERE), CATCH_UP_BATCHES
    for link in chain(length):
        inbox.arrive(link)
    releases = list(inbox.release())
    assert names(releases) == [(origin, number) for origin in (A1, A2) for number in range(1, length + 1)]
    assert {release.begins for release in releases} == {Cut({A1: length, A2: length})}
    inbox.check_invariants()


def test_next_part_of_a_backlog_waits_until_the_part_before_it_is_applied() -> None:
    inbox, length = Inbox(HERE), BATCHES_PER_APPLY_MAX + CATCH_UP_BATCHES
    for link in chain(length):
        inbox.arrive(link)
    assert inbox.release()
    assert inbox.released == Cut({A1: BATCHES_PER_APPLY_MAX, A2: BATCHES_PER_APPLY_MAX})
    assert not inbox.release()
    inbox.advance(inbox.released)
    assert inbox.release()
    assert inbox.released == Cut({A1: length, A2: length})


def test_circle_larger_than_a_transaction_still_goes() -> None:
    inbox, length = Inbox(HERE), BATCHES_PER_APPLY_MAX + 1
    for number in range(1, length + 1):
        inbox.arrive(batch(A1, number, {A2: length}))
        inbox.arrive(batch(A2, number, {A1: length}))
    assert len(inbox.release()) == 2 * length


def test_batch_that_came_before_is_a_duplicate_wherever_it_is_now() -> None:
    inbox = Inbox(HERE, Cut({A1: 3}))
    assert inbox.arrive(batch(A1, 3)) is Arrival.DUPLICATE
    inbox.arrive(batch(A1, 4, {B1: 1}))
    assert inbox.arrive(batch(A1, 4, {B1: 1})) is Arrival.DUPLICATE
    inbox.advance(Cut({B1: 1}))
    assert len(inbox.release()) == 1
    assert inbox.arrive(batch(A1, 4, {B1: 1})) is Arrival.DUPLICATE


def test_gap_in_the_numbers_is_refused() -> None:
    inbox = Inbox(HERE)
    with pytest.raises(CorruptFrame, match="batch 2 where 1 follows"):
        inbox.arrive(batch(A1, 2))


def test_lost_stream_is_forgotten_and_its_batches_are_taken_again() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 1}))
    inbox.arrive(batch(A1, 2))
    inbox.forget(A1.region)
    assert inbox.held(A1) == (0, 0)
    assert inbox.arrive(batch(A1, 1, {B1: 1})) is Arrival.HELD


def test_progress_of_another_node_drops_what_is_held_below_it() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 1}))
    inbox.arrive(batch(A1, 2, {B1: 9}))
    inbox.advance(Cut({A1: 1}))
    assert inbox.held(A1) == (1, 10)
    inbox.check_invariants()


# -- any interleaving ---------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> dict[Origin, list[Cut]]:
    """Per origin the dependencies of its batches: on batches that existed when each was captured, and of its
    siblings also on those that were captured beside it."""
    counts = dict.fromkeys(REMOTE, 0)
    history: dict[Origin, list[Cut]] = {origin: [] for origin in REMOTE}
    for origin in draw(st.lists(st.sampled_from(REMOTE), max_size=30)):
        beside = {o: 1 if o.region == origin.region else 0 for o in REMOTE}
        needs = {o: draw(st.integers(0, counts[o] + beside[o])) for o in REMOTE if o != origin}
        needs[OWN] = draw(st.integers(0, 9))
        history[origin].append(Cut(needs))
        counts[origin] += 1
    for region in (A1.region, B1.region):
        top = max(counts[origin] for origin in REMOTE if origin.region == region) + 1
        for origin in REMOTE:
            if origin.region == region:  # the captures beside the last ones, which close the circle
                history[origin] += [Cut.EMPTY] * (top - counts[origin])
    return history


class Receiver:
    """A region around an inbox: streams deliver in order, shards apply, links break and are dialled again."""

    def __init__(self, history: dict[Origin, list[Cut]]) -> None:
        self.history = history
        self.inbox = Inbox(HERE)
        self.delivered = dict.fromkeys(REMOTE, 0)
        self.released: list[Release] = []
        self.applied = Cut.EMPTY

    def deliver(self, origin: Origin) -> None:
        """The next batch of the origin's stream arrives."""
        number = self.delivered[origin] + 1
        if number <= len(self.history[origin]):
            self.delivered[origin] = number
            self.inbox.arrive(batch(origin, number, self.history[origin][number - 1]))
            self.take()

    def take(self) -> None:
        for release in self.inbox.release():
            self.check(release)
            self.released.append(release)
        self.inbox.check_invariants()

    def check(self, release: Release) -> None:
        """What the batch needs is complete here, or its readers wait for it (promise I4)."""
        needs = release.batch.dependencies.without_region(HERE)
        needs = Cut((o, n) for o, n in needs.items() if o != release.batch.origin)
        covered = self.applied.join(release.begins)
        assert covered.covers(needs), f"{release} before {covered.missing(needs).describe()}"
        assert release.begins.at(release.batch.origin) >= release.batch.number

    def apply(self, origin: Origin) -> None:
        """All shards have applied the next released batch of the origin."""
        number = self.applied.at(origin) + 1
        if any(r.batch.origin == origin and r.batch.number == number for r in self.released):
            self.applied = self.applied.advanced(origin, number)
            self.inbox.advance(self.applied)
            self.take()

    def reconnect(self, origin: Origin) -> None:
        """The stream breaks and goes on from the region's cut."""
        self.inbox.forget(origin.region)
        for each in REMOTE:
            if each.region == origin.region:
                self.delivered[each] = self.applied.at(each)

    def drain(self) -> None:
        for _ in range(200):
            for origin in REMOTE:
                self.deliver(origin)
                self.apply(origin)


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["deliver", "deliver", "apply", "reconnect"]), st.sampled_from(REMOTE)),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(histories(), ACTIONS)
def test_any_interleaving_releases_every_batch_once_in_order_and_after_its_causes(
    history: dict[Origin, list[Cut]], actions: list[tuple[str, Origin]]
) -> None:
    receiver = Receiver(history)
    for action, origin in actions:
        getattr(receiver, action)(origin)
    receiver.drain()
    for origin in REMOTE:
        numbers = [r.batch.number for r in receiver.released if r.batch.origin == origin]
        assert numbers == list(range(1, len(history[origin]) + 1)), f"{origin}: lost, doubled or out of order"
    assert not receiver.inbox.blocked()


@given(histories(), ACTIONS)
def test_whatever_is_released_lies_in_a_closed_set(
    history: dict[Origin, list[Cut]], actions: list[tuple[str, Origin]]
) -> None:
    """A slow check of the fixpoint: everything released depends only on what is released."""
    receiver = Receiver(history)
    for action, origin in actions:
        getattr(receiver, action)(origin)
        released = receiver.inbox.released
        for release in receiver.released:
            needs = release.batch.dependencies.without_region(HERE)
            assert all(released.at(o) >= n for o, n in needs.items() if o != release.batch.origin)
