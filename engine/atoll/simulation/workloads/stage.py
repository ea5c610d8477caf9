"""The stage of a workload: clients at their places, when they come, and what they write down.

A workload's script decides who does what to which key; the stage gives arrivals (Poisson), moves and gossip as the
traffic asks for, values that no other operation writes, and an operation list in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from atoll.crdt.schema import Rule
from atoll.ids import GLOBAL_ZONE, RegionName, ZoneName
from atoll.keyspace.topology import Strategy, Topology
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.scenario.scenario import Traffic

WRITE_OF: dict[Rule, Action] = {
    Rule.LWW: Action.SET,
    Rule.ADD_WINS_SET: Action.ADD,
    Rule.COUNTER: Action.INCREMENT,
}
"""The write that a field of each rule has for new values."""

AMOUNT_MAX = 1_000_000
"""Increments are drawn up to this, so that the sum of one subset of them is hardly ever that of another."""

assert WRITE_OF.keys() == set(Rule), "every rule that can be configured has a write"


@dataclass(slots=True)
class Player:
    """One client: its name, and the region where it is now."""

    name: str
    region: RegionName
    written: int = 0


class Stage:
    """Everything that scripts share. Draws only from ``random``; the same draws give the same operations."""

    def __init__(self, name: str, random: Random, traffic: Traffic, topology: Topology, seconds: float) -> None:
        self.random = random
        self.traffic = traffic
        self.seconds = seconds
        self.rule = rule_of(traffic, topology)
        self.regions: Sequence[RegionName] = tuple(traffic.regions) or tuple(topology.regions)
        self.players = [
            Player(f"{region}/c{number}", region)
            for region in self.regions
            for number in range(1, traffic.clients + 1)
        ]
        self.operations: list[PlannedOperation] = []
        self._name = name
        self._zones = zones_of(traffic, topology)
        self._amounts: set[int] = set()

    # -- time -----------------------------------------------------------------------------------------------------

    def arrivals(self, operations_each: float = 1.0) -> Iterator[float]:
        """The moments of a Poisson process at which something begins that has so many operations on average."""
        at_seconds = 0.0
        while True:
            at_seconds += self.random.expovariate(self.traffic.operations_per_second / operations_each)
            if at_seconds >= self.seconds:
                return
            yield at_seconds

    def chance(self, share: float) -> bool:
        """True for ``share`` of the calls."""
        return self.random.random() < share

    # -- clients --------------------------------------------------------------------------------------------------

    def somebody(self, *others_than: Player) -> Player:
        """A client, another than those if there is one."""
        free = [player for player in self.players if player not in others_than]
        return self.random.choice(free or self.players)

    def somebody_elsewhere(self, player: Player) -> Player:
        """A client that is in another region now, if there is one."""
        elsewhere = [other for other in self.players if other.region != player.region]
        return self.random.choice(elsewhere) if elsewhere else self.somebody(player)

    def move(self, player: Player) -> None:
        """Send a client to another region, if there is one."""
        elsewhere = [region for region in self.regions if region != player.region]
        if elsewhere:
            player.region = self.random.choice(elsewhere)

    # -- operations -----------------------------------------------------------------------------------------------

    def key(self) -> int:
        """The number of a key."""
        return self.random.randrange(self.traffic.keys)

    def do(
        self,
        player: Player,
        at_seconds: float,
        action: Action,
        key: int,
        argument: Any = None,
        *,
        kind: str = "",
        hears: Player | None = None,
    ) -> None:
        """Write an operation down, with the moves and the gossip that the traffic asks for. ``kind`` names a second
        family of keys."""
        if self.chance(self.traffic.roaming):
            self.move(player)
        if hears is None and len(self.players) > 1 and self.chance(self.traffic.gossip):
            hears = self.somebody(player)
        self.operations.append(
            PlannedOperation(
                at_seconds=at_seconds,
                client=player.name,
                region=player.region,
                workload=self._name,
                action=action,
                collection=self.traffic.collection,
                key=f"{kind or self._name}-{key}",
                field=None if action is Action.DELETE else self.traffic.field,
                zone=self._zones[key % len(self._zones)],
                argument=argument,
                hears=hears.name if hears else None,
            )
        )

    def read(
        self, player: Player, at_seconds: float, key: int, *, kind: str = "", hears: Player | None = None
    ) -> None:
        """Read a key's field."""
        self.do(player, at_seconds, Action.READ, key, kind=kind, hears=hears)

    def write_new(self, player: Player, at_seconds: float, key: int, *, kind: str = "") -> None:
        """Write something that nobody else writes, in the way of the field's merge rule."""
        argument = self.amount() if self.rule is Rule.COUNTER else self.value(player)
        self.do(player, at_seconds, WRITE_OF[self.rule], key, argument, kind=kind)

    def value(self, player: Player) -> str:
        """A value that is written once: the client's name and how much it has written."""
        player.written += 1
        return f"{player.name}:{player.written}"

    def amount(self, negative: float = 0.3) -> int:
        """An amount that is added once; ``negative`` is the share below zero."""
        while True:
            amount = self.random.randint(1, AMOUNT_MAX)
            if amount not in self._amounts:
                self._amounts.add(amount)
                return -amount if self.chance(negative) else amount

    def in_order(self) -> list[PlannedOperation]:
        """What was written down for the time there is, by time; operations of one moment in the order of writing."""
        in_time = [operation for operation in self.operations if operation.at_seconds < self.seconds]
        return sorted(in_time, key=lambda operation: operation.at_seconds)


def rule_of(traffic: Traffic, topology: Topology) -> Rule:
    """The merge rule of the field; ``lww`` if it is not declared."""
    return topology.collection(traffic.collection).schema.fields.get(traffic.field, Rule.LWW)


def zones_of(traffic: Traffic, topology: Topology) -> Sequence[ZoneName | None]:
    """The zones that operations name: ``None`` where the collection implies its own."""
    collection = topology.collection(traffic.collection)
    if collection.zone is not None or collection.strategy is Strategy.HASH:
        return (None,)
    return tuple(traffic.zones) or (GLOBAL_ZONE,)
