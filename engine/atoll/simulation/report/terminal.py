"""The verdict in the terminal: some twenty lines that say whether the promises held, and what it cost.

Plain ASCII apart from what findings quote, so that a pipe and a log get the same text as a terminal; colours come
from rich and vanish where there is no terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from atoll.ids import RegionName
from atoll.simulation.report.availability import OperationClass
from atoll.simulation.report.figures import Figures, figures
from atoll.simulation.report.findings import finding_classes
from atoll.simulation.report.staleness import Matrix
from atoll.simulation.report.statistics import Tally
from atoll.simulation.report.summary import plain_values
from atoll.simulation.report.words import (
    NOTHING,
    between,
    count,
    counted,
    duration,
    listed,
    plural,
    share_of,
    two_durations,
)
from atoll.simulation.result import RunResult
from atoll.simulation.verdict import CheckerResult, Verdict

STYLES: Mapping[Verdict, str] = {Verdict.VALID: "green", Verdict.UNKNOWN: "yellow", Verdict.VIOLATED: "red"}
FINDINGS_MAX = 3
"""Kinds of findings told in the terminal; the page has all of them. Larger: the verdict scrolls away."""


class Whole:
    """A line that is never broken, however narrow the terminal, since it is there to be copied. To be printed with
    ``crop=False``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line."""
        yield Segment(self._text)
        yield Segment.line()


def render_run(result: RunResult, replay: str = "") -> RenderableType:
    """The verdict of one run, to be printed with ``crop=False``. ``replay`` is the command that repeats it."""
    found = figures(result)
    parts: list[RenderableType] = [headline(result), _facts(result, found)]
    if replay:
        parts.append(Whole(f"replay         {replay}"))
    parts += _findings(result)
    parts += [Text(""), _around_faults(result, found)]
    return Group(*parts)


def as_json(result: RunResult, replay: str = "") -> dict[str, Any]:
    """The run for scripts: verdict, checkers with findings, and every figure; no history and no events."""
    found = figures(result)
    return {
        "scenario": result.scenario,
        "seed": result.seed,
        "verdict": result.verdict.value,
        "replay": replay,
        "checkers": plain_values(result.checkers),
        "figures": plain_values(found),
        "faults": plain_values(result.faults),
        "messages": result.messages,
        "bytes_carried": result.bytes_carried,
        "tier": result.tier,
        "skipped": list(result.skipped),
    }


def headline(result: RunResult) -> Text:
    """``VIOLATED  atlantic-cable-cut, seed 4: 3 of 5 checkers satisfied, 1 could not tell, 1 violated, 9 checks``."""
    checks = sum(checker.checks for checker in result.checkers)
    style = STYLES[result.verdict]
    return Text.assemble(
        (f" {result.verdict.upper()} ", f"bold reverse {style}"),
        f"  {result.scenario}, seed {result.seed}: ",
        f"{_judged(result.checkers)}, {plural(checks, 'check')}",
    )


def _judged(checkers: Sequence[CheckerResult]) -> str:
    """How the checkers ended; one that could not tell is not counted as one that failed."""
    verdicts = [checker.verdict for checker in checkers]
    held = verdicts.count(Verdict.VALID)
    if held == len(verdicts):
        return f"{held} of {plural(held, 'checker')} satisfied"
    words = {Verdict.UNKNOWN: "could not tell", Verdict.VIOLATED: "violated"}
    others = [f"{verdicts.count(each)} {word}" for each, word in words.items() if each in verdicts]
    return ", ".join((f"{held} of {plural(len(verdicts), 'checker')} satisfied", *others))


def grid() -> Table:
    """A table without lines, for short columns of text."""
    return Table.grid(padding=(0, 2, 0, 0))


def _facts(result: RunResult, found: Figures) -> Table:
    facts = grid()
    facts.add_column(style="dim", no_wrap=True, min_width=len("proved little"))
    facts.add_column()
    summary = found.summary
    facts.add_row(
        "run",
        f"{plural(len(result.regions), 'region')}, {plural(summary.operations, 'operation')}, "
        f"{plural(len(result.faults), 'fault')}; {duration(result.simulated_seconds)} {result.tier_word} in "
        f"{duration(result.real_seconds)}",
    )
    if result.is_real:
        facts.add_row("on", result.tier)
    for reason in result.skipped:
        facts.add_row("[yellow]skipped[/]", escape(reason))
    facts.add_row("converged", _convergence(result))
    facts.add_row("conflicts", _conflicts(result))
    facts.add_row("allowed", escape(counted(summary.legal)) or "no anomaly, not even one that the promises allow")
    facts.add_row("bit", escape(_bites(found)))
    for region, errors in found.errors.items():
        if errors:
            facts.add_row("failed", f"{region}: {escape(counted(errors))}")
    for reason in summary.proved_little:
        facts.add_row("[yellow]proved little[/]", escape(reason))
    return facts


def _convergence(result: RunResult) -> str:
    if result.converged_seconds is None:
        return f"[red]no[/], not within {duration(result.plan.settle_seconds)} after everything was mended"
    return f"{duration(result.converged_seconds)} after everything was mended"


def _conflicts(result: RunResult) -> str:
    met = sum(each.met for each in result.conflicts.values())
    if result.is_real:
        return "not to be seen from outside"
    if not met:
        return "none: no two concurrent writes met in one field"
    losers = {name: each.discarded for name, each in result.conflicts.items() if each.discarded}
    lost = f"lww discarded {escape(counted(losers))}" if losers else "nothing was discarded"
    return f"{count(met)} concurrent writes met; {lost}"


def _bites(found: Figures) -> str:
    bit = [f"{bite.kind.replace('_', ' ')} ({counted(bite.bites)})" for bite in found.bites if bite.bit]
    idle = [bite.kind.replace("_", " ") for bite in found.bites if not bite.bit]
    return "; ".join(bit + ([f"without effect: {', '.join(idle)}"] if idle else [])) or "nothing"


def _findings(result: RunResult) -> Iterator[RenderableType]:
    """What is violated, then what is unknown: of the latter those with the same reason together."""
    classes = finding_classes(result)
    for each in classes[:FINDINGS_MAX]:
        again = f", {len(each.findings)} times" if len(each.findings) > 1 else ""
        yield Text(f"violated: {_promise(each.checker)}: {each.anomaly}{again}", style="bold red")
        yield Padding(escape(each.findings[0].sentence), (0, 0, 0, 2))
    if len(classes) > FINDINGS_MAX:
        yield Padding(f"and {plural(len(classes) - FINDINGS_MAX, 'other kind')} of finding", (0, 0, 0, 2))
    unknown: dict[str, list[CheckerResult]] = {}
    for checker in result.checkers:
        if checker.verdict is Verdict.UNKNOWN:
            unknown.setdefault(checker.note or "nothing was checked", []).append(checker)
    for note, checkers in unknown.items():
        several = f"{len(checkers)} checkers: {listed(checker.checker for checker in checkers)}"
        yield Text(f"unknown: {_promise(checkers[0]) if len(checkers) == 1 else several}", style="yellow")
        yield Padding(escape(note), (0, 0, 0, 2))


def _promise(checker: CheckerResult) -> str:
    return f"{checker.promise} [{checker.checker}]"


def _around_faults(result: RunResult, found: Figures) -> Table:
    """Availability and staleness by region, before, during and after the faults."""
    around = found.all_phases
    title = f"faults: {between(around.incident.began, around.incident.ended)}" if around else "no faults"
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(title, overflow="fold")
    table.add_column("region", overflow="fold")
    for heading in ("before", "during", "after") if around else ("whole run",):
        table.add_column(heading, justify="right", overflow="fold")
    for kind in OperationClass:
        rows = [(region, _shares(found, region, kind)) for region in result.regions]
        _add_block(table, f"{kind}s that went well", rows)
    _add_block(table, "stale p50 / p99", [(region, _stale(found, region)) for region in result.regions])
    return table


def _add_block(table: Table, title: str, rows: Sequence[tuple[RegionName, Sequence[Text]]]) -> None:
    """A row a region under one title; nothing at all if there is nothing to show in any of them."""
    if all(cell.plain == NOTHING for _, cells in rows for cell in cells):
        return
    for place, (region, cells) in enumerate(rows):
        table.add_row(title if place == 0 else "", region, *cells)


def _shares(found: Figures, region: RegionName, kind: OperationClass) -> list[Text]:
    around = found.all_phases
    parts = (around.before, around.during, around.after) if around else (found.summary.availability,)
    return [_coloured(part[region][kind]) for part in parts]


def _coloured(tally: Tally) -> Text:
    poor = tally.share is not None and tally.share < 1
    return Text(share_of(tally), style="yellow" if poor else "")


def _stale(found: Figures, region: RegionName) -> list[Text]:
    parts = (found.staleness.before, found.staleness.during, found.staleness.after)
    return [Text(_worst_origin(part, region)) for part in (parts if found.all_phases else parts[:1])]


def _worst_origin(matrix: Matrix, reader: RegionName) -> str:
    """The spread towards the origin that the reader knew least of, by the 99th percentile."""
    row = matrix.get(reader, {})
    return two_durations(max(row.values(), key=lambda found: found.p99)) if row else NOTHING
