"""Partitions by their shape: who can no longer talk to whom, both ways unless a story says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from random import Random
from typing import Literal

from pydantic import Field

from atoll.configuration.problems import unknown
from atoll.keyspace.topology import Topology
from atoll.simulation.limits import FAULTS_OF_A_STORY_MAX
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.scenario.story import ANY, Problem, Story, both_ways, link, region_names


class Partition(Story):
    """``reset``: connections break at once instead of hanging until somebody's patience ends."""

    reset: bool = False

    def cut(
        self, links: Sequence[str], *, at_seconds: float | None = None, for_seconds: float | None = None
    ) -> Fault:
        """One cut of this story."""
        return self.fault(
            FaultKind.CUT,
            links,
            {"reset": int(self.reset)},
            at_seconds=at_seconds,
            duration_seconds=for_seconds,
        )

    @staticmethod
    def at_least(count: int, topology: Topology) -> Iterator[Problem]:
        """Complain about a ring that is too small for the shape."""
        if len(topology.regions) < count:
            yield "kind", f"needs at least {count} regions, and there are {len(topology.regions)}"


class Halves(Partition):
    """``groups`` that do not see each other; left out, two halves drawn for each seed."""

    groups: tuple[tuple[str, ...], ...] | None = Field(default=None, min_length=2)

    @property
    def draws(self) -> bool:
        return self.groups is None

    @property
    def places(self) -> Sequence[str]:
        return [name for group in self.groups or () for name in group]

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(2, topology)
        members = list(self.places)
        yield from regions_exist("groups", members, topology)
        for name in sorted({name for name in members if members.count(name) > 1}):
            yield "groups", f"region {name!r} stands in two groups: keep one"

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        groups = self.groups or drawn_halves(random, region_names(topology))
        return [self.cut(between_groups(groups))]


