"""Coverage: which faults really bit, and whether a run proved anything at all.

A run in which nothing went wrong, nothing was concurrent and little was compared is valid and worth little; the
report says so, and why.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.simulation.history import Status
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.result import RunResult
from atoll.simulation.verdict import CheckerResult, Verdict

CHECKS_MIN = 100
"""Comparisons below which a run proved little. Smaller: a run of a few reads passes for evidence; larger: short
scenarios that are to the point are talked down."""

SUCCEEDED_SHARE_MIN = 0.2
"""Share of operations below which a run proved little: what nobody could do was not tested."""

_CONCURRENT = re.compile(r"\b(stale|fork|concurrent)", re.IGNORECASE)
"""Names of legal anomalies that only concurrency makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bite:
    """One kind of fault: how often it was done, and what it did to the ring, in its own unit."""

    kind: str
    done: int
    bites: Mapping[str, int]

    @property
    def bit(self) -> bool:
        """Whether it did anything to anybody."""
        return any(self.bites.values())


def bites(faults: Sequence[Fault], counted: Mapping[str, int]) -> list[Bite]:
    """Every kind of fault that was done or bit, in the order of :class:`FaultKind`; then bites of no known kind."""
    done = Counter(fault.kind.value for fault in faults)
    units: dict[str, dict[str, int]] = {}
    for name, count in sorted(counted.items()):
        kind, _, unit = name.partition(":")
        units.setdefault(kind.strip(), {})[unit.strip() or "times"] = count
    order = [kind.value for kind in FaultKind]
    kinds = [kind for kind in order if kind in done or kind in units]
    kinds += sorted(kind for kind in units if kind not in order)
    return [Bite(kind=kind, done=done[kind], bites=units.get(kind, {})) for kind in kinds]


def is_measure(name: str) -> bool:
    """Whether a checker's ``legal`` count is an amount (``peak of …``, ``visible … p99 ms``), not how often something
    happened: amounts of several checkers or runs do not add up."""
    return name.startswith("peak of ") or name.endswith((" ms", " seconds", " bytes"))


def counts_of(checker: CheckerResult) -> Mapping[str, int]:
    """What the promise allows and what happened all the same, by name; nothing with a count of zero."""
    return {name: count for name, count in checker.legal.items() if count and not is_measure(name)}


def measures_of(checker: CheckerResult) -> Mapping[str, int]:
    """What the checker measured by the way."""
    return {name: amount for name, amount in checker.legal.items() if is_measure(name)}


def legal_anomalies(result: RunResult) -> Mapping[str, int]:
    """:func:`counts_of` over all checkers."""
    total: Counter[str] = Counter()
    for checker in result.checkers:
        total.update(counts_of(checker))
    return dict(sorted(total.items()))


def proved_little(result: RunResult) -> list[str]:
    """Why the run proved little, each reason a sentence; nothing if it proved something. A violation always does."""
    if result.verdict is Verdict.VIOLATED:
        return []
    reasons = (_nothing_bit(result), _nothing_concurrent(result), _few_checks(result), _little_done(result))
    return [reason for reason in reasons if reason]


def _nothing_bit(result: RunResult) -> str:
    if any(result.bites.values()):
        return ""
    count = len(result.faults)
    if not count:
        return "No fault was planned: only the calm ring was seen."
    return f"None of the {count} faults bit: they dropped no message, killed no task, changed nothing."


def _nothing_concurrent(result: RunResult) -> str:
    if any(count.met for count in result.conflicts.values()):
        return ""
    if any(_CONCURRENT.search(name) for name in legal_anomalies(result)):
        return ""
    return "Nothing was concurrent: no two writes met in one field, and no read was ever behind."


def _few_checks(result: RunResult) -> str:
    checks = sum(checker.checks for checker in result.checkers)
    if not result.checkers:
        return "No checker looked at it."
    if checks < CHECKS_MIN:
        return f"Only {checks} things were compared; below {CHECKS_MIN} a clean result is chance."
    return ""


def _little_done(result: RunResult) -> str:
    asked = [entry for entry in result.history if not entry.final]
    if not asked:
        return "Nobody asked for anything: the run had no operations."
    succeeded = sum(entry.status is Status.OK for entry in asked)
    if succeeded < SUCCEEDED_SHARE_MIN * len(asked):
        return f"Only {succeeded} of {len(asked)} operations succeeded: what nobody could do was not tested."
    return ""
