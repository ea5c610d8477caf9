"""What the world itself has to say of a run: did the ring start, did it agree in time, did anything fail unforeseen,
was the author's expectation met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from atoll.ids import RegionName
from atoll.simulation.history import History, Status
from atoll.simulation.scenario.scenario import Expectation
from atoll.simulation.verdict import CheckerResult, Finding, Verdict


def convergence(
    met: bool, converged_seconds: float | None, settle_seconds: float, differences: Sequence[str], at: float
) -> CheckerResult:
    """Liveness: once everything is mended the ring agrees within its time."""
    findings = []
    if not met:
        findings.append(_finding("convergence", "ring does not start", "the nodes did not all start to serve", at))
    elif converged_seconds is None:
        detail = "; ".join(differences) or "batches are still on their way"
        sentence = f"{settle_seconds:g} s after everything was mended the regions do not agree: {detail}"
        findings.append(_finding("convergence", "no convergence", sentence, at))
    return _result("convergence", "liveness: all regions agree once everything is mended", 1, findings)


def failures(unforeseen: Sequence[str], at: float) -> CheckerResult:
    """Nothing in a node failed in a way that its code did not foresee."""
    findings = [_finding("failures", "unforeseen failure", sentence, at) for sentence in unforeseen]
    return _result("failures", "no part of a node fails unforeseen", 1, findings)


def expectations(
    expectation: Expectation, history: History, converged_seconds: float | None, at: float
) -> Iterator[CheckerResult]:
    """What the scenario's author expects beyond what is always promised."""
    if expectation.availability:
        findings, checks = [], 0
        for region, least in expectation.availability.items():
            share, count = _availability(history, region)
            checks += count
            if count and share < least:
                sentence = (
                    f"{share:.2%} of {count:,} operations in {region} succeeded, fewer than the {least:.2%} expected"
                )
                findings.append(_finding("expected availability", "less available than expected", sentence, at))
        yield _result("expected availability", "the scenario's own expectation", checks, findings)
    bound = expectation.converged_within_seconds
    if bound is not None and converged_seconds is not None:
        late = []
        if converged_seconds > bound:
            sentence = f"the regions agreed after {converged_seconds:.1f} s, later than the {bound:g} s expected"
            late.append(_finding("expected convergence", "converged too late", sentence, at))
        yield _result("expected convergence", "the scenario's own expectation", 1, late)


def _availability(history: History, region: RegionName) -> tuple[float, int]:
    asked = [entry for entry in history if entry.planned.region == region and not entry.final]
    served = sum(entry.status is Status.OK for entry in asked)
    return (served / len(asked) if asked else 1.0), len(asked)


def _finding(checker: str, anomaly: str, sentence: str, at: float) -> Finding:
    return Finding(checker=checker, anomaly=anomaly, sentence=sentence, at=at)


def _result(checker: str, promise: str, checks: int, findings: Sequence[Finding]) -> CheckerResult:
    verdict = Verdict.VIOLATED if findings else Verdict.VALID if checks else Verdict.UNKNOWN
    note = "" if checks else "nothing was there to be checked"
    return CheckerResult(
        checker=checker, promise=promise, verdict=verdict, checks=checks, findings=findings, note=note
    )
