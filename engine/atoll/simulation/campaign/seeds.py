"""Which seeds a sweep runs on which scenarios, in which order, and which of them twice. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from atoll.simulation.scenario.scenario import Scenario

TWICE_PERCENT = 5
"""Share of runs that are repeated to prove that they are deterministic. Larger: the sweep takes that much longer."""


class Job(NamedTuple):
    """One run of a sweep."""

    scenario: Scenario
    seed: int
    regression: bool = False
    """Whether the seed once failed, and is named by the scenario for that."""


def deal(scenarios: Sequence[Scenario], seeds: Sequence[int]) -> list[Job]:
    """The seeds that once failed, on their scenarios; then each of ``seeds`` on one scenario, in turn, so that the
    number of runs does not grow with the number of scenarios. No job comes twice."""
    assert scenarios, "a sweep is of something"
    jobs = [Job(scenario, seed, True) for scenario in scenarios for seed in scenario.seeds]
    jobs += [Job(scenarios[index % len(scenarios)], seed) for index, seed in enumerate(seeds)]
    first: dict[tuple[str, int], Job] = {}
    for job in jobs:
        first.setdefault((job.scenario.name, job.seed), job)
    return list(first.values())


def chosen_twice(jobs: Sequence[Job]) -> list[Job]:
    """About one in twenty, chosen by name and seed alone; one at least, if there is any."""
    chosen = [job for job in jobs if _lot(job) < TWICE_PERCENT]
    return chosen or list(jobs[:1])


def _lot(job: Job) -> int:
    """A number from 0 to 99 that is the same in every sweep."""
    digest = hashlib.sha256(f"{job.scenario.name}:{job.seed}:twice".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100
