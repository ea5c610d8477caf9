"""Merging: a replica's value is what the specification says of the writes that its context covers, at any moment.

The writes are those committed anywhere, each with its effect at its origin. A state is taken apart only as far as
to read its value; which writes it holds is told by its context, which must cover whole writes and nothing else.
Registers are compared down to the concurrent assignments that lost, which the conflict ledger reports.
"""

from __future__ import annotations

from typing import Any

from atoll.crdt.registry import LWW
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RecordId
from atoll.simulation.checkers.grey.checker import Check, Look, told
from atoll.simulation.checkers.grey.ledger import Ledger, Sighting, Story, Version
from atoll.simulation.checkers.grey.specification import siblings, touching_field, value_after
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.limits import REPLAY_PATIENCE


class Merging(Check):
    """Every replica against a replay of its writes; all of them at the end, now and then before."""

    name = "merging"
    promise = "I3 convergence: each replica's value is what its writes make, by the specification of the merge rules"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._replayed: dict[tuple[Origin, RecordId], int] = {}
        """How many writes the record had when the shard's copy of it was last replayed."""
        self._good: set[tuple[RecordId, bytes, bytes]] = set()

    def sampled(self, look: Look) -> None:
        for sighting in look.changed:
            story = self.ledger.story(sighting.id)
            key = (sighting.shard, sighting.id)
            fresh = len(story.writes) - self._replayed.get(key, 0)
            if look.is_last or fresh * REPLAY_PATIENCE > len(story.writes):
                self._replayed[key] = len(story.writes)
                self._check(story, sighting)

    def _check(self, story: Story, sighting: Sighting) -> None:
        known = (sighting.id, sighting.context, sighting.state)
        if sighting.version is None or not story.is_known or known in self._good:
            return
        self.checks += 1
        writes = [write for write in story.writes if sighting.version.context.has(write.actor, write.counter)]
        try:
            found = self.ledger.state(sighting.version, sighting.state).value()
        except CorruptFrame:
            return  # the convergence checker tells
        expected = value_after(writes)
        if not _equal(found, expected):
            self.find(
                "value that no writes make",
                f"{sighting.shard} holds {told(sighting.id)} as {_shown(found)} at {self.ledger.now:.3f} s; the "
                f"{len(writes)} writes that its context covers make {_shown(expected)}.",
                places=[str(sighting.shard)],
            )
        elif self._check_siblings(sighting, sighting.version, writes):
            self._good.add(known)

    def _check_siblings(self, sighting: Sighting, version: Version, writes: list[RecordedWrite]) -> bool:
        record = self.ledger.state(version, sighting.state)
        for name, (code, payload) in record.fields.items():
            if code != LWW.code:
                continue
            expected = [entry[:2] for entry in siblings(touching_field(writes, name))]
            if sorted(entry[:2] for entry in payload) != sorted(expected):
                self.find(
                    "concurrent assignments lost",
                    f"{sighting.shard} keeps {len(payload)} concurrent assignments of {told(sighting.id)}.{name} at "
                    f"{self.ledger.now:.3f} s; its writes make {len(expected)}.",
                    places=[str(sighting.shard)],
                )
                return False
        return True


def _equal(found: dict[str, Any] | None, expected: dict[str, Any] | None) -> bool:
    """Equal values; ``1`` and ``True`` are told apart."""
    if found is None or expected is None:
        return found is expected
    if found.keys() != expected.keys():
        return False
    return all(
        found[name] == expected[name] and (type(found[name]) is bool) == (type(expected[name]) is bool)
        for name in found
    )


def _shown(value: dict[str, Any] | None) -> str:
    """A value for a sentence: sets in order, and never endless."""
    if value is None:
        return "absent"
    parts = [
        f"{name}={sorted(part, key=repr) if isinstance(part, frozenset) else part!r}" for name, part in value.items()
    ]
    text = ", ".join(parts) or "empty"
    return text if len(text) <= 300 else f"{text[:300]}…"
