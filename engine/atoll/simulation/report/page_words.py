"""The sentences of a run's page: the verdict in words, the figures that stand on top, how it converged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atoll.simulation.report.figures import Figures, worst_share
from atoll.simulation.report.page_rows import FindingBlock
from atoll.simulation.report.words import NOTHING, count, duration, listed, percent, plural
from atoll.simulation.result import RunResult
from atoll.simulation.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure that stands on top of the page."""

    what: str
    value: str
    more: str


def verdict_sentence(result: RunResult) -> str:
    """What the verdict means, with the numbers it rests on."""
    held = [checker for checker in result.checkers if checker.verdict is Verdict.VALID]
    broken = [checker for checker in result.checkers if checker.verdict is Verdict.VIOLATED]
    unsure = [checker for checker in result.checkers if checker.verdict is Verdict.UNKNOWN]
    made = plural(sum(checker.checks for checker in result.checkers), "check")
    checks = f"{made} by {plural(len(result.checkers), 'checker')}"
    tail = f" {plural(len(unsure), 'checker')} could not tell." if unsure else ""
    match result.verdict:
        case Verdict.VALID:
            return f"Every promise that was checked held: {checks}."
        case Verdict.VIOLATED:
            promises = list(dict.fromkeys(checker.promise for checker in broken))
            what = promises[0] + (f"; and {plural(len(promises) - 1, 'more promise')}" if len(promises) > 1 else "")
            return f"Broken: {what}. {len(held)} of {plural(len(result.checkers), 'checker')} found nothing.{tail}"
        case Verdict.UNKNOWN:
            if not unsure:
                return "No checker looked at this run, so nothing is known of it."
            return (
                f"Nothing was seen broken, but not everything could be judged: {listed(c.checker for c in unsure)}."
            )


def findings_lead(findings: Sequence[FindingBlock]) -> str:
    """How many there are."""
    total = sum(block.total for block in findings)
    if total == 1:
        return "One finding."
    return f"{plural(total, 'finding')} of {plural(len(findings), 'kind')}, by when they became visible."


def tiles(result: RunResult, found: Figures) -> list[Tile]:
    """The five figures that people ask for first."""
    return [
        _availability(found),
        _staleness(found),
        Tile(
            what="converged after",
            value=duration(result.converged_seconds) if result.converged_seconds is not None else "not in time",
            more="once everything was mended",
        ),
        _conflicts(result),
        _backlog(found),
    ]


def convergence(result: RunResult) -> str:
    """How long it took, in a sentence."""
    if result.converged_seconds is None:
        limit = duration(result.plan.settle_seconds)
        return f"not within {limit} after traffic had ended and everything was mended."
    took = duration(result.converged_seconds)
    return f"all regions held the same {took} after traffic had ended and everything was mended."


def _availability(found: Figures) -> Tile:
    around = found.all_phases
    worst = worst_share(around.during if around else found.summary.availability)
    more = "of operations ok, in the region and class that had it worst" if worst is not None else "nobody asked"
    return Tile(what="availability in faults" if around else "availability", value=percent(worst), more=more)


def _staleness(found: Figures) -> Tile:
    spreads = [
        (each.p99, reader, origin)
        for reader, row in found.summary.staleness_seconds.items()
        for origin, each in row.items()
    ]
    if not spreads:
        return Tile(what="staleness p99", value=NOTHING, more="the ring was not sampled")
    p99, reader, origin = max(spreads)
    return Tile(what="staleness p99", value=duration(p99), more=f"{reader} of {origin}, the worst pair")


def _conflicts(result: RunResult) -> Tile:
    met = sum(each.met for each in result.conflicts.values())
    discarded = sum(each.discarded for each in result.conflicts.values())
    more = (
        f"{count(discarded)} acknowledged values discarded by lww" if discarded else "no acknowledged value discarded"
    )
    return Tile(what="conflicts met", value=count(met), more=more)


def _backlog(found: Figures) -> Tile:
    if not found.backlogs or not found.backlogs[0].batches.peak:
        return Tile(what="backlog peak", value=NOTHING, more="no region was ever behind")
    worst = found.backlogs[0]
    drained = worst.batches.drain_seconds
    more = f"{worst.reader} behind {worst.origin}, " + (
        "not drained" if drained is None else f"drained in {duration(drained)}"
    )
    return Tile(what="backlog peak", value=plural(worst.batches.peak, "batch", "batches"), more=more)
