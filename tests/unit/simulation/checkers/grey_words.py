"""A small ring for tests of the grey box: its regions, zones and collections, and writes in a word each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from atoll.crdt.operations import Add, Clear, Delete, Increment, Remove, Set, Update, Write
from atoll.crdt.schema import Rule, Schema
from atoll.ids import CollectionName, Origin, RegionName, ShardName, ZoneName
from atoll.keyspace.key_range import KeyRange
from atoll.keyspace.topology import Collection, Region, Shard, Strategy, Topology, Zone
from atoll.simulation.plan import Action

CITY = CollectionName("city")
PERSON = CollectionName("person")
EU = ZoneName("eu")
SCHEMA = Schema(fields={"tags": Rule.ADD_WINS_SET, "visits": Rule.COUNTER, "title": Rule.LWW})

FRANKFURT, TOKYO, OREGON = RegionName("frankfurt"), RegionName("tokyo"), RegionName("oregon")


def origin(region: str, shard: str = "s1") -> Origin:
    return Origin(RegionName(region), ShardName(shard))


def topology(shards: int) -> Topology:
    """Three regions; ``person`` may be split over zones, of which ``eu`` belongs to Frankfurt and Oregon alone."""
    names = (FRANKFURT, OREGON, TOKYO)
    found = [Shard(name=ShardName(f"s{number}"), dsn=None) for number in range(1, shards + 1)]
    zones = {
        ZoneName("global"): Zone(name=ZoneName("global"), home=FRANKFURT, regions=names),
        EU: Zone(name=EU, home=FRANKFURT, regions=(FRANKFURT, OREGON)),
    }
    return Topology(
        ring="test",
        regions={name: Region(name=name, nodes=(), shards=found) for name in names},
        zones=zones,
        collections={
            CITY: Collection(name=CITY, schema=SCHEMA, strategy=Strategy.HASH),
            PERSON: Collection(name=PERSON, schema=SCHEMA, strategy=Strategy.HYBRID),
        },
    )


def asked(write: Write) -> tuple[Action, str | None, Any]:
    """A write as the plan would have it."""
    match write:
        case Delete():
            return Action.DELETE, None, None
        case Update(operations=(operation,)):
            match operation:
                case Set(field=name, value=value):
                    return Action.SET, name, value
                case Add(field=name, elements=(element,)):
                    return Action.ADD, name, element
                case Remove(field=name, elements=(element,)):
                    return Action.REMOVE, name, element
                case Increment(field=name, amount=amount):
                    return Action.INCREMENT, name, amount
                case Clear(field=name):
                    return Action.RESET, name, None
    raise AssertionError(f"no plan has {write}")


def added(element: Any) -> Write:
    return Update((Add("tags", (element,)),))


def removed(element: Any) -> Write:
    return Update((Remove("tags", (element,)),))


def titled(value: Any) -> Write:
    return Update((Set("title", value),))


def visited(amount: int = 1) -> Write:
    return Update((Increment("visits", amount),))


def cleared(name: str) -> Write:
    return Update((Clear(name),))


def parts(whole: KeyRange, count: int) -> Sequence[KeyRange]:
    """A range in so many pieces."""
    assert whole.high is not None, "a zone ends"
    cuts = [whole.low, *(whole.low + bytes([256 * number // count]) for number in range(1, count)), whole.high]
    return [KeyRange(low, high) for low, high in pairwise(cuts)]
