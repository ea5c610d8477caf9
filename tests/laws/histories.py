"""Reachable states: a few replicas that write, exchange states, and receive deltas lost, repeated and reordered."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from tests.laws.specification import Clocked

from atoll.causality.dot import Dot
from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Put, Remove, Set, Update, Write
from atoll.crdt.record import Record
from atoll.crdt.schema import Rule, Schema
from atoll.ids import Actor
from atoll.instant import Timestamp

EXAMPLES = int(os.environ.get("ATOLL_LAWS_EXAMPLES", "100"))
"""Examples per law. The default run is the same every time; a greater number also draws fresh examples."""

LAW = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES <= 100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

ACTORS = [Actor(f"{region}/s1/1") for region in ("asia", "eu", "us", "za")]

VALUES: list[Any] = [
    None,
    True,
    0,
    -7,
    2**63 - 1,
    1.5,
    "",
    "Zürich",
    b"\x00\xff",
    [1, ["two"]],
    {"a": 1, "ß": [None]},
]
VALUES += [Decimal("1.50"), date(2024, 2, 29), datetime(2024, 2, 29, 12, tzinfo=UTC), UUID(int=7)]
AMOUNTS: list[int | Decimal] = [0, 1, -1, 5, Decimal("0.10"), Decimal("-2.5"), Decimal("1" * 20 + "." + "3" * 15)]
ELEMENTS = ["x", "y", "ß", 1, b"x"]

FIELDS: dict[Rule, tuple[str, str]] = {
    Rule.LWW: ("title", "undeclared"),
    Rule.COUNTER: ("count_a", "count_b"),
    Rule.ADD_WINS_SET: ("tags", "labels"),
}
assert FIELDS.keys() == set(Rule), "every rule is put to the laws"

SCHEMA = Schema({name: rule for rule, names in FIELDS.items() for name in names if name != "undeclared"})

SCOPES: dict[str, tuple[Rule, ...]] = {**{rule.value: (rule,) for rule in Rule}, "record": tuple(Rule)}
"""What the laws are parametrised over: each rule by itself, then all of them in one record."""


# -- random writes, from either source of chance ------------------------------------------------------------------


def random_operation(chance: Random, rule: Rule) -> FieldOperation:
    name = chance.choice(FIELDS[rule])
    if chance.random() < 0.15:
        return Clear(name)
    match rule:
        case Rule.LWW:
            return Set(name, chance.choice(VALUES))
        case Rule.COUNTER:
            return Increment(name, chance.choice(AMOUNTS))
        case Rule.ADD_WINS_SET:
            kind = chance.choice((Add, Add, Remove))
            return kind(name, tuple(chance.sample(ELEMENTS, chance.randint(0, 3))))


def random_value(chance: Random, rule: Rule) -> Any:
    match rule:
        case Rule.LWW:
            return chance.choice(VALUES)
        case Rule.COUNTER:
            return chance.choice(AMOUNTS)
        case Rule.ADD_WINS_SET:
            return frozenset(chance.sample(ELEMENTS, chance.randint(0, 3)))


def random_write(chance: Random, rules: tuple[Rule, ...]) -> Write:
    roll = chance.random()
    if roll < 0.1:
        return Delete()
    if roll < 0.25:
        names = [(rule, name) for rule in rules for name in FIELDS[rule] if chance.random() < 0.5]
        return Put({name: random_value(chance, rule) for rule, name in names})
    count = chance.choice((0, 1, 1, 1, 2, 3))
    return Update(tuple(random_operation(chance, chance.choice(rules)) for _ in range(count)))


# -- the world ----------------------------------------------------------------------------------------------------


@dataclass
class Replica:
    actor: Actor
    state: Record = field(default_factory=Record.empty)
    seen: frozenset[Dot] = frozenset()
    counter: int = 0


@dataclass
class World:
    """``causal``: a replica writes only when it has seen all that the writes it saw had seen (promise I4)."""

    chance: Random
    rules: tuple[Rule, ...]
    causal: bool
    replicas: list[Replica] = field(default_factory=list)
    writes: dict[Dot, Clocked] = field(default_factory=dict)
    deltas: dict[Dot, Record] = field(default_factory=dict)
    states: list[Record] = field(default_factory=lambda: [Record.empty()])
    """Every state and delta that ever was, the empty one first."""

    def step(self) -> None:
        roll = self.chance.random()
        replica = self.chance.choice(self.replicas)
        if roll < 0.45 and (self.is_closed(replica.seen) or not self.causal):
            self.write(replica)
        elif roll < 0.75 and self.deltas:
            self.deliver(replica, self.chance.choice(list(self.deltas)))
        else:
            self.exchange(self.chance.choice(self.replicas), replica)

    def write(self, replica: Replica) -> None:
        """One write; the shard's counter skips what other records took."""
        replica.counter += self.chance.choice((1, 1, 2, 5))
        dot = Dot(replica.actor, replica.counter)
        stamp = Timestamp(self.chance.randint(0, 5))
        write = random_write(self.chance, self.rules)
        delta = replica.state.apply(write, dot, stamp, SCHEMA)
        after = replica.state.join(delta)
        assert replica.state.apply_and_join(write, dot, stamp, SCHEMA) == after, "the short cut is the join"
        self.writes[dot] = Clocked(dot, stamp, write, replica.seen)
        self.deltas[dot] = delta
        replica.state, replica.seen = after, replica.seen | {dot}
        self.remember(delta, after)

    def deliver(self, replica: Replica, dot: Dot) -> None:
        """A delta arrives, maybe before others, maybe again, maybe never."""
        replica.state, replica.seen = replica.state.join(self.deltas[dot]), replica.seen | {dot}
        self.remember(replica.state)

    def exchange(self, source: Replica, target: Replica) -> None:
        target.state, target.seen = target.state.join(source.state), target.seen | source.seen
        self.remember(target.state)

    def remember(self, *states: Record) -> None:
        for state in states:
            state.check_invariants()
            self.states.append(state)

    def is_closed(self, seen: frozenset[Dot]) -> bool:
        return all(self.writes[dot].seen <= seen for dot in seen)

    def joined(self, dots: list[Dot]) -> Record:
        """The join of the deltas of these writes, in this order."""
        state = Record.empty()
        for dot in dots:
            state = state.merge(self.deltas[dot])
        return state


def play(chance: Random, rules: tuple[Rule, ...], *, steps: int, causal: bool) -> World:
    world = World(chance, rules, causal)
    world.replicas = [Replica(actor) for actor in ACTORS[: chance.randint(3, len(ACTORS))]]
    for _ in range(steps):
        world.step()
    return world


def worlds(rules: tuple[Rule, ...], *, causal: bool = False) -> st.SearchStrategy[World]:
    """Worlds of up to 25 steps; failing ones shrink to few steps."""
    chance = st.randoms(use_true_random=False)
    steps = st.integers(1, 25)
    return st.builds(lambda source, count: play(source, rules, steps=count, causal=causal), chance, steps)
