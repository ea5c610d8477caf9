"""What the looks at a real ring come to, from statuses that are handed out one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from atoll.causality.cut import Cut
from atoll.control import NodeStatus, ShardStatus
from atoll.errors import Unavailable
from atoll.ids import NodeName, Origin, RegionName, ShardName
from atoll.keyspace.topology import Topology
from atoll.operating.access import RingAccess
from atoll.simulation.real.looking import Watch, settled
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.world.clients import Surroundings

S1 = ShardName("s1")
EU, US = RegionName("eu"), RegionName("us")
Cuts = tuple[Mapping[RegionName, int] | None, Mapping[RegionName, int] | None]
"""What Europe and America have of each other and themselves at one look; ``None``: silent."""


def ring() -> Topology:
    topology = load_scenario(find("calm-sea")).topology
    first, second, *_ = topology.regions.values()
    regions = {EU: replace(first, name=EU), US: replace(second, name=US)}
    shards = {name: replace(region, shards=region.shards[:1]) for name, region in regions.items()}
    return replace(topology, regions=shards)


@dataclass
class Verified:
    is_identical: bool

    def differences(self) -> list[str]:
        return ["shop/a differs"]


@dataclass
class Ring:
    """Hands out one pair of cuts a look; the last one stays."""

    looks: Sequence[Cuts]
    identical: bool = True
    topology: Topology = field(default_factory=ring)
    _asked: dict[RegionName, int] = field(default_factory=dict)

    async def status(self, region: RegionName) -> NodeStatus:
        place = self._asked.get(region, 0)
        self._asked[region] = place + 1
        numbers = self.looks[min(place, len(self.looks) - 1)][0 if region == EU else 1]
        if numbers is None:
            raise Unavailable("nobody listens")
        return NodeStatus(
            ring="r",
            region=region,
            node=NodeName("n1"),
            map_version=1,
            shards=[ShardStatus(name=S1, answering=True, log_rows=7)],
            peers=[],
            cut=Cut({Origin(at, S1): number for at, number in numbers.items()}),
            cut_off_from=[],
        )

    async def verify(self) -> Verified:
        return Verified(self.identical)


class Time:
    """Stands still but for sleeping."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def around(self) -> Surroundings:
        return Surroundings(now=self.now, sleep=self.sleep, note=lambda *_: None)


def access(looks: Sequence[Cuts], **more: Any) -> RingAccess:
    return cast(RingAccess, Ring(looks, **more))


ALL = {EU: 3, US: 5}


async def test_staleness_is_the_age_of_the_oldest_batch_that_a_reader_lacks() -> None:
    time = Time()
    looks: list[Cuts] = [({EU: 1, US: 1}, {EU: 1, US: 1}), ({EU: 2, US: 1}, {EU: 1, US: 1})]
    looks += [({EU: 3, US: 1}, {EU: 1, US: 1}), ({EU: 3, US: 1}, {EU: 2, US: 1}), ({EU: 3, US: 1}, {EU: 3, US: 1})]
    watch = Watch(access(looks), time.now)
    for _ in looks:
        await watch.look()
        time.seconds += 1.0
    assert [sample.stale_seconds[US, EU] for sample in watch.samples] == [0.0, 0.0, 1.0, 1.0, 0.0]
    assert [sample.behind[US, EU] for sample in watch.samples] == [0, 1, 2, 1, 0]
    assert [sample.stale_seconds[EU, US] for sample in watch.samples] == [0.0] * 5
    assert watch.samples[0].log_rows == {"eu/s1": 7, "us/s1": 7}


async def test_silent_region_is_missing_from_a_sample() -> None:
    watch = Watch(access([(ALL, None)]), Time().now)
    await watch.look()
    assert dict(watch.samples[0].behind) == {}


async def test_ring_that_agrees_has_settled_at_the_first_look_that_showed_it() -> None:
    time = Time()
    behind = ({EU: 3, US: 4}, ALL)
    looks: list[Cuts] = [behind, behind, (ALL, ALL)]
    at, left = await settled(access(looks), time.around(), 60.0)
    assert list(left) == []
    assert at is not None
    assert at == pytest.approx(100.0 + 2 * 0.05)


@pytest.mark.parametrize("silent", [(ALL, None), (None, ALL), (None, None)])
async def test_ring_with_a_silent_region_does_not_settle(silent: Cuts) -> None:
    at, left = await settled(access([silent]), Time().around(), 1.0)
    assert at is None
    assert "silent" in left[0]


async def test_ring_that_only_seems_to_agree_is_told_by_its_rows() -> None:
    at, left = await settled(access([(ALL, ALL)], identical=False), Time().around(), 60.0)
    assert at is None
    assert list(left) == ["shop/a differs"]
