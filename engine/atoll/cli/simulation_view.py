"""Sweeps, predictions and comparisons for people: what was found first, what it is worth after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from atoll.cli.tables import plain_table
from atoll.simulation.campaign import density
from atoll.simulation.campaign.comparison import Comparison, Row
from atoll.simulation.campaign.measures import Estimate, Measure, Topic, Unit
from atoll.simulation.campaign.prediction import Prediction
from atoll.simulation.campaign.seeds import Job
from atoll.simulation.campaign.shrinking import Shrunk
from atoll.simulation.campaign.sweep import SweepResult
from atoll.simulation.report.statistics import spread
from atoll.simulation.report.terminal import STYLES, Whole, grid
from atoll.simulation.report.words import NOTHING, duration, listed, percent, plural
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.verdict import Verdict

UNFINISHED_MAX = 5
"""Runs without an end that are told one by one. Larger: the failures scroll away."""


def sweep_view(result: SweepResult, replay_of: Callable[[Job], str]) -> RenderableType:
    """The verdict of a sweep; ``replay_of`` gives the command that repeats a job."""
    parts: list[RenderableType] = [_headline(result), _facts(result)]
    parts += _failures(result, replay_of)
    parts += _unfinished(result)
    if density.faults(result):
        parts += [Text(""), _faults(result)]
    return Group(*parts)


def _headline(result: SweepResult) -> Text:
    names = listed(dict.fromkeys(outcome.job.scenario.name for outcome in result.outcomes))
    ended = len(result.outcomes)
    runs = plural(ended, "run") if ended == result.planned else f"{ended:,} of {plural(result.planned, 'run')}"
    pace = f"{duration(result.real_seconds / ended)} each" if ended else ""
    style = STYLES[result.verdict]
    return Text.assemble(
        (f" {result.verdict.upper()} ", f"bold reverse {style}"),
        f"  {runs} of {names or 'nothing'} in {duration(result.real_seconds)}" + (f", {pace}" if pace else ""),
        (f" ({result.stopped})" if result.stopped else ""),
    )


def _facts(result: SweepResult) -> Table:
    facts = grid()
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    checkers = density.checkers(result)
    checks = sum(each.checks for each in checkers)
    facts.add_row("checked", f"{plural(checks, 'thing')} by {plural(len(checkers), 'checker')}")
    if result.repeated:
        same = result.repeated - len(result.differences)
        facts.add_row(
            "repeated", f"{plural(result.repeated, 'run')} by another process, {same:,} with the same trace"
        )
    converged = spread(s.converged_seconds for s in result.summaries if s.converged_seconds is not None)
    if converged is not None:
        times = f"p50 {duration(converged.p50)}, p99 {duration(converged.p99)}, at most {duration(converged.max)}"
        facts.add_row("converged", times)
    facts.add_row("allowed", _allowed(result))
    for name, note in result.never_checked.items():
        facts.add_row("[yellow]never checked[/]", escape(f"{name}: {note}"))
    if idle := density.never_bit(result):
        facts.add_row("[yellow]never bit[/]", listed(kind.replace("_", " ") for kind in idle))
    return facts


def _allowed(result: SweepResult) -> str:
    found = [f"{each.name} {each.count:,} (in {plural(each.runs, 'run')})" for each in density.anomalies(result)]
    return escape(", ".join(found)) or "no anomaly, not even one that the promises allow"


def _failures(result: SweepResult, replay_of: Callable[[Job], str]) -> Iterator[RenderableType]:
    for each in density.failures(result):
        rate = f"{plural(each.runs, 'run')}, {each.per_thousand:.3g} of a thousand"
        yield Text(f"violated: {each.failure}: {rate}", style="bold red")
        first = f"{each.first.job.scenario.name}, seed {each.first.job.seed}: {each.sentence}"
        yield Padding(escape(first), (0, 0, 0, 2))
        yield Whole(f"  {replay_of(each.first.job)}")
    for job, finding in result.differences:
        yield Text(f"violated: {finding.anomaly}: {job.scenario.name}, seed {job.seed}", style="bold red")
        yield Padding(escape(finding.sentence), (0, 0, 0, 2))


def _unfinished(result: SweepResult) -> Iterator[RenderableType]:
    for each in result.unfinished[:UNFINISHED_MAX]:
        yield Text(f"unknown: {each.job.scenario.name}, seed {each.job.seed}: {each.reason}", style="yellow")
    if len(result.unfinished) > UNFINISHED_MAX:
        yield Text(
            f"and {plural(len(result.unfinished) - UNFINISHED_MAX, 'more run')} without an end", style="yellow"
        )


def _faults(result: SweepResult) -> Table:
    table = plain_table("fault", ">done", ">in runs", ">bit in runs", ">bites")
    for each in density.faults(result):
        style = "yellow" if each.done and not each.bites else ""
        figures = [f"{number:,}" for number in (each.done, each.runs_done, each.runs_bitten, each.bites)]
        table.add_row(each.kind.replace("_", " "), *figures, style=style)
    return table


def shrunk_view(shrunk: Shrunk) -> RenderableType:
    """How far a failure shrank."""
    facts = grid()
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("failure", escape(str(shrunk.failure)))
    facts.add_row("shrank", shrunk.describe())
    facts.add_row("took", f"{plural(shrunk.runs, 'run')}, {duration(shrunk.seconds)}")
    if shrunk.stopped:
        facts.add_row("[yellow]stopped[/]", f"{shrunk.stopped}: it may shrink further")
    return facts


def scenarios_table(scenarios: Iterable[Scenario]) -> Table:
    """What there is to run."""
    table = plain_table("scenario", "group", "what happens")
    for each in scenarios:
        table.add_row(each.name, each.group.value, escape(each.title))
    return table


# -- predictions --------------------------------------------------------------------------------------------------


def prediction_view(prediction: Prediction) -> RenderableType:
    """A prediction, topic by topic, and what it rests on."""
    parts: list[RenderableType] = []
    for topic in (Topic.WRITE_LATENCY, Topic.READ_LATENCY, Topic.STALENESS):
        parts += _titled(f"{topic.title} (p50 / p99)", _quantiles(prediction, topic))
    for topic in (Topic.WRITES_SERVED, Topic.READS_SERVED):
        parts += _titled(f"{topic.title}, by the region asked", _situations(prediction, topic))
    parts += _titled("concurrent writes per 1,000 writes of a field", _conflicts(prediction))
    parts += [Text(f"left out: {text}", style="yellow") for text in prediction.failed]
    parts += [Text(text, style="dim") for text in prediction.limits]
    return Group(*parts)


def _titled(title: str, table: Table | None) -> list[RenderableType]:
    return [] if table is None else [Text(title, style="bold"), Padding(table, (0, 0, 1, 2))]


def _of(prediction: Prediction, topic: Topic) -> Mapping[Measure, Estimate]:
    return {measure: found for measure, found in prediction.estimates.items() if measure.topic is topic}


def _quantiles(prediction: Prediction, topic: Topic) -> Table | None:
    found = _of(prediction, topic)
    if not found:
        return None
    table = plain_table("", ">p50", ">p99", ">over the seeds, p99")
    for what in dict.fromkeys(measure.what for measure in found):
        middle, high = found[Measure(topic, what, "p50")], found[Measure(topic, what, "p99")]
        span = f"{number(high.low, topic.unit)} - {number(high.high, topic.unit)}"
        table.add_row(what, number(middle.mean, topic.unit), number(high.mean, topic.unit), span)
    return table


def _situations(prediction: Prediction, topic: Topic) -> Table | None:
    found = _of(prediction, topic)
    if not found:
        return None
    regions = list(dict.fromkeys(measure.what for measure in found))
    table = plain_table("while", *(f">{region}" for region in regions))
    for situation in dict.fromkeys(measure.situation for measure in found):
        cells = [found.get(Measure(topic, region, situation=situation)) for region in regions]
        shares = [number(cell.mean, topic.unit) if cell else NOTHING for cell in cells]
        table.add_row(situation or "all is well", *shares)
    return table


def _conflicts(prediction: Prediction) -> Table | None:
    found = _of(prediction, Topic.CONFLICTS)
    if not found:
        return None
    table = plain_table("field", ">met", ">discarded by lww")
    for measure, met in found.items():
        discarded = prediction.estimates[Measure(Topic.DISCARDED, measure.what)]
        table.add_row(measure.what, rate(met.mean), rate(discarded.mean))
    return table


# -- comparisons --------------------------------------------------------------------------------------------------


def comparison_view(comparison: Comparison) -> RenderableType:
    """Two sides, row by row; a difference that exceeds the spread over the seeds is marked with the better side."""
    table = plain_table("", f">A {comparison.a}", f">B {comparison.b}", ">B - A", ">by chance", "better")
    shown = [row for row in comparison.rows if row.a or row.b]
    for row in shown:
        table.add_row(*_comparison_cells(row))
    parts: list[RenderableType] = [table, Text(""), _comparison_sum(comparison, shown)]
    parts += [Text(f"side {side.upper()}: {_verdicts(found)}") for side, found in comparison.verdicts.items()]
    parts += [Text(f"left out: {text}", style="yellow") for text in comparison.failed]
    parts += [Text(text, style="dim") for text in comparison.limits]
    return Group(*parts)


def _comparison_sum(comparison: Comparison, shown: Sequence[Row]) -> Text:
    if shown and not comparison.can_tell:
        return Text("one seed cannot tell a difference from chance: take more, with --seeds", style="bold yellow")
    clear = sum(row.clear for row in shown)
    return Text(
        f"{clear} of {plural(len(shown), 'row')} differ by more than chance (95%, seed by seed)", style="bold"
    )


def _comparison_cells(row: Row) -> Sequence[str]:
    unit = row.measure.topic.unit
    figures = [NOTHING if value is None else number(value, unit) for value in (row.a, row.b)]
    sign = "" if row.difference is None else "+" if row.difference >= 0 else "-"
    change = NOTHING if row.difference is None else f"{sign}{number(abs(row.difference), unit)}"
    chance = NOTHING if row.spread is None else f"±{number(row.spread, unit)}"
    better = f"[green]{row.better.upper()}[/]" if row.better else ""
    what = f"{row.measure}, {unit.value}" if unit is Unit.PER_THOUSAND else str(row.measure)
    return (escape(what), *figures, change, chance, better)


def _verdicts(found: Mapping[Verdict, int]) -> str:
    return ", ".join(f"{count:,} {verdict}" for verdict, count in found.items() if count)


def number(value: float, unit: Unit) -> str:
    """A measured number with its unit."""
    match unit:
        case Unit.MILLISECONDS:
            return duration(value / 1_000)
        case Unit.SHARE:
            return percent(value)
        case Unit.PER_THOUSAND:
            return rate(value)


def rate(value: float) -> str:
    """Three figures, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
