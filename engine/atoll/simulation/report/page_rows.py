"""The rows of a run's tables: figures put in the order and the words in which the page shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.ids import RegionName
from atoll.simulation.history import Entry
from atoll.simulation.report.availability import ByRegion
from atoll.simulation.report.backlog import Peak
from atoll.simulation.report.coverage import counts_of, measures_of
from atoll.simulation.report.figures import Figures
from atoll.simulation.report.findings import finding_classes
from atoll.simulation.report.staleness import Matrix
from atoll.simulation.report.statistics import Spread
from atoll.simulation.report.words import between, count, duration, two_durations
from atoll.simulation.result import ConflictCount, RunResult
from atoll.simulation.verdict import CheckerResult, Finding

_NUMBER = re.compile(r"(I\d+(?:, I\d+)*):?\s+(.*)", re.DOTALL)
_WARMTH_MAX = 0.62
"""Opacity of the warmest cell: text stays legible on it."""
_COLD_SECONDS, _HOT_SECONDS = 0.01, 60.0
PEAKS_MAX = 10
"""Lines of backlog peaks of each kind."""
VALUE_CHARACTERS_MAX = 120
"""Of a value that an operation returned. Larger: one set fills the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseRow:
    """One checker: the promise's number, if it begins with one, and what was checked."""

    checker: CheckerResult
    number: str
    words: str
    note: str
    seen: Mapping[str, int]
    """What the promise allows, and happened."""
    measured: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRow:
    """One operation of a finding."""

    session: str
    region: str
    what: str
    record: str
    began: str
    ended: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One finding with the operations that show it."""

    finding: Finding
    entries: Sequence[OperationRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingBlock:
    """One class of findings: the first of them, and how many there are."""

    anomaly: str
    promise: str
    rows: Sequence[FindingRow]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One phase of an availability table."""

    name: str
    by_region: ByRegion


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityTable:
    """Availability around one incident (``number``), around all, or of the whole run."""

    number: int
    title: str
    columns: Sequence[Column]
    errors: Mapping[RegionName, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a heat matrix; ``warmth`` is the opacity of its colour."""

    words: str
    warmth: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRow:
    """One reader."""

    reader: RegionName
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMatrix:
    """Staleness of one part of the run."""

    title: str
    rows: Sequence[HeatRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakRow:
    """One series' highest point."""

    what: str
    where: str
    peak: Peak
    drained: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardedRow:
    """One acknowledged value that ``lww`` dropped."""

    field: str
    key: str
    lost: str
    kept: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRow:
    """One field."""

    field: str
    met: int
    discarded: int
    share: float | None


def promise_rows(result: RunResult) -> list[PromiseRow]:
    """Every checker, the worst verdict first."""
    rows = []
    for checker in sorted(result.checkers, key=lambda each: -each.verdict.rank):
        found = _NUMBER.match(checker.promise)
        number, words = found.groups() if found else ("", checker.promise)
        row = PromiseRow(
            checker=checker,
            number=number,
            words=words,
            note=checker.note,
            seen=counts_of(checker),
            measured=measures_of(checker),
        )
        rows.append(row)
    return rows


def finding_blocks(result: RunResult, most: int) -> list[FindingBlock]:
    """Every class of findings with the first ``most`` of it, in the order in which they became visible."""
    entries = {entry.index: entry for entry in result.history}
    return [
        FindingBlock(
            anomaly=each.anomaly,
            promise=f"{each.checker.promise} ({each.checker.checker})",
            rows=[
                FindingRow(
                    finding=finding,
                    entries=[_operation(entries[index]) for index in finding.entries if index in entries],
                )
                for finding in each.findings[:most]
            ],
            total=len(each.findings),
        )
        for each in finding_classes(result)
    ]


def availability_tables(found: Figures) -> list[AvailabilityTable]:
    """Around all incidents first, then around each; the whole run if there were none."""
    around = found.all_phases
    if around is None:
        whole = Column(name="whole run", by_region=found.summary.availability)
        return [AvailabilityTable(number=0, title="The whole run", columns=[whole], errors=found.errors)]
    tables = []
    single = len(found.phases) == 1
    for number, part in enumerate([*([] if single else [around]), *found.phases], start=1 if single else 0):
        incident = part.incident
        columns = [
            Column(name="before", by_region=part.before),
            Column(name="during", by_region=part.during),
            Column(name="after", by_region=part.after),
        ]
        title = incident.title if number else "All faults together"
        title = f"{title}, {between(incident.began, incident.ended)}"
        tables.append(AvailabilityTable(number=number, title=title, columns=columns, errors=part.errors))
    return tables


def heat_matrices(regions: Sequence[RegionName], found: Figures) -> list[HeatMatrix]:
    """Before, during and after the faults, by truth; then what clients could tell. Empty parts are left out."""
    parts = found.staleness
    named: list[tuple[str, Matrix]] = [("Before the faults" if found.incidents else "The whole run", parts.before)]
    named += [("During the faults", parts.during), ("After the faults", parts.after)]
    named += [("As clients could tell, from what reads lacked", found.seen_staleness)]
    return [
        HeatMatrix(title=title, rows=[_heat_row(reader, matrix, regions) for reader in regions])
        for title, matrix in named
        if matrix
    ]


def backlog_rows(found: Figures) -> list[PeakRow]:
    """The highest peaks of batches and of logs; what was always zero is left out."""
    batches = [
        _peak_row("batches behind", f"{each.reader} of {each.origin}", each.batches)
        for each in found.backlogs[:PEAKS_MAX]
        if each.batches.peak
    ]
    logs = [_peak_row("rows in the log", each.shard, each.rows) for each in found.logs[:PEAKS_MAX] if each.rows.peak]
    return batches + logs


def conflict_rows(conflicts: Mapping[str, ConflictCount]) -> list[ConflictRow]:
    """Every field in which writes met, what lost most first."""
    rows = [
        ConflictRow(
            field=name, met=each.met, discarded=each.discarded, share=each.discarded / each.met if each.met else None
        )
        for name, each in conflicts.items()
        if each.met or each.discarded
    ]
    return sorted(rows, key=lambda row: (-row.discarded, -row.met, row.field))


def discarded_rows(conflicts: Mapping[str, ConflictCount], most: int) -> list[DiscardedRow]:
    """The first values that were dropped, by time, ``most`` of them."""
    every = [(each, name) for name, count in conflicts.items() for each in count.examples]
    return [
        DiscardedRow(
            field=name,
            key=each.key,
            lost=_bounded(str(each.lost)),
            kept=_bounded(str(each.kept)),
            at=f"{each.at:.3f} s",
        )
        for each, name in sorted(every, key=lambda pair: (pair[0].at, pair[1], pair[0].key))[:most]
    ]


def warmth(seconds: float) -> float:
    """From 0 for what nobody notices to 1 for a minute and more, by order of magnitude."""
    if seconds <= _COLD_SECONDS:
        return 0.0
    return min(1.0, math.log(seconds / _COLD_SECONDS) / math.log(_HOT_SECONDS / _COLD_SECONDS))


def warmth_of(seconds: float) -> str:
    """:func:`warmth` as the opacity of a cell's colour."""
    return f"{_WARMTH_MAX * warmth(seconds):.2f}"


def _heat_row(reader: RegionName, matrix: Matrix, regions: Sequence[RegionName]) -> HeatRow:
    row = matrix.get(reader, {})
    return HeatRow(reader=reader, cells=[_cell(reader, origin, row.get(origin)) for origin in regions])


def _cell(reader: RegionName, origin: RegionName, found: Spread | None) -> Cell:
    if found is None:
        return Cell(words="" if reader == origin else "-", warmth="0", told="")
    told = f"{reader} of {origin}: at most {duration(found.max)}, {count(found.count)} measurements"
    return Cell(words=two_durations(found), warmth=warmth_of(found.p99), told=told)


def _peak_row(what: str, where: str, peak: Peak) -> PeakRow:
    drained = "not within the run" if peak.drain_seconds is None else f"in {duration(peak.drain_seconds)}"
    if peak.peak <= peak.normal:
        drained = "nothing to drain"
    return PeakRow(what=what, where=where, peak=peak, drained=drained)


def _operation(entry: Entry) -> OperationRow:
    planned = entry.planned
    argument = "" if planned.argument is None else f" {planned.argument!r}"
    outcome = f"{entry.status}" + (f": {entry.error}" if entry.error else "")
    if entry.value is not None:
        outcome += f", {_bounded(repr(entry.value))}"
    return OperationRow(
        session=entry.session,
        region=planned.region,
        what=f"{planned.action}{argument}",
        record=f"{planned.collection}/{planned.key}" + (f".{planned.field}" if planned.field else ""),
        began=f"{entry.began:.4f} s",
        ended=f"{entry.ended:.4f} s",
        outcome=outcome,
    )


def _bounded(content: str) -> str:
    return content if len(content) <= VALUE_CHARACTERS_MAX else f"{content[: VALUE_CHARACTERS_MAX - 1]}…"
