"""Waiting until every region has seen what every region has captured."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from atoll.errors import Unavailable
from atoll.ids import RegionName
from atoll.operating.access import RingAccess
from atoll.operating.verification import Verification

_LOOK_SECONDS = 0.02
_QUIET_LOOKS = 3
"""Looks in a row that must agree: a capture may be under way at the first."""
DEADLINE_SECONDS = 60.0


async def until_all_have_seen_all(
    access: RingAccess, regions: Sequence[RegionName], on_look: Callable[[int], None] = lambda _: None
) -> float:
    """Wait until the cuts of all regions are equal and stand still; returns the seconds it took up to the first of
    the looks that agreed. Raises :class:`Unavailable` after :data:`DEADLINE_SECONDS`. ``on_look`` is told how many
    batches are still to be applied somewhere."""
    begun = time.monotonic()
    agreed_at, before, agreeing = begun, None, 0
    while agreeing < _QUIET_LOOKS:
        if time.monotonic() - begun > DEADLINE_SECONDS:
            raise Unavailable(f"the regions have not caught up with each other within {DEADLINE_SECONDS:.0f} s")
        now = time.monotonic()
        statuses = await asyncio.gather(*(access.status(region) for region in regions))
        on_look(sum(peer.batches_behind for status in statuses for peer in status.peers))
        cuts = [status.cut for status in statuses]
        if cuts[0] == before and all(cut == cuts[0] for cut in cuts):
            agreeing += 1
        else:
            agreed_at, agreeing = now, 0
        before = cuts[0]
        await asyncio.sleep(_LOOK_SECONDS)
    return agreed_at - begun


async def until_identical(access: RingAccess, regions: Sequence[RegionName]) -> Verification:
    """Wait until all have seen all, then compare row by row: the answer counts, not the wait.

    Nobody writes meanwhile, so a difference that is left is one. What cannot be waited for is compared as it is.
    """
    with contextlib.suppress(Unavailable):
        await until_all_have_seen_all(access, regions)
    return await access.verify()
