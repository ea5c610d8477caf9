"""A small causal store that is right by construction, and the histories of clients that use it.

Every region holds a set of writes. A write remembers which writes its region held then; it reaches another region
only after these. Reads evaluate the specification of the field's merge rule over the writes that the region holds.
Clients present what their session knows and are refused where the region does not hold it. An operation takes effect
at some moment between its beginning and its end. Links are cut at random; some answers are lost, before or after the
write took effect, or long before it does. At the end everything reaches everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from random import Random
from typing import Any

from tests.unit.simulation.checkers.black.telling import REGIONS, TAGS, TITLE, VISITS, topology

from atoll.ids import CollectionName, RegionName
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action, Fault, FaultKind, Plan, PlannedOperation

FIELDS = {"t": TAGS, "u": TAGS, "r": TITLE, "d": TITLE, "n": VISITS, "p": VISITS, "z": VISITS}
"""Keys and the field that is used on each: ``t``, ``r``, ``n`` and ``p`` only get new values (``p`` positive ones),
``u``, ``d`` and ``z`` lose them, too."""

USED = "tttuuuurdnpz"
"""Keys as often as they are used."""

CLIENTS = tuple(f"{region}/c{number}" for region in REGIONS for number in (1, 2))


@dataclass(frozen=True, slots=True)
class Write:
    """One write: what it does, and what its region held."""

    number: int
    stamp: tuple[int, str]
    action: Action
    key: str
    argument: Any
    saw: frozenset[int]


@dataclass(slots=True)
class Client:
    """A client and its session."""

    name: str
    region: RegionName
    knows: frozenset[int] = frozenset()
    generation: int = 1
    last: int | None = None
    busy: bool = False


class Store:
    """The regions, the clients, and the history."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.writes: dict[int, Write] = {}
        self.held: dict[RegionName, set[int]] = {region: set() for region in REGIONS}
        self.depends: dict[int, frozenset[int]] = {}
        self.skew = {region: random.choice((-30, 0, 0, 500)) for region in REGIONS}
        self.clients = {name: Client(name, RegionName(name.partition("/")[0])) for name in CLIENTS}
        self.entries: list[Entry] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        """What happens at which moment; the number keeps moments apart."""

    # -- time -----------------------------------------------------------------------------------------------------

    def at(self, moment: float, what: Callable[[], None]) -> None:
        """Do something later."""
        heappush(self._due, (moment, self.random.getrandbits(32), what))

    def advance(self, moment: float) -> None:
        """Let everything happen that is due."""
        while self._due and self._due[0][0] <= moment:
            heappop(self._due)[2]()

    # -- the store ------------------------------------------------------------------------------------------------

    def write(self, region: RegionName, planned: PlannedOperation) -> int:
        """A write takes effect in a region."""
        held = self.held[region]
        clock = max((self.writes[number].stamp[0] for number in held), default=0)
        number = len(self.writes) + 1
        stamp = (max(clock + 1, number + self.skew[region]), region)
        saw = frozenset(n for n in held if self.writes[n].key == planned.key)
        self.writes[number] = Write(number, stamp, planned.action, planned.key, planned.argument, saw)
        self.depends[number] = frozenset(held)
        held.add(number)
        return number

    def replicate(self, source: RegionName, target: RegionName, share: float = 1.0) -> None:
        """Some writes of ``source`` reach ``target``, causes first."""
        for number in sorted(self.held[source] - self.held[target]):
            if self.depends[number] <= self.held[target] and self.random.random() < share:
                self.held[target].add(number)

    def value(self, region: RegionName, key: str) -> tuple[Any, bool]:
        """What the specification says, and whether there is a record."""
        seen = [self.writes[number] for number in sorted(self.held[region]) if self.writes[number].key == key]
        gone = self._gone(seen)
        alive = [write for write in seen if write.number not in gone and write.action in _BRINGS]
        exists = bool(alive) or any(write.action is not Action.DELETE and write.number not in gone for write in seen)
        if not alive:
            return None, exists
        match FIELDS[key]:
            case "tags":
                return tuple(sorted({write.argument for write in alive})), True
            case "title":
                return max(alive, key=lambda write: write.stamp).argument, True
            case _:
                return sum(write.argument for write in alive), True

    @staticmethod
    def _gone(seen: Sequence[Write]) -> set[int]:
        """The writes that another visible one has seen and undone."""
        gone: set[int] = set()
        for write in seen:
            match write.action:
                case Action.SET | Action.RESET | Action.DELETE:
                    gone |= write.saw
                case Action.REMOVE:
                    gone |= {other.number for other in seen if other.argument == write.argument} & write.saw
        return gone

    # -- its users ------------------------------------------------------------------------------------------------

    def use(self, began: float) -> None:
        """A client that is free does one thing that begins now."""
        free = [client for client in self.clients.values() if not client.busy]
        if not free:
            return
        client = self.random.choice(free)
        hears = self.random.choice([None] * 9 + [name for name in CLIENTS if name != client.name])
        if self.random.random() < 0.2:
            client.region = self.random.choice(REGIONS)
        planned = self._planned(client, began, hears)
        heard = self._hear(client, hears)
        client.busy = True
        effect, ended = sorted(began + self.random.uniform(0.0, 0.1) for _ in range(2))
        index = len(self.entries)
        self.entries.append(_entry(index, client, planned, (began, ended), heard))
        self.at(effect, lambda: self._do(client, index))
        self.at(ended, lambda: self._end(client, index))

    def _planned(self, client: Client, began: float, hears: str | None) -> PlannedOperation:
        key = self.random.choice(USED)
        action, argument = self._action(client, key)
        name = None if action is Action.DELETE else FIELDS[key]
        planned = _call(client.name, client.region, began, action, key, name, argument)
        return replace(planned, hears=hears)

    def _action(self, client: Client, key: str) -> tuple[Action, Any]:
        chance, unique = self.random.random(), len(self.entries)
        if chance < 0.4:
            return Action.READ, None
        loses = key in "udz" and chance > 0.7
        match FIELDS[key]:
            case "tags" if key == "t":
                return Action.ADD, f"e{unique}"
            case "tags":
                shared, own = f"e{self.random.randrange(4) + unique // 30}", f"{client.name}:{unique // 100}"
                element = self.random.choice((shared, own))
                return (self.random.choice(TAKES), element) if loses else (Action.ADD, element)
            case "title":
                return (Action.DELETE, None) if loses else (Action.SET, f"v{unique}")
            case _:
                amount = self.random.randint(1, 1_000_000) * (1 if key == "p" else self.random.choice((1, -1)))
                return (Action.RESET, None) if loses else (Action.INCREMENT, amount)

    def _hear(self, client: Client, hears: str | None) -> int | None:
        teller = self.clients.get(hears or "")
        if teller is None or teller.busy:
            return None
        client.knows |= teller.knows
        return teller.last

    def _do(self, client: Client, index: int) -> None:
        """The operation takes effect, if it does."""
        planned = self.entries[index].planned
        status, value, exists, error = self._outcome(client, planned)
        self.entries[index] = replace(self.entries[index], status=status, value=value, exists=exists, error=error)

    def _outcome(self, client: Client, planned: PlannedOperation) -> tuple[Status, Any, bool, str]:
        held = self.held[planned.region]
        if not client.knows <= held:
            return Status.FAILED, None, False, "session_not_covered"
        if planned.action is Action.READ:
            client.knows |= held
            return Status.OK, *self.value(planned.region, planned.key), ""
        fate = self.random.random()
        if fate < 0.04:
            return Status.FAILED, None, False, "unavailable"
        if fate < 0.10:
            if fate < 0.06:
                self.write(planned.region, planned)
            elif fate < 0.08:
                late = planned.at_seconds + self.random.uniform(0.2, 5.0)
                self.at(late, lambda: self._write_late(planned))
            return Status.UNKNOWN, None, False, "outcome_unknown"
        client.knows |= {self.write(planned.region, planned)} | held
        return Status.OK, None, False, ""

    def _write_late(self, planned: PlannedOperation) -> None:
        self.write(planned.region, planned)

    def _end(self, client: Client, index: int) -> None:
        client.busy = False
        status = self.entries[index].status
        if status is not Status.FAILED:
            client.last = index
        if status is Status.UNKNOWN:
            client.generation += 1
            client.knows, client.last = frozenset(), None

    def finish(self, at: float) -> None:
        """Everything reaches everybody, and everybody reads everything."""
        self.advance(at)
        for source in (*REGIONS, *REGIONS):
            for target in REGIONS:
                self.replicate(source, target)
        for region in REGIONS:
            for key, name in FIELDS.items():
                planned = _call(f"{region}/last", region, at, Action.READ, key, name)
                entry = _entry(len(self.entries), Client(f"{region}/last", region), planned, (at, at + 0.01), None)
                value, exists = self.value(region, key)
                self.entries.append(replace(entry, value=value, exists=exists, final=True))
                at += 0.02


