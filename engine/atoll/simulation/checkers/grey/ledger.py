"""The ledger: what all shards have done so far, as the observations tell it, for every checker to look up.

It keeps each record's writes and every state in which a shard was seen to hold it, each shard's batches and cuts, and
what each shard should hold now. It believes what it is told; to compare is the checkers' business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from atoll.causality.context import Context
from atoll.causality.cut import Cut
from atoll.crdt.codec import decode_context, decode_record
from atoll.crdt.record import Record
from atoll.errors import CorruptFrame
from atoll.ids import Actor, Origin, RecordId, RegionName, actor_of
from atoll.keyspace.position import zone_of
from atoll.keyspace.topology import Topology
from atoll.ports import Batch, Ownership, RowWrite
from atoll.simulation.checkers.grey.carriage import Carriage, Shipment
from atoll.simulation.checkers.grey.writes import RecordedWrite, effects_of, fresh_dots, vector_of
from atoll.simulation.limits import DECODED_RECORDS_MAX
from atoll.simulation.observations import Applied, Captured, Carried, Committed, Observation, Rewound
from atoll.simulation.storage.memory_shard import MemoryShard


@dataclass(slots=True, eq=False)
class Version:
    """A record's state at one context, as it was first seen."""

    id: RecordId
    context_bytes: bytes
    state: bytes
    shard: Origin
    at: float
    context: Context
    decoded: Record | None = None


@dataclass(slots=True, eq=False)
class Story:
    """All that is known of one record."""

    id: RecordId
    writes: list[RecordedWrite] = field(default_factory=list)
    by_actor: dict[Actor, list[RecordedWrite]] = field(default_factory=dict)
    versions: dict[bytes, Version] = field(default_factory=dict)
    is_known: bool = True
    """Whether the effects of all writes are known."""


@dataclass(slots=True, eq=False)
class Carrier:
    """A captured batch and the writes in it, in the order of their commits."""

    batch: Batch
    writes: Sequence[RecordedWrite]
    at: float


class Sighting(NamedTuple):
    """A record as a shard holds it, after the last transaction that touched it; without bytes if it is gone."""

    shard: Origin
    id: RecordId
    context: bytes
    state: bytes
    version: Version | None
    """Of its context, with the state seen first; ``None`` if it does not decode or the record is gone."""
    is_explained: bool
    """Whether the observations had told that it would be so."""


