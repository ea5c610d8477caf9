"""The report of a run as one HTML file that needs nothing else: no network, no other file, no program.

Everything is escaped by the templates; pictures come as markup from :mod:`atoll.simulation.report.drawing`.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from atoll.simulation.report.availability import OperationClass, asked_by_clients
from atoll.simulation.report.drawing.availability_strip import availability_strip
from atoll.simulation.report.drawing.curves import backlog_curves, staleness_curves
from atoll.simulation.report.drawing.lanes import lanes_picture
from atoll.simulation.report.figures import Figures, figures
from atoll.simulation.report.findings import finding_classes
from atoll.simulation.report.page_rows import (
    availability_tables,
    backlog_rows,
    conflict_rows,
    discarded_rows,
    finding_blocks,
    heat_matrices,
    promise_rows,
)
from atoll.simulation.report.page_words import convergence, findings_lead, tiles, verdict_sentence
from atoll.simulation.report.templating import rendered
from atoll.simulation.report.timeline import Window, window
from atoll.simulation.report.words import plural
from atoll.simulation.result import RunResult
from atoll.simulation.verdict import Finding

INCIDENTS_MAX = 40
"""Lines in the list of faults. Larger: a page of which nobody sees the end."""

TABLES_MAX = 6
"""Faults whose availability is shown one by one. Larger: the same."""

FINDINGS_MAX = 10
"""Findings of one kind that are told, the first with its operations. Larger: the same."""


DISCARDED_MAX = 20
"""Discarded values that are listed. Larger: the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A drawn window and what to say of it."""

    picture: Markup
    lead: str


def render_page(result: RunResult, replay: str = "") -> str:
    """The page of one run; ``replay`` is the command that repeats it. The same arguments give the same text."""
    found = figures(result)
    entries = asked_by_clients(result.history)
    seconds = max([result.plan.seconds, *(sample.at for sample in result.samples[-1:])])
    findings = finding_blocks(result, FINDINGS_MAX)
    tables = availability_tables(found)
    return rendered(
        "run.html.j2",
        result=result,
        figures=found,
        replay=replay,
        classes=list(OperationClass),
        verdict_sentence=verdict_sentence(result),
        tiles=tiles(result, found),
        findings=findings,
        findings_lead=findings_lead(findings),
        timeline=_timeline(result, found),
        promises=promise_rows(result),
        shown_incidents=found.incidents[:INCIDENTS_MAX],
        strip=availability_strip(entries, result.regions, seconds, found.incidents) if entries else "",
        availability_tables=tables[: TABLES_MAX + 1],
        hidden_tables=max(0, len(found.phases) - TABLES_MAX) if len(found.phases) > 1 else 0,
        has_latencies=any(found.summary.latency_ms.values()),
        heat=heat_matrices(result.regions, found),
        staleness_picture=staleness_curves(result.samples, result.regions, found.incidents),
        convergence=convergence(result),
        backlog_picture=backlog_curves(result.samples, result.regions, found.incidents),
        backlog_rows=backlog_rows(found),
        conflict_rows=conflict_rows(result.conflicts),
        discarded_rows=discarded_rows(result.conflicts, DISCARDED_MAX),
    )


def _timeline(result: RunResult, found: Figures) -> Timeline | None:
    classes = finding_classes(result)
    finding = classes[0].findings[0] if classes else None
    shown = window(result, found.incidents, finding)
    if shown is None:
        return None
    return Timeline(picture=lanes_picture(shown, result.regions, found.incidents), lead=_lead(shown, finding, result))


def _lead(shown: Window, finding: Finding | None, result: RunResult) -> str:
    about = "around the first violation" if finding else "around the first fault"
    said = f"{shown.ended - shown.began:.2f} s {about}; point at anything to read what it is."
    if not result.events:
        return f"{said} The run was not recorded: only what clients saw is drawn."
    if outside := len(shown.named - {entry.index for entry in shown.entries}):
        said += f" Not in it, since too long before: {plural(outside, 'operation')} that the finding names."
    if shown.left_out:
        said += f" Left out: {plural(shown.left_out, 'event')} of other regions, or too many to follow."
    return said
