"""What a run leaves behind: enough to judge it, to draw it and to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from atoll.ids import RegionName
from atoll.simulation.history import History
from atoll.simulation.plan import Fault, Plan
from atoll.simulation.verdict import CheckerResult, Verdict

SIMULATED = "simulated machines"
"""The tier of runs in the simulated world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEvent:
    """Something that happened, for the timeline: a message sent or delivered, a crash, an operation, a batch applied.

    ``lane`` is a host's name; ``peer`` the other end of a message."""

    at: float
    lane: str
    kind: str
    """``send``, ``deliver``, ``drop``, ``fault``, ``mend``, ``call``, ``return``, ``commit``, ``capture`` or
    ``apply``."""
    label: str
    peer: str = ""
    message: int = 0
    """Pairs a ``send`` with its ``deliver``; 0 if it is no message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The state of the ring at one moment, taken a few times a second of simulated time."""

    at: float
    behind: Mapping[tuple[RegionName, RegionName], int]
    """Batches that (reader, origin) has yet to apply, by truth."""
    stale_seconds: Mapping[tuple[RegionName, RegionName], float]
    """Age of the oldest commit of origin that reader does not reflect; 0 if none."""
    log_rows: Mapping[str, int]
    """Change-log rows by shard ``region/shard``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """A value that ``lww`` dropped in favour of a concurrent one."""

    key: str
    """Of the record."""
    lost: Any
    kept: Any
    """The value that it lost to first; another may have won over that later."""
    at: float
    """When a replica first held both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictCount:
    """Concurrent writes that met in one field (``collection.field``)."""

    met: int
    """Pairs of truly concurrent writes of one record's field that a merge brought together."""
    discarded: int
    """Values whose write had been acknowledged and which ``lww`` dropped in favour of a concurrent one."""
    examples: Sequence[Discarded] = ()
    """The first of those discarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One seed of one scenario, judged."""

    scenario: str
    seed: int
    plan: Plan
    verdict: Verdict
    checkers: Sequence[CheckerResult]
    history: History
    regions: Sequence[RegionName]
    converged_seconds: float | None
    """From the mending of everything to equal contents everywhere; ``None`` if it did not come in time."""
    simulated_seconds: float
    real_seconds: float
    trace_hash: str
    samples: Sequence[Sample] = ()
    bites: Mapping[str, int] = field(default_factory=dict)
    """How often each fault really bit: ``cut: messages dropped``, ``crash_node: tasks killed``, ``ambiguous_shard:
    commits in doubt``."""
    conflicts: Mapping[str, ConflictCount] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    """The faults as they were executed."""
    events: Sequence[TraceEvent] = ()
    """Only if the run was recorded."""
    messages: int = 0
    bytes_carried: int = 0
    tier: str = SIMULATED
    """On what it ran: simulated machines, or real processes and which of the ways to come between them."""
    skipped: Sequence[str] = ()
    """What the plan or the scenario asks for and this tier cannot do, each with the reason: nothing is left out
    silently."""

    @property
    def is_real(self) -> bool:
        """Whether it ran on real processes. Then no seed repeats it."""
        return self.tier != SIMULATED

    @property
    def tier_word(self) -> str:
        """What became of its seconds: they were simulated, or they passed."""
        return "of real time" if self.is_real else "simulated"
