"""I13: groups, records, transactions and messages keep within the bounds that limits names; peaks are counted.

The bounds are the engine's own or, where a run turned them up, not checked for that: a plan's knobs make them smaller
as a rule. How much waits in a log or how many batches are kept has no bound while a peer is away; the peaks are told.
"""

from __future__ import annotations

from atoll import limits
from atoll.simulation.checkers.grey.checker import Check, Commit, Look
from atoll.simulation.observations import Applied, Carried


class Bounds(Check):
    """What passed, against its bound."""

    name = "bounds"
    promise = "I13 bounded: groups, records, transactions and messages keep within their bounds"

    def committed(self, commit: Commit) -> None:
        self._check("records in one group", len(commit.seen.rows), limits.GROUP_RECORDS_MAX)
        for row in commit.seen.rows:
            self._check("bytes of one record", len(row.context) + len(row.state), limits.RECORD_BYTES_MAX)

    def applied(self, seen: Applied) -> None:
        batches = sum(max(0, number - seen.before.at(origin)) for origin, number in seen.after.items())
        self._check("batches in one transaction", batches, limits.BATCHES_PER_APPLY_MAX)
        size = sum(len(row.state) + len(row.context) for row in seen.rows)
        self._check("bytes in one transaction", size, limits.APPLY_CHUNK_BYTES + limits.REPLICATED_ROW_BYTES_MAX)

    def carried(self, seen: Carried) -> None:
        self._check("bytes of one message", len(seen.payload), limits.MESSAGE_BYTES_MAX)

    def sampled(self, look: Look) -> None:
        for shard in look.shards.values():
            self._note("log rows of one shard", len(shard.log))
            self._note("batches kept by one shard", len(shard.batches))

    def _check(self, what: str, amount: int, bound: int) -> None:
        self.checks += 1
        self._note(what, amount)
        if amount > bound:
            self.find("bound exceeded", f"There were {amount:,} {what}, and the bound is {bound:,}.")

    def _note(self, what: str, amount: int) -> None:
        self.legal[f"peak of {what}"] = max(amount, self.legal[f"peak of {what}"])
