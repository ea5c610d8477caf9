"""The causal gate: in any interleaving its order has every batch once, and after all that it depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import ZERO
from atoll.replication.inbox import Arrival, Inbox
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


def names(batches: Sequence[Parcel]) -> list[tuple[Origin, int]]:
    return [(each.origin, each.number) for each in batches]


def test_batch_without_dependencies_goes_at_once() -> None:
    inbox = Inbox(HERE)
    assert inbox.arrive(batch(A1, 1)) is Arrival.HELD
    assert names(inbox.release()) == [(A1, 1)]
    assert not inbox.release()


def test_batch_waits_until_its_last_dependency_has_gone() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 2, B2: 1}))
    inbox.arrive(batch(B1, 1))
    assert names(inbox.release()) == [(B1, 1)]
    inbox.arrive(batch(B1, 2))
    assert names(inbox.release()) == [(B1, 2)]
    inbox.arrive(batch(B2, 1))
    assert names(inbox.release()) == [(B2, 1), (A1, 1)]


def test_dependency_need_not_be_applied_by_the_region() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 1}))
    inbox.arrive(batch(B1, 1))
    assert names(inbox.release()) == [(B1, 1), (A1, 1)]
    assert inbox.applied == Cut.EMPTY


def test_dependency_that_another_node_applied_counts() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 2}))
    inbox.advance(Cut({B1: 1}))
    assert not inbox.release()
    inbox.advance(Cut({B1: 2}))
    assert names(inbox.release()) == [(A1, 1)]


def test_entries_of_the_own_region_and_of_the_origin_itself_are_always_satisfied() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {OWN: 99, A1: 7}))
    assert names(inbox.release()) == [(A1, 1)]


def test_blocked_origin_does_not_stop_another_shard_of_the_same_region() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 5}))
    inbox.arrive(batch(A2, 1))
    assert names(inbox.release()) == [(A2, 1)]


def test_blocked_names_the_batch_and_what_it_waits_for() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 5, B2: 1}))
    inbox.arrive(batch(B2, 1))
    inbox.release()
    (blocked,) = inbox.blocked()
    assert str(blocked) == "batch 1 of a/s1 waits for b/s1:5"


def test_chain_across_origins_goes_whole_without_anything_being_applied() -> None:
    """A backlog that two shards made in turn is one run, not one flush for each link."""
    inbox, length = Inbox(HERE), 500
    for number in range(1, length + 1):
        inbox.arrive(batch(A1, number, {A2: number - 1}))
    for number in range(1, length + 1):
        inbox.arrive(batch(A2, number, {A1: number}))
    assert names(inbox.release()) == [(origin, number) for number in range(1, length + 1) for origin in (A1, A2)]


def test_batches_that_depend_on_each_other_never_go() -> None:
    """The barrier does not let them come about; were it broken, people would be told who waits for whom."""
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {A2: 1}))
    inbox.arrive(batch(A2, 1, {A1: 1}))
    assert not inbox.release()
    assert len(inbox.blocked()) == 2


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
    inbox.release()
    inbox.forget(A1.region)
    assert inbox.held(A1) == (0, 0)
    assert inbox.arrive(batch(A1, 1, {B1: 1})) is Arrival.HELD


def test_restart_begins_at_the_regions_cut_for_all_peers() -> None:
    inbox = Inbox(HERE)
    for number in (1, 2):
        inbox.arrive(batch(A1, number))
        inbox.arrive(batch(B1, number, {A1: number}))
    assert len(inbox.release()) == 4
    inbox.advance(Cut({A1: 1}))
    inbox.restart()
    assert (inbox.released(A1), inbox.released(B1)) == (1, 0)
    inbox.arrive(batch(B1, 1, {A1: 1}))
    inbox.arrive(batch(B1, 2, {A1: 2}))
    assert names(inbox.release()) == [(B1, 1)]
    inbox.arrive(batch(A1, 2))
    assert names(inbox.release()) == [(A1, 2), (B1, 2)]


def test_progress_of_another_node_drops_what_is_held_below_it() -> None:
    inbox = Inbox(HERE)
    inbox.arrive(batch(A1, 1, {B1: 1}))
    inbox.arrive(batch(A1, 2, {B1: 9}))
    inbox.release()
    inbox.advance(Cut({A1: 1}))
    assert inbox.held(A1) == (1, 10)
    assert not inbox.release()
    inbox.check_invariants()


# -- any interleaving ---------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> dict[Origin, list[Cut]]:
    """Per origin the dependencies of its batches, on batches that existed when each was captured."""
    counts = dict.fromkeys(REMOTE, 0)
    history: dict[Origin, list[Cut]] = {origin: [] for origin in REMOTE}
    for origin in draw(st.lists(st.sampled_from(REMOTE), max_size=40)):
        needs = {o: draw(st.integers(0, counts[o])) for o in REMOTE if o != origin}
        needs[OWN] = draw(st.integers(0, 9))
        history[origin].append(Cut(needs))
        counts[origin] += 1
    return history


class Receiver:
    """A region around an inbox: streams deliver in order, shards apply, links break and are dialled again."""

    def __init__(self, history: dict[Origin, list[Cut]]) -> None:
        self.history = history
        self.inbox = Inbox(HERE)
        self.delivered = dict.fromkeys(REMOTE, 0)
        self.arrived = 0
        self.applied = Cut.EMPTY
        self.known = Cut.EMPTY
        """What is in the order, or was brought by another node."""
        self.order: list[tuple[Origin, int]] = []

    def deliver(self, origin: Origin) -> None:
        """The next batch of the origin's stream arrives."""
        number = self.delivered[origin] + 1
        if number <= len(self.history[origin]):
            self.delivered[origin] = number
            self.arrived += 1
            self.inbox.arrive(batch(origin, number, self.history[origin][number - 1]))
            self.take()

    def take(self) -> None:
        for released in self.inbox.release():
            needs = Cut((o, n) for o, n in released.dependencies.items() if o not in (OWN, released.origin))
            assert self.known.covers(needs), f"{released} before {self.known.missing(needs).describe()}"
            assert released.number == self.known.at(released.origin) + 1, f"{released} is doubled or out of order"
            self.known = self.known.advanced(released.origin, released.number)
            self.order.append((released.origin, released.number))
        self.inbox.check_invariants()

    def apply(self, origin: Origin) -> None:
        """All shards have applied the next released batch of the origin."""
        if self.applied.at(origin) < self.known.at(origin):
            self.applied = self.applied.advanced(origin, self.applied.at(origin) + 1)
            self.inbox.advance(self.applied)
            self.take()

    def reconnect(self, origin: Origin) -> None:
        """The stream breaks and goes on from the region's cut; what was released since comes again."""
        self.inbox.forget(origin.region)
        for each in REMOTE:
            if each.region == origin.region:
                self.delivered[each] = self.applied.at(each)

    def overtake(self, _: Origin) -> None:
        """Another node has brought the region to a cut that holds its causes: where this one stands, and one more."""
        for each in REMOTE:
            number = self.known.at(each) + 1
            if number <= len(self.history[each]):
                needs = Cut((o, n) for o, n in self.history[each][number - 1].items() if o not in (OWN, each))
                if self.known.covers(needs):
                    self.known = self.known.advanced(each, number)
                    self.order.append((each, number))
                    break
        self.applied = self.known
        self.inbox.advance(self.applied)
        for each in REMOTE:
            self.delivered[each] = max(self.delivered[each], self.applied.at(each))
        self.take()

    def restart(self, _: Origin) -> None:
        """A shard refused rows: everything above the cut comes again."""
        self.inbox.restart()
        self.order = [(o, n) for o, n in self.order if n <= self.applied.at(o)]
        self.known = self.applied
        self.delivered = {each: self.applied.at(each) for each in REMOTE}

    def drain(self) -> None:
        for origin in REMOTE:
            while self.delivered[origin] < len(self.history[origin]):
                self.deliver(origin)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "deliver", "deliver", "apply", "reconnect", "overtake", "restart"]),
        st.sampled_from(REMOTE),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(histories(), ACTIONS)
