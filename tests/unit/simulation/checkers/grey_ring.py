"""A ring of real shards in memory under production merge code, stepped by hand, that tells a grey box all it does.

Regions join batches in one causal order, each shard at its own pace. Tests break what happens in between: they change
a shard behind the box's back, or hand observations to :attr:`Ring.tamper` before the box sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.simulation.checkers.grey_words import CITY, PERSON, SCHEMA, asked, parts, topology
from xxhash import xxh3_64

from atoll.causality.cut import Cut
from atoll.causality.dot import Dot
from atoll.causality.hybrid_clock import HybridClock
from atoll.crdt.codec import decode_record, encode_record
from atoll.crdt.operations import Write
from atoll.crdt.record import Record
from atoll.ids import Origin, RecordId, RegionName, ZoneName, actor_of
from atoll.instant import ZERO, Timestamp
from atoll.keyspace.placement import place
from atoll.keyspace.position import zone_range
from atoll.ports import Outcome, Ownership, RowWrite, StoredRecord
from atoll.replication.messages import BatchPart
from atoll.replication.rows import decode_rows
from atoll.rpc.codec.replication import encode_stream_message
from atoll.simulation.checkers.grey_box import GreyBox
from atoll.simulation.history import Entry, Status
from atoll.simulation.observations import Applied, Captured, Carried, Collected, Committed, Minted, Observation
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.verdict import CheckerResult, Finding, Verdict

Tamper = Callable[[Observation], Sequence[Observation]]


@dataclass
class Session:
    cut: Cut = Cut.EMPTY
    timestamp: Timestamp = ZERO
    last: int | None = None


@dataclass
class Ring:
    """``offsets`` sets the clocks of regions, in milliseconds."""

    count: int = 1
    offsets: Mapping[RegionName, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = 0.0
        self.topology = topology(self.count)
        self.box = GreyBox(self.topology, lambda: self.now)
        self.history: list[Entry] = []
        self.sessions: dict[str, Session] = {}
        self.tamper: Tamper = lambda observation: [observation]
        self.shards: dict[Origin, MemoryShard] = {}
        self.orders: dict[RegionName, list[tuple[Origin, int]]] = {}
        self.joined: dict[Origin, int] = {}
        self.blocks: dict[Origin, tuple[int, int]] = {}
        self.clocks = {name: self._clock(name) for name in self.topology.regions}
        for region in self.topology.regions.values():
            self.orders[region.name] = []
            for number, shard in enumerate(region.shards):
                self._open(Origin(region.name, shard.name), number)

    def _clock(self, region: RegionName) -> HybridClock:
        return HybridClock(lambda: int(self.now * 1000) + 10_000 + self.offsets.get(region, 0))

    def _open(self, origin: Origin, number: int) -> None:
        shard = self.shards[origin] = MemoryShard(origin)
        self.joined[origin] = 0
        for zone in self.topology.hosted_zones(origin.region):
            for part in parts(zone_range(zone.name), self.count)[number :: self.count]:
                shard.claim(Ownership(range=part, epoch=1))

    # -- what happens ---------------------------------------------------------------------------------------------

    def id(self, key: str, zone: ZoneName | None = None) -> RecordId:
        collection = PERSON if zone else CITY
        return RecordId(place(self.topology.collection(collection), zone, key), collection, key)

    def owner(self, region: RegionName, id: RecordId) -> Origin:
        return next(o for o, shard in self.shards.items() if o.region == region and shard.owns(id.position))

    def observe(self, observation: Observation) -> None:
        for each in self.tamper(observation):
            self.box.observe(each)

    def tick(self, seconds: float = 0.01) -> None:
        self.now = round(self.now + seconds, 6)

    def write(
        self, region: RegionName, key: str, *writes: Write, client: str = "", zone: ZoneName | None = None
    ) -> RowWrite:
        """One transaction with these operations on one record, each with its dot, acknowledged to ``client``."""
        session = self.sessions.setdefault(client or f"{region}/{len(self.sessions)}", Session())
        id = self.id(key, zone)
        shard = self.shards[self.owner(region, id)]
        dependencies = self._settled(session.cut, shard)
        began = self.now
        self.tick(0.001)
        row = self._row(shard, id, writes, session)
        transaction = shard.begin()
        owned = list(shard.ownership.values())
        assert shard.write(transaction, [row], dependencies) == [Outcome.DONE]
        shard.end(transaction)
        self.observe(
            Committed(
                at=self.now,
                shard=shard.origin,
                transaction=transaction,
                rows=[row],
                dependencies=dependencies,
                owned=owned,
            )
        )
        number = shard.progress().seen().at(shard.origin)
        session.cut = session.cut.advanced(shard.origin, number)
        session.timestamp = max(session.timestamp, row.timestamp)
        self.tick(0.001)
        for write in writes:
            self._acknowledge(region, id, write, client or f"{region}/{len(self.sessions) - 1}", session, began, zone)
        return row

    def read(self, region: RegionName, key: str, client: str) -> dict[str, Any] | None:
        """A read by a session, answered at once; the region must have joined what the session has seen."""
        session = self.sessions.setdefault(client, Session())
        id = self.id(key)
        shard = self.shards[self.owner(region, id)]
        held = shard.records.get(id)
        value = decode_record(held.context, held.state).value() if held else None
        session.cut = session.cut.join(shard.progress().seen())
        entry = self._entry(region, id, Action.READ, None, None, client, session, self.now)
        self.history.append(replace(entry, value=value, exists=value is not None))
        self.tick(0.001)
        return value

    def covers(self, region: RegionName, key: str, client: str) -> bool:
        """Whether a read by the session may be answered."""
        shard = self.shards[self.owner(region, self.id(key))]
        return shard.completed.covers(self.sessions.setdefault(client, Session()).cut.without_region(region))

    def _settled(self, cut: Cut, shard: MemoryShard) -> Cut:
        """What a write depends on; it exists as batches first, as the barrier has it."""
        needed: dict[Origin, int] = {}
        for other, number in sorted(cut.items()):
            if other == shard.origin or shard.begun.at(other) >= number:
                continue
            while self.shards[other].captured < number and self.capture(other):
                pass
            needed[other] = min(number, self.shards[other].captured)
        return Cut(needed)

    def _row(self, shard: MemoryShard, id: RecordId, writes: Sequence[Write], session: Session) -> RowWrite:
        held = shard.records.get(id)
        before = record = decode_record(held.context, held.state) if held else Record.empty()
        clock = self.clocks[shard.origin.region]
        clock.observe(record.latest())
        clock.observe(session.timestamp)
        actor = actor_of(shard.origin, 1)
        stamp = ZERO
        for write in writes:
            stamp = clock.tick()
            record = record.apply_and_join(write, Dot(actor, self._counter(shard)), stamp, SCHEMA)
        context, state = encode_record(record)
        return RowWrite(
            id=id,
            previous_context=encode_record(before)[0],
            context=context,
            state=state,
            document=record.document(),
            counter=record.context.highest(actor),
            timestamp=stamp,
        )

    def _counter(self, shard: MemoryShard) -> int:
        used, last = self.blocks.get(shard.origin, (0, 0))
        if used == last:
            shard.leased += 16
            used, last = shard.leased - 16, shard.leased
            self.observe(Minted(at=self.now, shard=shard.origin, incarnation=1, first=used + 1, last=last))
        self.blocks[shard.origin] = (used + 1, last)
        return used + 1

    def capture(self, origin: Origin) -> bool:
        shard = self.shards[origin]
        draft = shard.draft_batch()
        if draft is None:
            return False
        shard.add_batch(draft)
        self.observe(
            Captured(
                at=self.now,
                batch=draft.batch,
                transactions=shard.transactions_of(draft),
                records=sorted({change.row.id for change in shard.changes_of(draft)}),
            )
        )
        return True

    def carry(self, source: Origin, region: RegionName) -> bool:
        """Bring the next batch of ``source`` into the order of ``region``; whether it could go."""
        order = self.orders[region]
        number = sum(origin == source for origin, _ in order) + 1
        found = self.shards[source].batches.get(number)
        if found is None or not self._is_ready(source, number, region):
            return False
        self.observe(self.message(source, number, region))
        order.append((source, number))
        return True

    def message(self, source: Origin, number: int, region: RegionName) -> Carried:
        """The batch as it crosses, in one part."""
        batch = self.shards[source].batches[number].batch
        payload = self.payload(source, number, region)
        part = BatchPart(
            origin=source,
            incarnation=1,
            number=number,
            dependencies=batch.dependencies,
            timestamp=batch.timestamp,
            payload=payload,
            final=True,
            records=len(list(decode_rows(payload))),
            digest=xxh3_64(payload).intdigest(),
        )
        sent = encode_stream_message(part).SerializeToString()
        return Carried(at=self.now, source=f"{source.region}/n1", target=f"{region}/n1", method="Pull", payload=sent)

    def payload(self, source: Origin, number: int, region: RegionName) -> bytes:
        allowed = [zone_range(zone.name) for zone in self.topology.hosted_zones(region)]
        return self.shards[source].batch_rows(number, allowed)

    def _is_ready(self, source: Origin, number: int, region: RegionName) -> bool:
        gone = dict(self.orders[region])
        needed = self.shards[source].batches[number].batch.dependencies
        return all(
            gone.get(origin, 0) >= least
            for origin, least in needed.items()
            if origin.region != region and origin != source
        )

    def join(self, target: Origin, batches: int = 1) -> bool:
        """Join the next batches of the order into one shard, in one transaction."""
        taken = self.orders[target.region][self.joined[target] : self.joined[target] + batches]
        if not taken:
            return False
        shard = self.shards[target]
        rows = [
            row
            for source, number in taken
            for row in decode_rows(self.payload(source, number, target.region))
            if shard.owns(row.id.position)
        ]
        numbers = Cut(dict(taken))
        plan = shard.plan_join(rows)
        before = shard.completed
        shard.commit_join(numbers, numbers, plan.held)
        self.joined[target] += len(taken)
        self.observe(
            Applied(
                at=self.now,
                shard=target,
                begins=numbers,
                completes=numbers,
                rows=rows,
                before=before,
                after=shard.completed,
                held={id: StoredRecord(held.context, held.state) for id, held in plan.held.items()},
            )
        )
        return True

    def collect(self, origin: Origin) -> None:
        """Delete what all others have completed."""
        shard = self.shards[origin]
        peers = self.topology.peers(origin.region)
        for peer in peers:
            done = [other.completed.at(origin) for o, other in self.shards.items() if o.region == peer]
            shard.acknowledge(peer, min(done))
        base = shard.collectable(peers)
        shard.collect(peers)
        self.observe(Collected(at=self.now, shard=origin, number=base))

    def sample(self) -> None:
        self.box.sample(self.shards)

    def settle(self) -> None:
        """Capture, carry and join until nothing is left."""
        is_moving = True
        while is_moving:
            self.tick()
            is_moving = False
            for origin in self.shards:
                is_moving |= self.capture(origin)
            for source in self.shards:
                for region in self.topology.peers(source.region):
                    while self.carry(source, region):
                        is_moving = True
            for origin in self.shards:
                while self.join(origin, 3):
                    is_moving = True

    # -- what the clients saw -------------------------------------------------------------------------------------

    def _acknowledge(
        self,
        region: RegionName,
        id: RecordId,
        write: Write,
        client: str,
        session: Session,
        began: float,
        zone: ZoneName | None,
    ) -> None:
        action, name, argument = asked(write)
        self.history.append(self._entry(region, id, action, name, argument, client, session, began, zone))

    def _entry(
        self,
        region: RegionName,
        id: RecordId,
        action: Action,
        name: str | None,
        argument: Any,
        client: str,
        session: Session,
        began: float,
        zone: ZoneName | None = None,
    ) -> Entry:
        planned = PlannedOperation(
            at_seconds=began,
            client=client,
            region=region,
            workload="test",
            action=action,
            collection=id.collection,
            key=id.key,
            field=name,
            zone=zone,
            argument=argument,
        )
        session.last = len(self.history)
        return Entry(
            index=len(self.history),
            planned=planned,
            session=client,
            began=began,
            ended=self.now,
            status=Status.OK,
            seen=session.cut,
        )

    # -- verdicts -------------------------------------------------------------------------------------------------

    def results(self, *, converged: bool = True) -> dict[str, CheckerResult]:
        return {result.checker: result for result in self.box.finish(self.shards, self.history, converged)}

    def findings(self, *, converged: bool = True) -> list[Finding]:
        found = self.results(converged=converged).values()
        broken = [result for result in found if result.verdict is Verdict.UNKNOWN and "failed" in result.note]
        assert not broken, broken
        return [finding for result in found for finding in result.findings]

    def anomalies(self, *, converged: bool = True) -> set[tuple[str, str]]:
        """Checker and anomaly of everything found."""
        return {(finding.checker, finding.anomaly) for finding in self.findings(converged=converged)}
