"""The campaign of mutants: seeds to first detection, by what, and how many seeds find each.

``python -m tests.simulations.campaign [NAME ...] [--seeds N]`` prints the table of ``docs/simulation.md``. Without
``--seeds`` a mutant's runs end with the first that finds it, or with its budget; with it each runs ``N`` seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Sequence

from tests.simulations.mutants.mutant import Mutant
from tests.simulations.mutants.registry import MUTANTS

from atoll.simulation.campaign.runs import findings_of
from atoll.simulation.running import run
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.verdict import Finding


def shortened(name: str, seconds: float) -> Scenario:
    """A scenario of the library, with no more than so many seconds of traffic and faults."""
    scenario = load_scenario(find(name))
    return dataclasses.replace(scenario, seconds=min(seconds, scenario.seconds))


def findings(mutant: Mutant, seed: int) -> Sequence[Finding]:
    """What one seed shows of a mutant, in the order in which it became visible; nothing if it was not noticed."""
    scenario = shortened(mutant.scenario, mutant.seconds)
    with mutant.alive():
        return findings_of(run(scenario, seed))


def is_found(mutant: Mutant) -> bool:
    """Whether a seed of the budget finds it; begins with the one that is known to."""
    seeds = [mutant.seed, *(seed for seed in range(mutant.budget) if seed != mutant.seed)]
    return any(findings(mutant, seed) for seed in seeds)


def _row(mutant: Mutant, seeds: Iterable[int], *, until_found: bool) -> str:
    hits: list[int] = []
    tried = 0
    first: Sequence[Finding] = ()
    for seed in seeds:
        tried += 1
        if found := findings(mutant, seed):
            hits.append(seed)
            first = first or found
            if until_found:
                break
    cells = [f"`{mutant.name}`", mutant.bug, mutant.promise, mutant.scenario, _by(first)]
    cells.append(str(hits[0] + 1) if hits else f"**more than {tried}**")
    cells += [] if until_found else [f"{len(hits)} of {tried}"]
    return " | ".join(cells)


def _by(found: Sequence[Finding]) -> str:
    """The first class of failure, and by how many checkers it was seen in the same run."""
    if not found:
        return "nobody"
    others = len({finding.checker for finding in found}) - 1
    more = f" (and {others} more)" if others else ""
    return f"{found[0].checker}: {found[0].anomaly}{more}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", type=int, default=0)
    given = parser.parse_args()
    columns = ["mutant", "the bug", "promise", "scenario", "first found by", "seeds to first"]
    columns += ["density"] if given.seeds else []
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name in given.names or MUTANTS:
        mutant = MUTANTS[name]
        seeds = range(given.seeds or mutant.budget)
        print(f"| {_row(mutant, seeds, until_found=not given.seeds)} |", flush=True)


if __name__ == "__main__":
    main()