TAKES = (Action.REMOVE, Action.REMOVE, Action.REMOVE, Action.DELETE)

_BRINGS = frozenset({Action.SET, Action.ADD, Action.INCREMENT})


def _call(
    client: str, region: RegionName, at: float, action: Action, key: str, name: str | None, argument: Any = None
) -> PlannedOperation:
    return PlannedOperation(
        at_seconds=at,
        client=client,
        region=region,
        workload="reference",
        action=action,
        collection=CollectionName("cities"),
        key=key,
        field=name,
        argument=argument,
    )


def _entry(
    index: int, client: Client, planned: PlannedOperation, times: tuple[float, float], heard: int | None
) -> Entry:
    return Entry(
        index=index,
        planned=planned,
        session=client.name if client.generation == 1 else f"{client.name}'{client.generation}",
        began=times[0],
        ended=times[1],
        status=Status.OK,
        heard=heard,
    )


def play(seed: str, operations: int = 200) -> tuple[list[Entry], Plan]:
    """One history of a right store, and a plan to go with it. All regions count as ill, since refusals are random."""
    random = Random(seed)
    store = Store(random)
    now = 0.0
    links = [(source, target) for source in REGIONS for target in REGIONS if source != target]
    cut: set[tuple[RegionName, RegionName]] = set()
    while len(store.entries) < operations:
        now += random.uniform(0.0, 0.03)
        store.advance(now)
        if random.random() < 0.03:
            cut = {link for link in links if random.random() < 0.5}
        for source, target in links:
            if (source, target) not in cut and random.random() < 0.15:
                store.replicate(source, target, share=0.7)
        store.use(now)
    store.finish(now + 10.0)
    planned = [entry.planned for entry in store.entries if not entry.final]
    ill = Fault(at_seconds=0.0, duration_seconds=1000.0, kind=FaultKind.LOSE_REGION, targets=REGIONS)
    return store.entries, Plan(seconds=1000.0, settle_seconds=10.0, operations=planned, faults=(ill,))


TOPOLOGY = topology()
