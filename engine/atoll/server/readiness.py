"""When a node is ready: it listens, and at least one shard of its region answers.

A shard that does not answer is a warning as long as another does: taking the node out of service would make an outage
of half the records one of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from atoll import limits
from atoll.errors import AtollError
from atoll.http.health import Readiness
from atoll.ids import ShardName
from atoll.ports import ShardStore


async def check_shards(stores: Mapping[ShardName, ShardStore]) -> Readiness:
    """Ask every shard something cheap; answers within the bound of the readiness question."""
    problems = dict(zip(stores, await asyncio.gather(*map(_problem, stores.values())), strict=True))
    silent = {f"shard {name}": problem for name, problem in problems.items() if problem is not None}
    if len(silent) == len(stores):
        return Readiness(problems=silent)
    return Readiness(warnings=silent)


async def _problem(store: ShardStore) -> str | None:
    seconds = limits.READY_ANSWER_SECONDS_MAX / 2
    try:
        async with asyncio.timeout(seconds):
            await store.progress()
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except AtollError as error:
        return error.message
    return None
