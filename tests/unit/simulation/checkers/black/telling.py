"""Histories told in a few lines, for tests of the checkers that judge them.

Each call is one operation, told in the order of beginnings; it begins a moment after the one before has ended and
takes a tenth of a second. A client's region is the head of its name. All of that can be told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from atoll.crdt.schema import Rule, Schema
from atoll.ids import GLOBAL_ZONE, CollectionName, NodeName, RegionName, ShardName, ZoneName
from atoll.keyspace.topology import Collection, Node, Region, Shard, Strategy, Topology, Zone
from atoll.simulation.checkers.black_box import check_history
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action, Fault, FaultKind, Plan, PlannedOperation
from atoll.simulation.verdict import CheckerResult, Finding

REGIONS = tuple(RegionName(name) for name in ("frankfurt", "tokyo", "virginia"))
ALL_ILL = Fault(at_seconds=0.0, duration_seconds=100.0, kind=FaultKind.LOSE_REGION, targets=REGIONS)
TAGS, TITLE, VISITS = "tags", "title", "visits"


def topology() -> Topology:
    """Three regions; everything everywhere but for zone ``eu``, which Tokyo may not hold."""
    node = Node(name=NodeName("n1"), grpc="127.0.0.1:1", http="127.0.0.1:2")
    regions = {
        name: Region(name=name, nodes=(node,), shards=(Shard(name=ShardName("s1"), dsn=None),)) for name in REGIONS
    }
    schema = Schema({TAGS: Rule.ADD_WINS_SET, TITLE: Rule.LWW, VISITS: Rule.COUNTER})
    collections = [
        Collection(name=CollectionName("cities"), schema=schema, strategy=Strategy.HASH),
        Collection(name=CollectionName("people"), schema=schema, strategy=Strategy.HYBRID),
    ]
    zones = [
        Zone(name=GLOBAL_ZONE, home=REGIONS[0], regions=REGIONS),
        Zone(name=ZoneName("eu"), home=REGIONS[0], regions=(REGIONS[0], REGIONS[2])),
    ]
    return Topology(
        ring="test",
        regions=regions,
        zones={zone.name: zone for zone in zones},
        collections={collection.name: collection for collection in collections},
    )


class Telling:
    """One history and its plan, as it is told.

    Unless ``healthy``, no region's machines are ever well, so that nothing is expected of their availability.
    """

    def __init__(self, *faults: Fault, healthy: bool = False) -> None:
        self.entries: list[Entry] = []
        self.faults = faults if healthy else (*faults, ALL_ILL)
        self.topology = topology()
        self._now = 0.0
        self._generations: dict[str, int] = {}

    # -- operations -----------------------------------------------------------------------------------------------

    def add(self, client: str, element: Any, **how: Any) -> Entry:
        return self._tell(client, Action.ADD, TAGS, argument=element, **how)

    def remove(self, client: str, element: Any, **how: Any) -> Entry:
        return self._tell(client, Action.REMOVE, TAGS, argument=element, **how)

    def tags(self, client: str, *elements: Any, **how: Any) -> Entry:
        return self._tell(client, Action.READ, TAGS, value=elements or None, **how)

    def set(self, client: str, value: Any, **how: Any) -> Entry:
        return self._tell(client, Action.SET, TITLE, argument=value, **how)

    def title(self, client: str, value: Any, **how: Any) -> Entry:
        return self._tell(client, Action.READ, TITLE, value=value, **how)

    def increment(self, client: str, amount: int, **how: Any) -> Entry:
        return self._tell(client, Action.INCREMENT, VISITS, argument=amount, **how)

    def visits(self, client: str, value: Any, **how: Any) -> Entry:
        return self._tell(client, Action.READ, VISITS, value=value, **how)

    def reset(self, client: str, field: str = VISITS, **how: Any) -> Entry:
        return self._tell(client, Action.RESET, field, **how)

    def delete(self, client: str, **how: Any) -> Entry:
        return self._tell(client, Action.DELETE, None, **how)

    def last(self, field: str, *values: Any, key: str = "k", **how: Any) -> Sequence[Entry]:
        """The reads that end a run, one value a region; one value alone is for all."""
        given = values if len(values) == len(REGIONS) else values * len(REGIONS)
        return [
            self._tell(f"{region}/last", Action.READ, field, value=value, key=key, final=True, **how)
            for region, value in zip(REGIONS, given, strict=True)
        ]

    def _tell(
        self,
        client: str,
        action: Action,
        field: str | None,
        *,
        argument: Any = None,
        value: Any = None,
        key: str = "k",
        zone: str | None = None,
        region: str | None = None,
        at: float | None = None,
        until: float | None = None,
        unknown: bool = False,
        error: str = "",
        hears: Entry | None = None,
        timeout: float = 5.0,
        final: bool = False,
    ) -> Entry:
        began = self._now if at is None else at
        ended = began + 0.1 if until is None else until
        status = Status.UNKNOWN if unknown else Status.FAILED if error else Status.OK
        generation = self._generations.get(client, 1)
        planned = PlannedOperation(
            at_seconds=began,
            client=client,
            region=RegionName(region or client.partition("/")[0]),
            workload="told",
            action=action,
            collection=CollectionName("people" if zone else "cities"),
            key=key,
            field=field,
            zone=ZoneName(zone) if zone else None,
            argument=argument,
            hears=hears.planned.client if hears else None,
            timeout_seconds=timeout,
        )
        entry = Entry(
            index=len(self.entries),
            planned=planned,
            session=client if generation == 1 else f"{client}'{generation}",
            began=began,
            ended=ended,
            status=status,
            value=value if status is Status.OK else None,
            exists=value is not None,
            error="outcome_unknown" if unknown and not error else error,
            heard=hears.index if hears else None,
            final=final,
        )
        assert not self.entries or began >= self.entries[-1].began, "tell operations in the order of beginnings"
        self.entries.append(entry)
        self._now = max(self._now, ended + 0.01)
        if unknown:
            self._generations[client] = generation + 1
        return entry

    def changed(self, entry: Entry, **changes: Any) -> Entry:
        """The entry with other contents."""
        return replace(entry, **changes)

    # -- judgement ------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        operations = [entry.planned for entry in self.entries if not entry.final]
        return Plan(seconds=100.0, settle_seconds=10.0, operations=operations, faults=self.faults)

    def judge(self, *, converged: bool = True) -> dict[str, CheckerResult]:
        """What every checker says, by name."""
        results = check_history(self.entries, self.topology, self.plan(), converged=converged)
        assert not [result.note for result in results if "failed" in result.note]
        return {result.checker: result for result in results}

    def findings(self, *, converged: bool = True) -> list[Finding]:
        """All findings."""
        return [finding for result in self.judge(converged=converged).values() for finding in result.findings]

    def anomalies(self, *, converged: bool = True) -> set[str]:
        """``checker: anomaly`` of all findings."""
        return {f"{finding.checker}: {finding.anomaly}" for finding in self.findings(converged=converged)}
