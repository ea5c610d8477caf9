"""What a checker writes down while it works, and the verdict that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from atoll.simulation.history import Entry
from atoll.simulation.limits import SENTENCES_MAX
from atoll.simulation.verdict import CheckerResult, Finding, Verdict


class Notebook:
    """Counts what was compared, and keeps the first findings of each anomaly; the rest are counted."""

    def __init__(self, checker: str, promise: str) -> None:
        self._checker = checker
        self._promise = promise
        self._kept: list[Finding] = []
        self._found: Counter[str] = Counter()
        self._note = ""
        self.checks = 0
        self.legal: Counter[str] = Counter()

    def find(self, anomaly: str, sentence: str, *entries: Entry, at: float | None = None) -> None:
        """A violation, shown by ``entries``; it became visible when the last of them ended, unless told otherwise."""
        self._found[anomaly] += 1
        if self._found[anomaly] > SENTENCES_MAX:
            return
        self._kept.append(
            Finding(
                checker=self._checker,
                anomaly=anomaly,
                sentence=sentence,
                at=max(entry.ended for entry in entries) if at is None else at,
                entries=sorted({entry.index for entry in entries}),
                places=_places(entries),
            )
        )

    def undecided(self, note: str) -> None:
        """Why nothing can be said, though there was something to look at."""
        self._note = note

    def result(self) -> CheckerResult:
        """Violated if anything was found; else unknown if nothing was compared or it is undecided; else valid."""
        findings = [self._with_count(finding) for finding in sorted(self._kept, key=lambda finding: finding.at)]
        if not findings and not self.checks:
            self._note = self._note or "the history holds nothing that could be compared"
        return CheckerResult(
            checker=self._checker,
            promise=self._promise,
            verdict=Verdict.VIOLATED if findings else Verdict.UNKNOWN if self._note else Verdict.VALID,
            checks=self.checks,
            findings=findings,
            legal=dict(sorted(self.legal.items())),
            note=self._note,
        )

    def _with_count(self, finding: Finding) -> Finding:
        """Tell with the first finding of an anomaly how many were left out."""
        more = self._found[finding.anomaly] - SENTENCES_MAX
        first = next(kept for kept in self._kept if kept.anomaly == finding.anomaly)
        if more <= 0 or finding is not first:
            return finding
        return replace(finding, sentence=f"{finding.sentence} ({more:,} more of this kind are not listed)")


def _places(entries: Iterable[Entry]) -> Sequence[str]:
    return list(dict.fromkeys(entry.planned.region for entry in entries))
