"""Operations that a shard refused because it does not own their positions: routed anew once the map is fresh."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from atoll.errors import AtollError, StaleRoute
from atoll.ids import RegionName, ShardName
from atoll.node.pending import Pending
from atoll.node.routing import Router


class Rerouting:
    """Collects what was refused; :meth:`run` gives it to ``place`` again, once a newer map has been read if the known
    one does not explain the refusal. An operation goes round until its deadline, then is a :class:`StaleRoute`."""

    __slots__ = ("_place", "_refused", "_region", "_wanted")

    def __init__(self, region: RegionName, place: Callable[[Pending], None]) -> None:
        self._region = region
        self._place = place
        self._refused: list[tuple[ShardName | None, Pending]] = []
        self._wanted = asyncio.Event()

    def refuse(self, shard: ShardName | None, pendings: Sequence[Pending]) -> None:
        """``shard`` does not own the positions; ``None``: the map gives them to no shard."""
        self._refused += [(shard, pending) for pending in pendings]
        self._wanted.set()

    async def run(self, router: Router) -> None:
        """Work for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            refused, self._refused = self._refused, []
            unreadable = None
            try:
                if any(router.still_says(shard, pending.id.position) for shard, pending in refused):
                    await router.refresh()
            except AtollError as error:
                unreadable = error
            for shard, pending in refused:
                if not pending.finished:
                    pending.trouble = self._stale_route(router, pending, shard, unreadable)
                    self._place(pending)

    def _stale_route(
        self, router: Router, pending: Pending, shard: ShardName | None, unreadable: AtollError | None
    ) -> StaleRoute:
        name = f"{pending.id.collection}/{pending.id.key}"
        who = f"shard {self._region}/{shard} does not own" if shard else f"no shard of {self._region} is assigned"
        newest = router.map
        found = newest.locate(pending.id.position)
        says = f"gives it to {found.shard} at epoch {found.epoch}" if found else "gives it to no shard"
        problem = f"; a newer map could not be read: {unreadable}" if unreadable else ""
        return StaleRoute(
            f"{who} the position of {name}, and map version {newest.version} {says}{problem}; nothing was written: "
            "try again"
        )
