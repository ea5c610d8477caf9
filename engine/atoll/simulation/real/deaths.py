"""Node processes that ended though the run had not ended them.

One that was killed from outside (by the kernel, for memory, or by somebody on this machine) says nothing about the
engine: then the run has proved nothing, in either direction.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import NamedTuple

from atoll.simulation.verdict import CheckerResult, Finding, Verdict

_CHECKER = "failures"


class Death(NamedTuple):
    """A node that ended by itself."""

    node: str
    code: int
    """Its exit code; negative: the signal that ended it."""
    at: float

    @property
    def came_from_outside(self) -> bool:
        """Whether somebody else killed it."""
        return self.code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)


def deaths(found: Sequence[Death]) -> CheckerResult:
    """What they come to."""
    findings = [
        Finding(
            checker=_CHECKER,
            anomaly="unforeseen end",
            sentence=f"{each.node} ended with {each.code} at {each.at:.1f} s, and nobody had ended it.",
            at=each.at,
            places=[each.node],
        )
        for each in found
        if not each.came_from_outside
    ]
    killed = sorted({each.node for each in found if each.came_from_outside})
    note = f"killed by somebody else, the kernel for memory perhaps: {', '.join(killed)}" if killed else ""
    return CheckerResult(
        checker=_CHECKER,
        promise="no process of a node ends unforeseen",
        verdict=Verdict.VIOLATED if findings else Verdict.UNKNOWN if killed else Verdict.VALID,
        checks=1,
        findings=findings,
        note=note,
    )
