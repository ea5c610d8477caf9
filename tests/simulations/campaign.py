"""The campaign of mutants: seeds to first detection, and by what.

``python -m tests.simulations.campaign [NAME ...] [--density N]`` prints the table of ``docs/simulation.md``. With a
density every mutant also runs ``N`` seeds to the end, to tell how many of them find it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulations.mutants import MUTANTS, Mutant

from atoll.simulation.running import run
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.verdict import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How a mutant was found: after how many seeds, and what the first finding was."""

    mutant: Mutant
    seeds: int
    finding: Finding
    density: str = ""


def detect(mutant: Mutant) -> Detection | None:
    """Run seeds until one is violated; ``None`` if the mutant survives its budget."""
    scenario = load_scenario(find(mutant.scenario))
    for seed in range(mutant.seeds):
        found = _findings(scenario, mutant, seed)
        if found:
            return Detection(mutant=mutant, seeds=seed + 1, finding=found[0])
    return None


def _findings(scenario: object, mutant: Mutant, seed: int) -> Sequence[Finding]:
    with mutant.alive():
        result = run(scenario, seed)  # type: ignore[arg-type]
    if result.verdict is not Verdict.VIOLATED:
        return []
    return [finding for checker in result.checkers for finding in checker.findings]


def _density(mutant: Mutant, seeds: int) -> str:
    scenario = load_scenario(find(mutant.scenario))
    hits = sum(bool(_findings(scenario, mutant, seed)) for seed in range(seeds))
    return f"{hits} of {seeds}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--density", type=int, default=0)
    given = parser.parse_args()
    columns = ["mutant", "the bug", "promise", "scenario", "found by", "seeds to first"]
    columns += ["density"] if given.density else []
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name in given.names or MUTANTS:
        mutant = MUTANTS[name]
        detection = detect(mutant)
        by = f"{detection.finding.checker}: {detection.finding.anomaly}" if detection else "**survived**"
        cells = [f"`{name}`", mutant.bug, mutant.promise, mutant.scenario, by]
        cells.append(str(detection.seeds) if detection else f"> {mutant.seeds}")
        cells += [_density(mutant, given.density)] if given.density else []
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
