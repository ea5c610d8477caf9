"""What all grey-box checkers share: hooks to be told of observations, findings with a bound, a verdict.

A checker overrides the hooks it needs. The ledger has taken an observation in before any hook is called with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from atoll.ids import Origin, RecordId
from atoll.simulation.checkers.grey.ledger import Ledger, Sighting
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.history import History
from atoll.simulation.limits import SENTENCES_MAX
from atoll.simulation.observations import (
    Applied,
    Captured,
    Carried,
    Collected,
    Committed,
    Connected,
    Minted,
    Rewound,
)
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.verdict import CheckerResult, Finding, Verdict

Shards = Mapping[Origin, MemoryShard]


class Commit(NamedTuple):
    """Local writes, as they were observed and as the ledger understands them."""

    seen: Committed
    writes: Sequence[RecordedWrite]


class Look(NamedTuple):
    """The durable shards at one moment, and the records that were touched since the last."""

    shards: Shards
    changed: Sequence[Sighting]
    is_last: bool = False
    """The run is over, and all records are among the changed."""


class End(NamedTuple):
    """What is left after a run. ``converged``: everything was mended, and all regions then became equal."""

    shards: Shards
    history: History
    converged: bool


class Check:
    """One promise, checked from inside. ``checks`` counts what was compared; with none the verdict is unknown."""

    name: ClassVar[str]
    promise: ClassVar[str]

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.checks = 0
        self.legal: Counter[str] = Counter()
        self.failure = ""
        self._findings: list[Finding] = []
        self._found: Counter[str] = Counter()

    # -- hooks ----------------------------------------------------------------------------------------------------

    def committed(self, commit: Commit) -> None:
        """Local writes became durable."""

    def captured(self, seen: Captured) -> None:
        """A batch got its number."""

    def applied(self, seen: Applied) -> None:
        """Remote rows were joined, or cuts moved."""

    def collected(self, seen: Collected) -> None:
        """Batches were deleted."""

    def rewound(self, seen: Rewound) -> None:
        """A server came back with less than it had."""

    def minted(self, seen: Minted) -> None:
        """A block of counters was leased."""

    def connected(self, seen: Connected) -> None:
        """A process asked a server for its first connection."""

    def carried(self, seen: Carried) -> None:
        """A replication message crossed between regions."""

    def sampled(self, look: Look) -> None:
        """Some time has passed; at the end of a run with all records as changed."""

    def finished(self, end: End) -> None:
        """The run is over."""

    # -- findings -------------------------------------------------------------------------------------------------

    def find(self, anomaly: str, sentence: str, *, places: Sequence[str] = (), entries: Sequence[int] = ()) -> None:
        """Note a violation; after ``SENTENCES_MAX`` of one anomaly they are only counted."""
        self._found[anomaly] += 1
        if self._found[anomaly] <= SENTENCES_MAX:
            self._findings.append(
                Finding(
                    checker=self.name,
                    anomaly=anomaly,
                    sentence=sentence,
                    at=self.ledger.now,
                    entries=tuple(entries),
                    places=tuple(places),
                )
            )

    def failed(self, error: Exception) -> None:
        """A hook has failed: the checker says so in its result, and is asked no further."""
        self.failure = f"the checker itself failed at {self.ledger.now:.3f} s: {error!r}"

    def result(self) -> CheckerResult:
        """The verdict so far."""
        verdict, note = Verdict.VALID, ""
        if self._findings:
            verdict = Verdict.VIOLATED
            more = {kind: count - SENTENCES_MAX for kind, count in self._found.items() if count > SENTENCES_MAX}
            note = "; ".join(f"{count} more of: {kind}" for kind, count in sorted(more.items()))
        elif self.failure:
            verdict, note = Verdict.UNKNOWN, self.failure
        elif not self.checks:
            verdict, note = Verdict.UNKNOWN, "nothing happened that could be compared"
        return CheckerResult(
            checker=self.name,
            promise=self.promise,
            verdict=verdict,
            checks=self.checks,
            findings=tuple(self._findings),
            legal=dict(sorted(self.legal.items())),
            note=note,
        )


def told(id: RecordId) -> str:
    """A record's name, for sentences."""
    return f"{id.collection}/{id.key}"
