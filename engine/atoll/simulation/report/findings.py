"""Findings by class: forty findings are often one failure, told by its first examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.simulation.history import Entry
from atoll.simulation.result import RunResult
from atoll.simulation.verdict import CheckerResult, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingClass:
    """All findings of one anomaly by one checker, by their moments."""

    checker: CheckerResult
    anomaly: str
    findings: Sequence[Finding]
    moment: float
    """Of the first."""


def finding_classes(result: RunResult) -> list[FindingClass]:
    """Every class, the one that was visible first, first."""
    entries = {entry.index: entry for entry in result.history}
    groups: dict[tuple[str, str], list[tuple[CheckerResult, Finding]]] = {}
    for checker in result.checkers:
        for finding in checker.findings:
            groups.setdefault((checker.checker, finding.anomaly), []).append((checker, finding))
    found = []
    for (_, anomaly), group in groups.items():
        ordered = sorted((finding for _, finding in group), key=lambda each: moment_of(each, entries))
        first = moment_of(ordered[0], entries)
        found.append(FindingClass(checker=group[0][0], anomaly=anomaly, findings=ordered, moment=first))
    return sorted(found, key=lambda each: each.moment)


def moment_of(finding: Finding, entries: Mapping[int, Entry]) -> float:
    """When the violation became visible: at the end of the last operation that shows it. Some checkers see only the
    whole run, and say its end."""
    ends = [entries[index].ended for index in finding.entries if index in entries]
    return min([finding.at, *([max(ends)] if ends else [])])
