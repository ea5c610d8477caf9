"""I9, from inside: when a session's read is answered, the shard that answers has completed what the session had seen.

The cut that the session's token covered after its previous operation, joined with that of whoever told it
something, is compared with the completed cut of the record's shard when the answer arrived. Entries of the own
region are reflected by its primaries at once. Reads that another region answers, because the own one may not hold
the record, are left to the black box, and so is what the values were.
"""

from __future__ import annotations

from bisect import bisect_right

from atoll.causality.cut import Cut
from atoll.ids import Origin, RecordId, RegionName
from atoll.simulation.checkers.grey.checker import Check, End, told
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.matching import Matches
from atoll.simulation.history import Entry, Status
from atoll.simulation.observations import Applied
from atoll.simulation.plan import Action


class Sessions(Check):
    """Reads against the cuts of shards at the time."""

    name = "sessions inside"
    promise = "I9 sessions: a read is answered by a shard that has completed what the session had seen"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._times: dict[Origin, list[float]] = {}
        self._cuts: dict[Origin, list[Cut]] = {}

    def applied(self, seen: Applied) -> None:
        times, cuts = self._times.setdefault(seen.shard, []), self._cuts.setdefault(seen.shard, [])
        if times and times[-1] > self.ledger.now:  # traffic has begun, and time with it
            times[:] = [min(time, self.ledger.now) for time in times]
        times.append(self.ledger.now)
        cuts.append(seen.after)

    def finished(self, end: End) -> None:
        matches = Matches(self.ledger)
        entries = {entry.index: entry for entry in end.history}
        knows: dict[str, Cut] = {}
        for entry in end.history:
            known = knows.get(entry.session, Cut.EMPTY)
            heard = entries.get(entry.heard) if entry.heard is not None else None
            if heard is not None and heard.ended <= entry.began:
                known = _both(known, heard.seen)
            knows[entry.session] = _both(known, entry.seen)
            id = matches.id_of(entry)
            if id and known and entry.planned.action is Action.READ and entry.status is Status.OK:
                self._check_read(entry, id, known)

    def _check_read(self, entry: Entry, id: RecordId, known: Cut) -> None:
        region = entry.planned.region
        shard = self._owner(region, id)
        if shard is None or shard in self.ledger.rewound or not self.ledger.hosts(region, id):
            return
        self.checks += 1
        found = bisect_right(self._times.get(shard, []), entry.ended)
        completed = self._cuts[shard][found - 1] if found else Cut.EMPTY
        for origin, number in known.items():
            if origin.region != region and completed.at(origin) < number:
                self.find(
                    "read not covered",
                    f"{entry.session} read {told(id)} in {region} at {entry.ended:.3f} s knowing batch {number} of "
                    f"{origin}, while {shard} had completed {completed.at(origin)}.",
                    entries=[entry.index],
                    places=[str(shard)],
                )
                return

    def _owner(self, region: RegionName, id: RecordId) -> Origin | None:
        for shard in self.ledger.shards_of(region):
            if any(id.position in each.range for each in self.ledger.owned.get(shard, ())):
                return shard
        return None


def _both(left: Cut, right: Cut) -> Cut:
    return Cut({origin: max(left.at(origin), right.at(origin)) for origin in dict.fromkeys([*left, *right])})
