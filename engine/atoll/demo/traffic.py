"""Clients in several regions that write the same records at the same time, and what they were promised.

Every write that was acknowledged is entered in a :class:`Ledger`: the merged counters and sets must show exactly
these, no matter who was cut off from whom. A write whose outcome is unknown is entered as such; the demo never makes
one on purpose.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from atoll.client.client import Client
from atoll.client.operations import add, assign, increment
from atoll.demo.cities import City
from atoll.demo.configuration import CITIES
from atoll.errors import OutcomeUnknown
from atoll.ids import RegionName

MOTTOS = ("where the trains are late", "where the sea begins", "seven hills and a river", "the city that sings")
TAGS = ("harbour", "trams", "carnival", "university", "old town", "markets", "bridges", "night life")


@dataclass(slots=True)
class Ledger:
    """What was acknowledged, by region and by record."""

    writes: Counter[RegionName] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)
    """By key, the sum of acknowledged increments."""
    tags: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By key, the elements whose addition was acknowledged; traffic removes none."""
    mottos: defaultdict[str, dict[RegionName, str]] = field(default_factory=lambda: defaultdict(dict))
    """By key, the last motto that each region's clients set."""
    unknown: int = 0
    """Writes that may or may not be stored."""

    def total(self) -> int:
        return sum(self.writes.values())


class Traffic:
    """Writers of one region, until :meth:`stop`."""

    def __init__(self, region: RegionName, client: Client, cities: Sequence[City], ledger: Ledger, seed: int) -> None:
        self._region = region
        self._client = client
        self._cities = cities
        self._ledger = ledger
        self._random = random.Random(f"{region}/{seed}")
        self._stopping = False

    def stop(self) -> None:
        """Let every writer finish the write it has begun."""
        self._stopping = True

    async def run(self, writers: int) -> None:
        """Write with so many clients at once; returns after :meth:`stop`."""
        async with asyncio.TaskGroup() as group:
            for _ in range(writers):
                group.create_task(self._write_on())

    async def _write_on(self) -> None:
        while not self._stopping:
            await self.write(self._random.choice(self._cities))

    async def write(self, city: City) -> None:
        """One write of all three fields, entered once it is acknowledged."""
        amount = self._random.randint(1, 3)
        tag = self._random.choice(TAGS)
        motto = f"{self._random.choice(MOTTOS)}, says {self._region}"
        operations = (increment("visits", amount), add("tags", tag), assign("motto", motto))
        try:
            await self._client.update(CITIES, city.key, *operations, country=city.country, timeout_seconds=30)
        except OutcomeUnknown:
            self._ledger.unknown += 1
            return
        self._ledger.writes[self._region] += 1
        self._ledger.visits[city.key] += amount
        self._ledger.tags[city.key].add(tag)
        self._ledger.mottos[city.key][self._region] = motto


@dataclass(frozen=True, slots=True)
class ReadFigures:
    """Reads that a region answered, and how long they took."""

    count: int
    p50_seconds: float
    p99_seconds: float


async def read_on(client: Client, cities: Sequence[City], seconds: float) -> ReadFigures:
    """Read cities one after the other for a while; every one must be there."""
    chooser = random.Random(len(cities))
    took: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        city = chooser.choice(cities)
        begun = time.monotonic()
        record = await client.get(CITIES, city.key, country=city.country, timeout_seconds=30)
        took.append(time.monotonic() - begun)
        assert record is not None, f"{city.key} was loaded and is not there"
    took.sort()
    return ReadFigures(len(took), took[len(took) // 2], took[int(len(took) * 0.99)])
