"""A shard that was lost and made anew is not the shard it was: it is refused before it may own or write anything.

It would mint dots that its predecessor has minted (promise I2): peers would take its acknowledged writes for
ones that they have seen, and ignore them for ever. The catalog remembers which database the region has known as each
shard.
"""

from __future__ import annotations

from atoll.errors import UnsafeShard
from atoll.ports import Catalog, ShardStore


async def check_birth(store: ShardStore, catalog: Catalog) -> None:
    """Note the shard's birth in the catalog, or raise :class:`UnsafeShard` if the region has known another.

    A catalog that is lost together with the shard remembers nothing, and this check with it.
    """
    origin, birth = store.identity.origin, store.identity.birth
    if await catalog.known_birth(origin.shard, birth) != birth:
        raise UnsafeShard(
            f"shard {origin} is another database than the one its region has known by that name: the old one was "
            "lost or replaced, and this one would mint dots a second time; point its DSN at the old database"
        )
