"""What may befall any ring, for asking how it would fare: each region lost, each cut off, each pair cut.

A situation holds in the middle third of a run, so that there is a calm time before and after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from atoll.ids import RegionName
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.scenario.scenario import Expectation, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One thing that befalls a ring; no faults: a calm sea."""

    name: str
    faults: Sequence[Fault] = ()


def situations(regions: Sequence[RegionName], seconds: float) -> Sequence[Situation]:
    """The loss of each region, each region cut off from all others, and each pair cut; of two regions, the pair
    alone, for cutting one off is the same."""
    losses = [
        Situation(name=f"{each} is lost", faults=[_fault(FaultKind.LOSE_REGION, [each], seconds)]) for each in regions
    ]
    pairs = [
        Situation(name=f"{one} | {other} is cut", faults=[_cut([(one, other)], seconds)])
        for one, other in combinations(regions, 2)
    ]
    isolations = [
        Situation(
            name=f"{each} is cut off",
            faults=[_cut([(each, other) for other in regions if other != each], seconds)],
        )
        for each in regions
    ]
    return [*losses, *(isolations if len(regions) > 2 else ()), *pairs]


def calm(scenario: Scenario) -> Scenario:
    """The scenario without anything that goes wrong in it, and without its author's expectations of that."""
    return replace(scenario, faults=(), stories=(), swarm=None, expectation=Expectation())


def middle_third(seconds: float) -> tuple[float, float]:
    """From when to when a situation holds."""
    return seconds / 3, seconds * 2 / 3


def _cut(pairs: Sequence[tuple[RegionName, RegionName]], seconds: float) -> Fault:
    links = [link for one, other in pairs for link in (f"{one}>{other}", f"{other}>{one}")]
    return _fault(FaultKind.CUT, links, seconds)


def _fault(kind: FaultKind, targets: Sequence[str], seconds: float) -> Fault:
    began, ended = middle_third(seconds)
    return Fault(
        at_seconds=round(began, 3),
        duration_seconds=round(ended - began, 3),
        kind=kind,
        targets=tuple(targets),
        parameters={"reset": 0} if kind is FaultKind.CUT else {},
    )
