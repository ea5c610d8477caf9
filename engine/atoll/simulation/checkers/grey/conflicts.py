"""Conflicts: which concurrent writes met in which field, and which acknowledged values ``lww`` dropped.

Two writes of one field are concurrent if neither had seen the other. They have met where a region's copy covers both;
counted is the region in which most of them met. A value was discarded if some replica held it beside a stronger one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

from atoll.causality.context import Context
from atoll.crdt.registry import LWW
from atoll.errors import CorruptFrame
from atoll.ids import Actor, RecordId
from atoll.simulation.checkers.grey.checker import Shards
from atoll.simulation.checkers.grey.ledger import Ledger, Story, Version
from atoll.simulation.checkers.grey.matching import Matches
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.history import History, Status
from atoll.simulation.limits import DISCARDED_SHOWN_MAX
from atoll.simulation.plan import Action
from atoll.simulation.result import ConflictCount, Discarded


class Conflicts:
    """Looks at merged states as they come, and counts at the end."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lost: dict[tuple[RecordId, str, Actor, int], Discarded] = {}

    def look(self, version: Version) -> None:
        """Note the assignments that lose in this state."""
        if len(version.context.actors()) < 2:
            return
        try:
            record = self._ledger.record(version)
        except CorruptFrame:
            return
        for name, (code, payload) in record.fields.items():
            if code == LWW.code and len(payload) > 1:
                winner = max(payload, key=lambda entry: (entry[2], entry[0], entry[1]))
                for entry in payload:
                    if entry is not winner:
                        lost = Discarded(key=version.id.key, lost=entry[3], kept=winner[3], at=version.at)
                        self._lost.setdefault((version.id, name, entry[0], entry[1]), lost)

    def count(self, shards: Shards, history: History) -> Mapping[str, ConflictCount]:
        """The counts by ``collection.field``, in order; fields without any are absent."""
        met = self._met(shards)
        acknowledged = self._acknowledged(history)
        discarded: dict[str, list[Discarded]] = {}
        for (id, name, actor, counter), lost in self._lost.items():
            if (id, actor, counter) in acknowledged:
                discarded.setdefault(f"{id.collection}.{name}", []).append(lost)
        return {
            field: ConflictCount(
                met=met.get(field, 0),
                discarded=len(discarded.get(field, ())),
                examples=tuple(discarded.get(field, ())[:DISCARDED_SHOWN_MAX]),
            )
            for field in sorted({*met, *discarded})
        }

    def _acknowledged(self, history: History) -> set[tuple[RecordId, Actor, int]]:
        """The dots of acknowledged assignments."""
        matches = Matches(self._ledger)
        found: set[tuple[RecordId, Actor, int]] = set()
        for entry in history:
            if entry.status is Status.OK and entry.planned.action is Action.SET:
                for write in matches.showing(entry, matches.during(entry)):
                    found |= {(write.id, actor, counter) for actor, counter in write.dots}
        return found

    def _met(self, shards: Shards) -> Mapping[str, int]:
        totals: Counter[str] = Counter()
        for id in sorted(self._ledger.stories):
            story = self._ledger.stories[id]
            if len(story.by_actor) > 1:
                held = self._contexts(story, shards)
                for name in sorted({name for write in story.writes for name in write.effects}):
                    pairs = max((_pairs(story, name, context) for context in held), default=0)
                    if pairs:
                        totals[f"{id.collection}.{name}"] += pairs
        return totals

    def _contexts(self, story: Story, shards: Shards) -> Sequence[Context]:
        """What each region's copy covers; equal ones once."""
        found: dict[bytes, Context] = {}
        for origin in sorted(shards):
            held = shards[origin].records.get(story.id)
            version = story.versions.get(held.context) if held else None
            if version is not None:
                found[version.context_bytes] = version.context
        return list(found.values())


def _pairs(story: Story, name: str, context: Context) -> int:
    """Pairs of concurrent writes of one field that a context covers.

    Of another actor's writes, in order, those that ``write`` has not seen are the last ones, and those that have not
    seen ``write`` are the first ones: what is concurrent lies between two bisections.
    """
    touching = {
        actor: [write for write in writes if name in write.effects and context.has(actor, write.counter)]
        for actor, writes in story.by_actor.items()
    }
    pairs = 0
    for actor, writes in touching.items():
        for other, theirs in touching.items():
            if other > actor:
                pairs += sum(_concurrent(write, theirs) for write in writes)
    return pairs


def _concurrent(write: RecordedWrite, theirs: Sequence[RecordedWrite]) -> int:
    if not theirs:
        return 0
    first = bisect_right(theirs, write.seen.get(theirs[0].actor, 0), key=lambda each: each.counter)
    end = bisect_left(theirs, write.counter, key=lambda each: each.seen.get(write.actor, 0))
    return max(0, end - first)
