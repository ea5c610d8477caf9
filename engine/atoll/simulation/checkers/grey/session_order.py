"""I4, along sessions: the batch of a write names the batches of all that its session had written before.

Within one shard the order of batches tells what was first. Between two shards, also two of one region, only
dependencies do: the batch of the later write, or one before it of the same shard, depends on the batch of the earlier
write. Otherwise a receiver may show the later write without the earlier one, and its readers would not know.

What a session had read is left to the black box. Writes are those that can be told by values
which nobody else wrote there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from atoll.causality.cut import Cut
from atoll.ids import Origin
from atoll.simulation.checkers.grey.checker import Check, End
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.matching import Matches, needs_trace
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.history import Entry, Status


class SessionOrder(Check):
    """Acknowledged writes of one session, one after the other, against the batches that carry them."""

    name = "order of sessions"
    promise = "I4 causality: the batch of a write depends on those of its session's earlier writes"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._implied: Mapping[Origin, Mapping[int, Cut]] = {}
        """What whoever has joined a batch has joined before."""

    def finished(self, end: End) -> None:
        self._implied = {origin: self._implied_by(origin) for origin in self.ledger.batches}
        matches = Matches(self.ledger)
        written = Counter(_what(entry) for entry in end.history)
        wrote: dict[str, Cut] = {}
        at_end_of: dict[int, Cut] = {}
        for entry in end.history:
            before = wrote.get(entry.session, Cut.EMPTY)
            if entry.heard is not None:
                before = before.join(at_end_of.get(entry.heard, Cut.EMPTY))
            write = self._write_of(entry, matches) if written[_what(entry)] == 1 else None
            if write is not None:
                self._check(entry, write, before)
                before = before.advanced(write.shard, write.batch)
            wrote[entry.session] = at_end_of[entry.index] = before

    def _implied_by(self, origin: Origin) -> Mapping[int, Cut]:
        implied, so_far = {}, Cut.EMPTY
        for number, carrier in sorted(self.ledger.batches[origin].items()):
            so_far = so_far.join(carrier.batch.dependencies)
            implied[number] = so_far
        return implied

    def _write_of(self, entry: Entry, matches: Matches) -> RecordedWrite | None:
        if entry.status is not Status.OK or not needs_trace(entry):
            return None
        found = matches.showing(entry, matches.during(entry))
        if len(found) != 1 or not found[0].batch or found[0].shard in self.ledger.rewound:
            return None
        return found[0]

    def _check(self, entry: Entry, write: RecordedWrite, before: Cut) -> None:
        self.checks += 1
        implied = self._implied[write.shard][write.batch]
        for origin, number in before.items():
            if origin != write.shard and implied.at(origin) < number:
                self.find(
                    "write before its session's earlier write",
                    f"{entry.session} wrote in batch {number} of {origin} and then, after it was acknowledged, in "
                    f"batch {write.batch} of {write.shard}, which depends on {implied.at(origin)} of {origin}: "
                    "whoever reads the second elsewhere may miss the first.",
                    entries=[entry.index],
                    places=[str(write.shard), str(origin)],
                )
                return


def _what(entry: Entry) -> tuple[str, ...]:
    """What an operation does, whoever asked for it."""
    planned = entry.planned
    return (
        planned.action,
        planned.collection,
        str(planned.zone),
        planned.key,
        str(planned.field),
        repr(planned.argument),
    )
