"""Verdicts: what a checker found, and what a run is worth.

A checker that saw no data, or failed itself, is *unknown*, never valid. The worst verdict wins: violated over
unknown over valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What is known of a promise after a run."""

    VALID = "valid"
    UNKNOWN = "unknown"
    VIOLATED = "violated"

    @property
    def rank(self) -> int:
        """Greater is worse."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation. Two findings are the same failure if ``checker`` and ``anomaly`` are equal."""

    checker: str
    anomaly: str
    """The class, in words that repeat between runs: ``lost write``, ``resurrected element``."""
    sentence: str
    """What happened, to whom, when; complete in itself."""
    at: float
    """When it became visible, in seconds of simulated time since traffic began."""
    entries: Sequence[int] = ()
    """The history's entries that show it."""
    places: Sequence[str] = ()
    """Regions, nodes or shards involved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerResult:
    """What one checker has to say."""

    checker: str
    promise: str
    """The promise's number (``I9``) and what was checked, for people."""
    verdict: Verdict
    checks: int
    """How many things were compared; with none the verdict is unknown."""
    findings: Sequence[Finding] = ()
    legal: Mapping[str, int] = field(default_factory=dict)
    """Anomalies that the promise allows, counted as coverage: stale reads, long forks, what ``lww`` dropped."""
    note: str = ""
    """Why it is unknown."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several; unknown if there is none."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.UNKNOWN)
