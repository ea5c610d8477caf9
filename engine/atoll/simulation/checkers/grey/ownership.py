"""I6: a write commits only where the shard owns the position, and one shard of a region owns it at a time."""

from __future__ import annotations

from collections.abc import Sequence

from atoll.ids import Origin, RegionName
from atoll.ports import Ownership, RangeState
from atoll.simulation.checkers.grey.checker import Check, Commit, Look, told
from atoll.simulation.checkers.grey.ledger import Ledger


class Owning(Check):
    """Positions of committed rows, and the ownership rows of a region against each other."""

    name = "ownership"
    promise = "I6 ownership: one shard of a region owns a position, and no write commits elsewhere"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._known: dict[Origin, tuple[Ownership, ...]] = {}
        self._claims: dict[RegionName, list[tuple[Origin, Ownership]]] = {}
        """Every claim ever seen in a region, once."""

    def committed(self, commit: Commit) -> None:
        seen = commit.seen
        self._look(seen.shard, seen.owned)
        for row in seen.rows:
            self.checks += 1
            owners = [each for each in seen.owned if row.id.position in each.range]
            if not any(each.state is RangeState.OWNED for each in owners):
                self.find(
                    "write outside of what the shard owns",
                    f"Transaction {seen.transaction} of {seen.shard} wrote {told(row.id)} at "
                    f"{row.id.position.hex()}, which it did not own.",
                    places=[str(seen.shard)],
                )

    def sampled(self, look: Look) -> None:
        for origin, shard in look.shards.items():
            self._look(origin, list(shard.ownership.values()))

    def _look(self, shard: Origin, owned: Sequence[Ownership]) -> None:
        """Judge the claims of a shard when they are not those it had."""
        now = tuple(sorted(owned, key=lambda each: each.range))
        if self._known.get(shard, ()) == now:
            return
        self._known[shard] = now
        self.checks += 1
        for claim in now:
            self._check_against_siblings(shard, claim)
            self._check_epoch(shard, claim)

    def _check_against_siblings(self, shard: Origin, claim: Ownership) -> None:
        for other, claims in sorted(self._known.items()):
            if other.region != shard.region:
                continue
            for each in claims:
                if each.range.overlaps(claim.range) and (other, each) != (shard, claim):
                    self.find(
                        "two owners",
                        f"{shard} owns {claim.range} and {other} owns {each.range} at {self.ledger.now:.3f} s.",
                        places=[str(shard), str(other)],
                    )

    def _check_epoch(self, shard: Origin, claim: Ownership) -> None:
        """An epoch never falls, and grows when a range changes hands."""
        claims = self._claims.setdefault(shard.region, [])
        if (shard, claim) in claims:
            return
        for other, earlier in claims:
            if not earlier.range.overlaps(claim.range):
                continue
            least = earlier.epoch if other == shard else earlier.epoch + 1
            if claim.epoch < least:
                self.find(
                    "epoch does not grow",
                    f"{shard} owns {claim.range} at epoch {claim.epoch}, although {other} owned {earlier.range} at "
                    f"epoch {earlier.epoch} before.",
                    places=[str(shard), str(other)],
                )
        claims.append((shard, claim))
