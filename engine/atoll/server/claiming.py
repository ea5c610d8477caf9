"""A fresh shard is told what it owns: the first epoch of the ranges that the region's map gives to it.

Later epochs come from moves alone. So a row is added only where the map has epoch 1 and the shard has nothing there
yet; doing it again changes nothing, and doing it halfway and again completes it.
"""

from __future__ import annotations

from atoll.ids import ShardName
from atoll.keyspace.shard_map import ShardMap
from atoll.ports import Ownership, ShardStore

_FIRST = 1


async def claim_first_ranges(store: ShardStore, shard: ShardName, shard_map: ShardMap) -> int:
    """Add what is missing; returns how many rows were added. Raises what the store raises."""
    owned = [ownership.range for ownership in await store.ownership()]
    wanted = [
        Ownership(range=assignment.range, epoch=assignment.epoch)
        for assignment in shard_map.assignments
        if assignment.shard == shard and assignment.epoch == _FIRST
    ]
    missing = [claim for claim in wanted if not any(claim.range.overlaps(range_) for range_ in owned)]
    for claim in missing:
        await store.claim(claim)
    return len(missing)