def test_any_interleaving_gives_an_order_with_every_batch_once_and_after_its_causes(
    history: dict[Origin, list[Cut]], actions: list[tuple[str, Origin]]
) -> None:
    receiver = Receiver(history)
    for action, origin in actions:
        getattr(receiver, action)(origin)
    receiver.drain()
    expected = [(origin, number) for origin in REMOTE for number in range(1, len(history[origin]) + 1)]
    assert sorted(receiver.order) == sorted(expected), "lost or doubled"
    assert not receiver.inbox.blocked()


@settings(max_examples=200, deadline=None)
@given(histories(), st.permutations([origin for origin in REMOTE for _ in range(10)]))
def test_work_grows_with_what_arrives_and_not_with_what_waits(
    history: dict[Origin, list[Cut]], arrivals: list[Origin]
) -> None:
    receiver = Receiver(history)
    for origin in arrivals:
        receiver.deliver(origin)
    receiver.drain()
    assert receiver.inbox.checks <= 3 * len(REMOTE) * receiver.arrived


@pytest.mark.parametrize("length", [10, 100, 1_000])
def test_long_backlog_costs_each_batch_the_same(length: int) -> None:
    """All of one shard arrives before anything of the shard it depends on, batch by batch."""
    inbox = Inbox(HERE)
    for number in range(1, length + 1):
        inbox.arrive(batch(A1, number, {A2: number, B1: number}))
        assert not inbox.release()
    for origin in (B1, A2):
        for number in range(1, length + 1):
            inbox.arrive(batch(origin, number))
            inbox.release()
    assert inbox.released(A1) == length
    assert inbox.checks <= 3 * len(REMOTE) * 3 * length
