"""Planted violations of I6: writes elsewhere, two owners, epochs that do not grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import FRANKFURT, added, origin

from atoll.ids import ZoneName
from atoll.keyspace.position import zone_range
from atoll.ports import Ownership
from atoll.simulation.observations import Committed, Observation

GLOBAL = zone_range(ZoneName("global"))


def test_write_outside_of_what_the_shard_owns_is_found() -> None:
    ring = Ring()

    def disown(seen: Observation) -> Sequence[Observation]:
        return [replace(seen, owned=[])] if isinstance(seen, Committed) else [seen]

    ring.tamper = disown
    ring.write(FRANKFURT, "a", added("x"))
    assert ring.anomalies(converged=False) == {("ownership", "write outside of what the shard owns")}


def test_two_owners_in_one_region_are_found() -> None:
    ring = Ring(count=2)
    ring.sample()
    shard = ring.shards[origin("frankfurt", "s2")]
    shard.ownership[GLOBAL.low] = Ownership(range=GLOBAL, epoch=2)
    ring.sample()
    assert ("ownership", "two owners") in ring.anomalies(converged=False)


def test_owners_of_one_range_in_different_regions_are_no_violation() -> None:
    ring = Ring(count=2)
    ring.sample()
    assert ring.anomalies(converged=False) == set()


def test_range_that_changes_hands_at_a_greater_epoch_is_no_violation() -> None:
    ring = Ring(count=2)
    ring.sample()
    source, target = ring.shards[origin("frankfurt", "s1")], ring.shards[origin("frankfurt", "s2")]
    low, held = next(iter(source.ownership.items()))
    del source.ownership[low]
    ring.sample()
    target.ownership[low] = replace(held, epoch=2)
    ring.sample()
    assert ring.anomalies(converged=False) == set()


def test_range_that_changes_hands_at_the_same_epoch_is_found() -> None:
    ring = Ring(count=2)
    ring.sample()
    source, target = ring.shards[origin("frankfurt", "s1")], ring.shards[origin("frankfurt", "s2")]
    low, held = next(iter(source.ownership.items()))
    del source.ownership[low]
    ring.sample()
    target.ownership[low] = held
    ring.sample()
    assert ring.anomalies(converged=False) == {("ownership", "epoch does not grow")}


def test_epoch_that_falls_is_found() -> None:
    ring = Ring()
    shard = ring.shards[origin("frankfurt")]
    low, held = next(iter(shard.ownership.items()))
    shard.ownership[low] = replace(held, epoch=3)
    ring.sample()
    shard.ownership[low] = replace(held, epoch=2)
    ring.sample()
    assert ring.anomalies(converged=False) == {("ownership", "epoch does not grow")}
