"""Slips in replication: order, progress, residency, and links."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.simulations.mutants.mutant import Mutant, Replacement

from atoll import limits
from atoll.causality.cut import Cut, join_all
from atoll.ids import RegionName, ShardName
from atoll.keyspace.topology import Topology
from atoll.node.progress import RegionProgress
from atoll.node.replication import outgoing
from atoll.node.replication.intake import Intake
from atoll.node.replication.puller import Puller
from atoll.node.writer import Writer
from atoll.replication.apply_queue import ApplyQueue, ApplyStep
from atoll.replication.inbox import Inbox
from atoll.replication.parcel import Parcel, cut_chunks
from atoll.replication.residency import ZoneSet


def _no_dependencies(_self: Writer, _merged: Any) -> Cut:
    return Cut.EMPTY


def _everything_is_ready(_self: Inbox, _held: Any) -> bool:
    return True


def _first_cause_is_enough(self: Inbox, held: Any) -> bool:
    if held.needs:
        origin, number = held.needs[-1]
        return bool(self.released(origin) >= number)
    return True


_accept = Intake.accept


def _applied_on_arrival(self: Intake, batch: Any) -> None:
    _accept(self, batch)
    for shard in self._site.stores:
        self._progress.learn(shard, Cut({batch.origin: batch.number}))


def _learn_maximum(self: RegionProgress, shard: ShardName, cut: Cut) -> None:
    """As :meth:`RegionProgress.learn`, with what any shard has instead of what all have."""
    known = self._cuts[shard]
    if known.join(cut) == known:
        return
    self._cuts[shard] = known.join(cut)
    self._region = join_all(self._cuts.values())
    self._bell.ring()


def _complete_with_first_chunk(self: ApplyQueue, first: Parcel) -> ApplyStep:
    if not self._chunks:
        self._chunks.extend(cut_chunks(self._rows(first), limits.APPLY_CHUNK_BYTES))
    begins = Cut({first.origin: first.number})
    return self._step(begins, begins, self._chunks[0], int(len(self._chunks) == 1))


async def _dial_once(self: Puller) -> None:
    await self._attempt()
    await asyncio.get_running_loop().create_future()


def _every_zone(topology: Topology, region: RegionName) -> ZoneSet:
    return ZoneSet(region, topology.zones)


class _OpenZones(ZoneSet):
    """What the sender alone believes."""

    of = staticmethod(_every_zone)


MUTANTS = (
    Mutant(
        name="dependencies-not-written",
        bug="a write does not say what its session had seen",
        promise="I4",
        scenario="everything-at-once",
        replacements=[Replacement(Writer, "_dependencies", _no_dependencies)],
    ),
    Mutant(
        name="no-causal-gate",
        bug="batches are applied as they arrive, whether or not what they depend on is there",
        promise="I4",
        scenario="everything-at-once",
        replacements=[Replacement(Inbox, "_is_ready", _everything_is_ready)],
    ),
    Mutant(
        name="gate-looks-at-one-cause",
        bug="a batch goes as soon as one of those that it depends on has gone",
        promise="I4",
        scenario="everything-at-once",
        replacements=[Replacement(Inbox, "_is_ready", _first_cause_is_enough)],
    ),
    Mutant(
        name="acknowledged-on-arrival",
        bug="a region says that it has applied what has only arrived",
        promise="I11",
        scenario="everything-at-once",
        replacements=[Replacement(Intake, "accept", _applied_on_arrival)],
    ),
    Mutant(
        name="region-by-maximum",
        bug="a region has what any of its shards has, instead of what all have",
        promise="I11",
        scenario="everything-at-once",
        replacements=[Replacement(RegionProgress, "learn", _learn_maximum)],
    ),
    Mutant(
        name="complete-with-first-chunk",
        bug="a batch that takes several transactions counts as complete with the first",
        promise="I9",
        scenario="london-is-the-bridge",
        seed=2,
        replacements=[Replacement(ApplyQueue, "_chunk_step", _complete_with_first_chunk)],
    ),
    Mutant(
        name="link-never-redials",
        bug="a link that broke once is not dialled again",
        promise="I3",
        scenario="atlantic-cable-cut",
        replacements=[Replacement(Puller, "run", _dial_once)],
    ),
    Mutant(
        name="residency-ignored",
        bug="both ends of a link believe that every region may hold every zone",
        promise="I8",
        scenario="residency-under-partition",
        replacements=[Replacement(ZoneSet, "of", staticmethod(_every_zone))],
    ),
    Mutant(
        name="sender-ignores-residency",
        bug="a sender leaves residency to the receiver, which then refuses every batch",
        promise="I8",
        scenario="residency-under-partition",
        replacements=[Replacement(outgoing, "ZoneSet", _OpenZones)],
    ),
)
