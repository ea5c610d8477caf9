"""Every known bug is found by the simulator within its budget of seeds, and by nothing but the bug."""

from __future__ import annotations

import pytest
from tests.simulations.campaign import is_found, shortened
from tests.simulations.mutants.registry import MUTANTS

from atoll.simulation.campaign.runs import findings_of
from atoll.simulation.running import run
from atoll.simulation.verdict import Verdict

WITHOUT_BUG = sorted({(mutant.scenario, mutant.seconds, mutant.seed) for mutant in MUTANTS.values()})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found_within_its_budget(name: str) -> None:
    mutant = MUTANTS[name]
    assert is_found(mutant), (
        f"{mutant.budget} seeds of {mutant.scenario} did not notice this bug: {mutant.bug} ({mutant.promise})"
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("scenario", "seconds", "seed"), WITHOUT_BUG)
def test_run_without_the_bug_has_nothing_to_find(scenario: str, seconds: float, seed: int) -> None:
    result = run(shortened(scenario, seconds), seed)
    assert result.verdict is not Verdict.VIOLATED, findings_of(result)