class Isolate(Partition):
    """``region`` sees no other, and no other sees it."""

    region: str

    @property
    def places(self) -> Sequence[str]:
        return [self.region]

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(2, topology)
        yield from regions_exist("region", [self.region], topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        return [self.cut(around(drawn(random, self.region, topology), topology))]


class Bridge(Partition):
    """Two halves that only meet in one ``region``, which sees both."""

    region: str = ANY

    @property
    def draws(self) -> bool:
        return True

    @property
    def places(self) -> Sequence[str]:
        return [self.region]

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(3, topology)
        yield from regions_exist("region", [self.region], topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        middle = drawn(random, self.region, topology)
        others = [name for name in region_names(topology) if name != middle]
        return [self.cut(between_groups(drawn_halves(random, others)))]


class _Order(Partition):
    order: tuple[str, ...] | None = None
    """Around the ring; left out, drawn for each seed."""

    @property
    def draws(self) -> bool:
        return self.order is None

    @property
    def places(self) -> Sequence[str]:
        return self.order or ()

    def problems(self, topology: Topology) -> Iterator[Problem]:
        if self.order is None:
            return
        yield from regions_exist("order", self.order, topology)
        if sorted(self.order) != sorted(topology.regions):
            yield "order", f"name every region once: {', '.join(topology.regions)}"

    def around(self, random: Random, topology: Topology) -> Sequence[str]:
        """All regions in their order."""
        names = region_names(topology)
        return self.order or random.sample(names, len(names))


class Ring(_Order):
    """Each region sees only its two neighbours."""

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(4, topology)
        yield from super().problems(topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        order = self.around(random, topology)
        far = [
            pair
            for first, second in combinations(range(len(order)), 2)
            if second - first not in (1, len(order) - 1)
            for pair in both_ways(order[first], order[second])
        ]
        return [self.cut(far)]


class MajoritiesRing(_Order):
    """Each region hears a majority, and no two hear the same one (the shape that Jepsen is known for)."""

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(3, topology)
        yield from super().problems(topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        order = self.around(random, topology)
        heard = len(order) // 2
        deaf = [
            link(order[(place + step) % len(order)], region)
            for place, region in enumerate(order)
            for step in range(heard + 1, len(order))
        ]
        return [self.cut(deaf)]


class OneWay(Partition):
    """What goes ``from`` one region ``to`` another is lost, and answers arrive; or a ``region`` is ``deaf`` (hears
    nobody) or ``mute`` (is heard by nobody)."""

    source: str | None = Field(default=None, alias="from")
    target: str | None = Field(default=None, alias="to")
    region: str | None = None
    way: Literal["deaf", "mute"] | None = None

    @property
    def places(self) -> Sequence[str]:
        return [name for name in (self.source, self.target, self.region) if name is not None]

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(2, topology)
        pair, alone = (self.source, self.target), (self.region, self.way)
        complete = (None not in pair and alone == (None, None)) or (None not in alone and pair == (None, None))
        if not complete:
            yield "kind", "'one_way' needs either from and to, or region and way ('deaf' or 'mute')"
        named = [("from", self.source), ("to", self.target), ("region", self.region)]
        for key, name in named:
            yield from regions_exist(key, [name] if name else [], topology)
        if self.source is not None and self.source == self.target != ANY:
            yield "to", f"{self.target!r} is where it comes from: name another region"

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        if self.region is not None:
            alone = drawn(random, self.region, topology)
            others = [name for name in region_names(topology) if name != alone]
            return [self.cut([link(other, alone) if self.way == "deaf" else link(alone, other) for other in others])]
        target = None if self.target == ANY else self.target
        source = drawn(random, self.source or ANY, topology, but=target)
        return [self.cut([link(source, target or drawn(random, ANY, topology, but=source))])]


class Link(Partition):
    """The two regions ``between`` which nothing goes."""

    between: tuple[str, str]

    @property
    def places(self) -> Sequence[str]:
        return self.between

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from pair_exists(self.between, topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        return [self.cut(both_ways(*drawn_pair(random, self.between, topology)))]


class Flapping(Partition):
    """A link (``between``) or a whole ``region`` that goes away and comes back every ``period_seconds``, away for
    ``down_share`` of each."""

    region: str | None = None
    between: tuple[str, str] | None = None
    period_seconds: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    down_share: float = Field(default=0.5, gt=0, lt=1)

    @property
    def places(self) -> Sequence[str]:
        return self.between or (() if self.region is None else (self.region,))

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(2, topology)
        if (self.region is None) == (self.between is None):
            yield "kind", "'flapping' needs either region or between = [REGION, REGION]"
        if self.region is not None:
            yield from regions_exist("region", [self.region], topology)
        if self.between is not None:
            yield from pair_exists(self.between, topology)
        yield from few_enough(self.for_seconds, self.period_seconds)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        if self.between is not None:
            links = both_ways(*drawn_pair(random, self.between, topology))
        else:
            links = around(drawn(random, self.region or ANY, topology), topology)
        return [
            self.cut(links, at_seconds=start, for_seconds=min(self.period_seconds * self.down_share, left))
            for start, left in periods(self.at_seconds, self.for_seconds, self.period_seconds)
        ]


class Swizzle(Partition):
    """Half of the regions go away one after the other, each at its own time in the first half of the story, and come
    back in another order in the second half (FoundationDB's swizzle-clog)."""

    @property
    def draws(self) -> bool:
        return True

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from self.at_least(2, topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        names = region_names(topology)
        half = self.for_seconds / 2
        faults = []
        for region in random.sample(names, (len(names) + 1) // 2):
            start = random.uniform(0, half)
            end = random.uniform(half, self.for_seconds)
            faults.append(
                self.cut(around(region, topology), at_seconds=self.at_seconds + start, for_seconds=end - start)
            )
        return sorted(faults, key=lambda fault: fault.at_seconds)


# -- what the shapes share ----------------------------------------------------------------------------------------


def regions_exist(key: str, names: Sequence[str], topology: Topology) -> Iterator[Problem]:
    """Complain about regions that the ring does not have."""
    for name in names:
        if name != ANY and name not in topology.regions:
            yield key, unknown("region", name, [*topology.regions, ANY])


def pair_exists(pair: tuple[str, str], topology: Topology) -> Iterator[Problem]:
    """Complain about two regions that have no link."""
    yield from Partition.at_least(2, topology)
    yield from regions_exist("between", pair, topology)
    if pair[0] == pair[1] != ANY:
        yield "between", f"region {pair[0]!r} twice: name two regions"


def few_enough(for_seconds: float, period_seconds: float) -> Iterator[Problem]:
    """Complain about a story of more faults than a plan should hold."""
    count = for_seconds / period_seconds
    if count > FAULTS_OF_A_STORY_MAX:
        yield (
            "period_seconds",
            f"{period_seconds:g} s is {count:,.0f} times in {for_seconds:g} s, and at most {FAULTS_OF_A_STORY_MAX:,} "
            "are allowed: make it longer",
        )


def drawn(random: Random, name: str, topology: Topology, *, but: str | None = None) -> str:
    """The region itself, or one of all (``but`` one)."""
    return random.choice([other for other in region_names(topology) if other != but]) if name == ANY else name


def drawn_pair(random: Random, pair: tuple[str, str], topology: Topology) -> tuple[str, str]:
    """Two different regions."""
    first, second = pair
    if first == ANY:
        first = drawn(random, ANY, topology, but=None if second == ANY else second)
    return first, drawn(random, second, topology, but=first)


def drawn_halves(random: Random, names: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Two halves; of an odd number one has one more."""
    mixed = random.sample(list(names), len(names))
    return mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]


def between_groups(groups: Sequence[Sequence[str]]) -> list[str]:
    """All links between members of different groups."""
    return [
        way
        for one, other in combinations(groups, 2)
        for first, second in product(one, other)
        for way in both_ways(first, second)
    ]


def around(region: str, topology: Topology) -> list[str]:
    """All links of a region."""
    return [way for other in region_names(topology) if other != region for way in both_ways(region, other)]


def periods(at_seconds: float, for_seconds: float, period_seconds: float) -> Iterator[tuple[float, float]]:
    """The beginning of each period, and what is left of the story then."""
    count = 0
    while (begun := count * period_seconds) < for_seconds:
        yield at_seconds + begun, for_seconds - begun
        count += 1
