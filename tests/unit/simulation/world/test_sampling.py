"""Samples of a run: how old the newest thing is that a region does not know yet."""

from __future__ import annotations

import pytest

from atoll.causality.cut import Cut
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName
from atoll.instant import ZERO
from atoll.ports import RowWrite
from atoll.simulation.observations import Committed
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.world.sampling import Sampler

FRANKFURT, TOKYO = RegionName("frankfurt"), RegionName("tokyo")
HERE, THERE = Origin(FRANKFURT, ShardName("s1")), Origin(TOKYO, ShardName("s1"))
ROW = RowWrite(
    id=RecordId(b"position", CollectionName("things"), "key"),
    previous_context=b"",
    context=b"context",
    state=b"state",
    document=b"{}",
    counter=1,
    timestamp=ZERO,
)


@pytest.mark.parametrize("loop_began_before_seconds", [0.0, 0.3, 5.0])
def test_age_of_a_commit_does_not_depend_on_when_the_loop_began(loop_began_before_seconds: float) -> None:
    now = 2.0
    sampler = Sampler(lambda: now)
    sampler.observe(
        Committed(
            at=loop_began_before_seconds + now,
            shard=HERE,
            transaction=1,
            rows=[ROW],
            dependencies=Cut.EMPTY,
            owned=[],
        )
    )
    now = 2.75
    sampler.sample({HERE: MemoryShard(HERE), THERE: MemoryShard(THERE)})
    (sample,) = sampler.samples
    assert sample.stale_seconds[TOKYO, FRANKFURT] == pytest.approx(0.75)
    assert sample.stale_seconds[FRANKFURT, TOKYO] == 0
