"""I3: replicas of a record with equal contexts have equal bytes, at every moment and not only at the end.

Every state that a commit, a join or a sample shows is compared with the first one seen at its context, whichever
shard showed it. When the ring has converged, all regions that may hold a record hold the same bytes of it, and the
readable copy beside them is the same.
"""

from __future__ import annotations

from atoll.crdt.codec import encode_record
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RecordId, RegionName
from atoll.keyspace.position import zone_of
from atoll.simulation.checkers.grey.checker import Check, Commit, End, Look, told
from atoll.simulation.checkers.grey.ledger import Ledger, Version
from atoll.simulation.observations import Applied


class Convergence(Check):
    """Equal contexts, equal bytes."""

    name = "convergence"
    promise = "I3 convergence: replicas with equal contexts have equal canonical bytes"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._told_corrupt = 0

    def committed(self, commit: Commit) -> None:
        for row in commit.seen.rows:
            self._compare(commit.seen.shard, row.id, row.context, row.state)

    def applied(self, seen: Applied) -> None:
        for id, stored in seen.held.items():
            self._compare(seen.shard, id, stored.context, stored.state)
        for row in seen.rows:
            if row.complete:
                self._compare(seen.shard, row.id, row.context, row.state, "was sent")

    def sampled(self, look: Look) -> None:
        for sighting in look.changed:
            self._compare(sighting.shard, sighting.id, sighting.context, sighting.state)
            if not sighting.is_explained:
                self.find(
                    "record changed without a transaction",
                    f"{sighting.shard} holds another state of {told(sighting.id)} at {self.ledger.now:.3f} s than "
                    "its last transaction left there.",
                    places=[str(sighting.shard)],
                )
            if sighting.version is not None and sighting.version.shard == sighting.shard:
                self._check_canonical(sighting.version)
        self._tell_corrupt()

    def finished(self, end: End) -> None:
        self._tell_corrupt()
        if not end.converged:
            return
        copies: dict[RecordId, dict[RegionName, tuple[bytes, bytes, bytes | None]]] = {}
        for origin, shard in end.shards.items():
            for id, held in shard.records.items():
                copies.setdefault(id, {})[origin.region] = (held.context, held.state, held.document)
        for id, found in sorted(copies.items()):
            self._check_everywhere(id, found)

    def _check_everywhere(self, id: RecordId, found: dict[RegionName, tuple[bytes, bytes, bytes | None]]) -> None:
        zone = self.ledger.topology.zones.get(zone_of(id.position))
        hosts = [name for name in sorted(self.ledger.topology.regions) if zone and name in zone.regions]
        self.checks += 1
        if len({found.get(region, (b"", b"", None)) for region in hosts}) <= 1:
            return
        without = [region for region in hosts if region not in found]
        if without:
            sentence = f"{told(id)} is missing in {', '.join(without)} after the ring had converged."
        else:
            sentence = f"{told(id)} differs between {', '.join(hosts)} after the ring had converged."
        self.find("regions differ at the end", sentence, places=hosts)

    def _compare(self, shard: Origin, id: RecordId, context: bytes, state: bytes, how: str = "holds") -> None:
        first = self.ledger.story(id).versions.get(context)
        if first is None:
            return
        self.checks += 1
        if first.state != state:
            self.find(
                "equal contexts with different bytes",
                f"{shard} {how} {told(id)} at {self.ledger.now:.3f} s with the context {first.context!r} and other "
                f"bytes ({len(state)}) than {first.shard} had with it at {first.at:.3f} s ({len(first.state)}).",
                places=[str(first.shard), str(shard)],
            )

    def _check_canonical(self, version: Version) -> None:
        try:
            again = encode_record(self.ledger.record(version))
        except CorruptFrame as error:
            self.find("state that does not decode", f"{version.shard} holds {told(version.id)}: {error}.")
            return
        if again != (version.context_bytes, version.state):
            self.find(
                "bytes that are not canonical",
                f"{version.shard} holds {told(version.id)} in bytes that its decoded content does not encode to.",
                places=[str(version.shard)],
            )

    def _tell_corrupt(self) -> None:
        for sentence in self.ledger.corrupt[self._told_corrupt :]:
            self.find("context that does not decode", sentence)
        self._told_corrupt = len(self.ledger.corrupt)
