"""The grey box over random histories of real shards and production merge code: nothing to find, and much compared."""

from __future__ import annotations

from random import Random

import pytest
from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import (
    EU,
    FRANKFURT,
    OREGON,
    TOKYO,
    added,
    cleared,
    removed,
    titled,
    visited,
)

from atoll.crdt.operations import Delete, Write
from atoll.ids import RegionName
from atoll.simulation.verdict import Verdict


def random_write(chance: Random, number: int) -> Write:
    kind = chance.randrange(12)
    if kind < 3:
        return added(chance.choice([f"element-{number}", "a", "b", "c"]))
    if kind < 5:
        return removed(chance.choice(["a", "b", "c"]))
    if kind < 8:
        return visited(chance.randint(-3, 5))
    if kind < 10:
        return titled(f"title-{number}")
    if kind == 10:
        return cleared(chance.choice(["tags", "visits", "title"]))
    return Delete()


def step(ring: Ring, chance: Random, number: int) -> None:
    origins = list(ring.shards)
    clients = [f"client-{each}" for each in range(4)]
    ring.tick(chance.random() * 0.02)
    match chance.randrange(10):
        case 0 | 1 | 2:
            write_something(ring, chance, number, clients)
        case 3:
            read_something(ring, chance, chance.choice(clients))
        case 4 | 5:
            ring.capture(chance.choice(origins))
        case 6 | 7:
            source = chance.choice(origins)
            ring.carry(source, chance.choice(ring.topology.peers(source.region)))
        case 8:
            ring.join(chance.choice(origins), chance.randint(1, 4))
        case 9:
            if chance.random() < 0.3:
                ring.collect(chance.choice(origins))
            ring.sample()


def read_something(ring: Ring, chance: Random, client: str) -> None:
    region, key = chance.choice([FRANKFURT, TOKYO, OREGON]), f"key-{chance.randrange(3)}"
    if ring.covers(region, key, client):
        ring.read(region, key, client)


def write_something(ring: Ring, chance: Random, number: int, clients: list[str]) -> None:
    writes = [random_write(chance, 10 * number + each) for each in range(chance.choice([1, 1, 1, 2, 3]))]
    client = chance.choice([*clients, ""])
    if chance.random() < 0.2:
        ring.write(chance.choice([FRANKFURT, OREGON]), f"eu-{chance.randrange(2)}", *writes, client=client, zone=EU)
    else:
        region: RegionName = chance.choice([FRANKFURT, TOKYO, OREGON])
        ring.write(region, f"key-{chance.randrange(3)}", *writes, client=client)


@pytest.mark.parametrize("seed", range(8))
def test_random_history_of_correct_shards_is_valid(seed: int) -> None:
    chance = Random(seed)
    ring = Ring(count=1 + seed % 2, offsets={TOKYO: chance.randint(-5_000, 5_000)})
    for number in range(300):
        step(ring, chance, number)
    ring.settle()
    for _ in range(20):
        read_something(ring, chance, chance.choice(["client-0", "client-1"]))
    results = ring.results().values()
    assert [finding for result in results for finding in result.findings] == []
    assert {result.checker: result.note for result in results if result.verdict is not Verdict.VALID} == {}


def test_random_history_meets_conflicts_and_lost_values() -> None:
    chance = Random(7)
    ring = Ring()
    for number in range(300):
        step(ring, chance, number)
    ring.settle()
    assert ring.findings() == []
    counts = ring.box.conflicts()
    assert counts["city.title"].met > 0
    assert counts["city.title"].discarded > 0
    assert counts["city.title"].examples[0].lost != counts["city.title"].examples[0].kept
    assert counts["city.tags"].met > 0
    assert counts["city.tags"].discarded == 0