class Ledger:
    """See the module. ``clock`` gives seconds since traffic began, as the history has them."""

    def __init__(self, topology: Topology, clock: Callable[[], float]) -> None:
        self.topology = topology
        self.now = 0.0
        self.stories: dict[RecordId, Story] = {}
        self.transactions: dict[tuple[Origin, int], list[RecordedWrite]] = {}
        self.batches: dict[Origin, dict[int, Carrier]] = {}
        self.completed: dict[Origin, Cut] = {}
        self.begun: dict[Origin, Mapping[Origin, int]] = {}
        self.owned: dict[Origin, Sequence[Ownership]] = {}
        self.held: dict[Origin, dict[RecordId, tuple[bytes, bytes]]] = {}
        self.rewound: dict[Origin, set[int]] = {}
        """Per shard, the transactions that a failover took back."""
        self.carriage = Carriage()
        self.shipments: Sequence[Shipment] = ()
        """The batches that the message just carried has made whole; one at most."""
        self.corrupt: list[str] = []
        """Sentences about bytes that do not decode."""
        self._clock = clock
        self._last: dict[Origin, int] = {}
        """The greatest number of a batch, per shard."""
        self._unsettled: dict[Origin, dict[RecordId, None]] = {}
        self._servers: dict[Origin, MemoryShard] = {}
        """What each shard's observations are about: not a replica that stands in and is refused by all."""
        self._strange: set[Origin] = set()
        """Shards of which nobody knows what they hold, until the next sample."""
        self._decoded: deque[Version] = deque()
        self._commits = 0

    # -- questions ------------------------------------------------------------------------------------------------

    def shards_of(self, region: RegionName) -> Sequence[Origin]:
        """The shards of a region, in the order of the configuration."""
        return [Origin(region, shard.name) for shard in self.topology.regions[region].shards]

    def hosts(self, region: RegionName, id: RecordId) -> bool:
        """Whether the law lets ``region`` hold the record."""
        zone = self.topology.zones.get(zone_of(id.position))
        return zone is not None and region in zone.regions

    def last_batch(self, origin: Origin) -> int:
        """The number of the last batch captured; 0 if none."""
        return self._last.get(origin, 0)

    def record(self, version: Version) -> Record:
        """The decoded state; raises :class:`CorruptFrame`."""
        if version.decoded is None:
            version.decoded = decode_record(version.context_bytes, version.state)
            self._decoded.append(version)
            if len(self._decoded) > DECODED_RECORDS_MAX:
                self._decoded.popleft().decoded = None
        return version.decoded

    def state(self, version: Version, state: bytes) -> Record:
        """The decoded state of a replica with the version's context, whose bytes should be the version's."""
        return self.record(version) if state == version.state else decode_record(version.context_bytes, state)

    def version(self, shard: Origin, id: RecordId) -> Version | None:
        """The version that a shard holds of a record, as far as is known."""
        held = self.held.get(shard, {}).get(id)
        return self.story(id).versions.get(held[0]) if held else None

    # -- taking in ------------------------------------------------------------------------------------------------

    def take(self, observation: Observation) -> Sequence[RecordedWrite]:
        """Note an observation; returns the writes if it is of a commit."""
        self.now = self._clock()
        match observation:
            case Committed():
                return self._commit(observation)
            case Captured():
                self._capture(observation)
            case Applied():
                self._apply(observation)
            case Rewound():
                self._rewind(observation)
            case Carried():
                self.shipments = self.carriage.take(observation)
            case _:
                pass
        return ()

    def _commit(self, seen: Committed) -> Sequence[RecordedWrite]:
        self.owned[seen.shard] = seen.owned
        self._raise_begun(seen.shard, seen.dependencies.without_region(seen.shard.region))
        found = [self._write(seen, row) for row in seen.rows]
        writes = [write for write in found if write is not None]
        self.transactions.setdefault((seen.shard, seen.transaction), []).extend(writes)
        return writes

    def _write(self, seen: Committed, row: RowWrite) -> RecordedWrite | None:
        story = self.story(row.id)
        version = self.note(seen.shard, row.id, row.context, row.state)
        if version is None:
            return None
        before = story.versions.get(row.previous_context)
        seen_context = before.context if before else self._context(row.previous_context, row.id)
        write = self._understood(seen, row, version, seen_context)
        if before is None and row.previous_context:
            write.is_known = story.is_known = False
        else:
            self._explain(write, before, version)
        story.writes.append(write)
        story.by_actor.setdefault(write.actor, []).append(write)
        return write

    def _understood(self, seen: Committed, row: RowWrite, version: Version, before: Context) -> RecordedWrite:
        after = version.context
        grown = [actor for actor in after.actors() if after.highest(actor) > before.highest(actor)]
        own = [actor for actor in grown if actor.startswith(f"{seen.shard}/")]
        actor = own[-1] if own else actor_of(seen.shard, 1)
        self._commits += 1
        return RecordedWrite(
            place=self._commits,
            at=self.now,
            shard=seen.shard,
            transaction=seen.transaction,
            id=row.id,
            row=row,
            actor=actor,
            counter=after.highest(actor),
            previous=before.highest(actor),
            context=after,
            seen=vector_of(before),
            strangers=tuple(other for other in grown if other != actor),
        )

    def _explain(self, write: RecordedWrite, before: Version | None, after: Version) -> None:
        try:
            old = self.record(before) if before else Record.empty()
            new = self.record(after)
        except CorruptFrame:
            write.is_known = self.story(write.id).is_known = False
            return
        write.deletes = not new.presence
        write.effects = effects_of(old, new, write.actor, write.previous)
        write.dots = frozenset(fresh_dots(new, write.actor, write.previous) | {(write.actor, write.counter)})

    def _capture(self, seen: Captured) -> None:
        origin, number = seen.batch.origin, seen.batch.number
        writes: list[RecordedWrite] = []
        for transaction in seen.transactions:
            writes += self.transactions.get((origin, transaction), ())
        writes.sort(key=lambda write: write.place)
        for write in writes:
            write.batch = write.batch or number
        self.batches.setdefault(origin, {})[number] = Carrier(seen.batch, writes, self.now)
        self._last[origin] = max(number, self._last.get(origin, 0))

    def _apply(self, seen: Applied) -> None:
        self.completed[seen.shard] = seen.after
        self._raise_begun(seen.shard, seen.begins)
        held = self.held.setdefault(seen.shard, {})
        for row in seen.rows:
            stored = seen.held.get(row.id)
            if stored is None:
                held.pop(row.id, None)
                self._unsettled.setdefault(seen.shard, {})[row.id] = None
            else:
                self.note(seen.shard, row.id, stored.context, stored.state)

    def _rewind(self, seen: Rewound) -> None:
        self.rewound.setdefault(seen.shard, set()).update(seen.transactions)
        self.held.pop(seen.shard, None)
        self._unsettled.pop(seen.shard, None)
        self._strange.add(seen.shard)

    def _raise_begun(self, shard: Origin, numbers: Mapping[Origin, int]) -> None:
        """Cuts are replaced, not changed: whoever kept one keeps what was so then."""
        begun = self.begun.get(shard, {})
        if any(number > begun.get(origin, 0) for origin, number in numbers.items()):
            raised = {origin: max(number, begun.get(origin, 0)) for origin, number in numbers.items()}
            self.begun[shard] = {**begun, **raised}

    # -- states ---------------------------------------------------------------------------------------------------

    def story(self, id: RecordId) -> Story:
        """All that is known of a record, from now on."""
        return self.stories.setdefault(id, Story(id))

    def note(self, shard: Origin, id: RecordId, context: bytes, state: bytes) -> Version | None:
        """The shard holds this state: the version of that context, which another shard may have had first and with
        another state. ``None`` if the context does not decode."""
        versions = self.story(id).versions
        version = versions.get(context)
        if version is None:
            try:
                version = Version(id, context, state, shard, self.now, decode_context(context))
            except CorruptFrame as error:
                self.corrupt.append(f"{shard} holds {id.collection}/{id.key} with {error}.")
                return None
            versions[context] = version
        self.held.setdefault(shard, {})[id] = (context, state)
        self._unsettled.setdefault(shard, {})[id] = None
        return version

    def _context(self, context: bytes, id: RecordId) -> Context:
        try:
            return decode_context(context)
        except CorruptFrame as error:
            self.corrupt.append(f"A write of {id.collection}/{id.key} was made on {error}.")
            return Context.EMPTY

    def sample(self, shards: Mapping[Origin, MemoryShard], *, everything: bool = False) -> Sequence[Sighting]:
        """Look at what the shards hold; returns the records touched since the last sample, or all of them. ``shards``
        are those of :meth:`serving`."""
        found: list[Sighting] = []
        for origin, shard in shards.items():
            self.owned[origin] = list(shard.ownership.values())
            if everything or origin in self._strange:
                wanted = list({**self.held.get(origin, {}), **shard.records})
            else:
                wanted = list(self._unsettled.get(origin, ()))
            if origin in self._strange:
                self.completed[origin] = shard.completed
                self.begun[origin] = dict(shard.begun)
            found += [sighting for id in wanted if (sighting := self._sighting(origin, shard, id))]
            self._strange.discard(origin)
            self._unsettled.pop(origin, None)
        return found

    def serving(self, shards: Mapping[Origin, MemoryShard]) -> Mapping[Origin, MemoryShard]:
        """The shards without those in whose place a replica stands that nobody has accepted. Begins a sample."""
        self.now = self._clock()
        for origin, shard in shards.items():
            if origin not in self._servers or origin in self._strange:
                self._servers[origin] = shard
        return {origin: shard for origin, shard in shards.items() if self._servers[origin] is shard}

    def _sighting(self, origin: Origin, shard: MemoryShard, id: RecordId) -> Sighting | None:
        held = shard.records.get(id)
        expected = self.held.get(origin, {}).get(id)
        if held is None:
            if expected is None:
                return None
            del self.held[origin][id]
            return Sighting(origin, id, b"", b"", None, False)
        version = self.note(origin, id, held.context, held.state)
        is_explained = expected is None or expected == (held.context, held.state)
        return Sighting(origin, id, held.context, held.state, version, is_explained)
