"""What ``atoll init`` writes: a ring that starts as it is, commented so that it can be changed without a manual."""

from __future__ import annotations

STARTER = """\
# An Atoll ring: three regions with two shards each. It starts as it is: `atoll up`.

ring = "{ring}"

# -- Regions --------------------------------------------------------------------------------------------------------
# A region serves reads and writes alone when it is cut off from the others. A shard is one Postgres database. Here
# `atoll up` starts a server for each shard; to use your own Postgres (15 or newer), name the database instead:
#
#   [regions.frankfurt.shards.s1]
#   dsn = "postgresql://user:password@host:5432/database"

[regions.frankfurt]
shards = ["s1", "s2"]

[regions.virginia]
shards = ["s1", "s2"]

[regions.tokyo]
shards = ["s1", "s2"]

# -- Zones ----------------------------------------------------------------------------------------------------------
# A zone says where records may live. Its `regions` are law: the zone's records are never stored in, sent to or staged
# on any other region. `home` is the region that is asked first. A record's zone is given outright (--zone europe) or
# follows from a country (--country DE). The zone `global`, all regions, is always there.

[zones.europe]
home = "frankfurt"
regions = ["frankfurt", "virginia", "tokyo"]
countries = ["AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "NL", "NO", "PL", "PT", "SE"]

[zones.americas]
home = "virginia"
regions = ["frankfurt", "virginia", "tokyo"]
countries = ["AR", "BR", "CA", "CL", "CO", "MX", "PE", "US"]

[zones.asia]
home = "tokyo"
regions = ["frankfurt", "virginia", "tokyo"]
countries = ["AU", "CN", "ID", "IN", "JP", "KR", "NZ", "SG", "TH", "VN"]

[zones.europe-only]
home = "frankfurt"
regions = ["frankfurt"]

# -- Collections ----------------------------------------------------------------------------------------------------
# `placement`: "hybrid" places a record by its zone, then by a hash of its key; "hash" by the key alone, everywhere.
# `fields`: how concurrent writes of one field merge. A field that is not named is "lww".
#
#   lww           the last writer wins
#   counter       all increments count
#   add_wins_set  a set; an element added on one side and removed on the other stays

[collections.cities]
placement = "hybrid"

[collections.cities.fields]
motto = "lww"
visits = "counter"
tags = "add_wins_set"

# These records never leave Frankfurt.
[collections.residents]
placement = "hybrid"
zone = "europe-only"
"""


def starter(ring: str) -> str:
    """The text of a new ``atoll.toml`` for a ring of that name."""
    return STARTER.format(ring=ring)
