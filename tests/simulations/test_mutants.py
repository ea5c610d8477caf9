"""Every known bug is found by the simulator within its budget of seeds."""

from __future__ import annotations

import pytest
from tests.simulations.campaign import detect
from tests.simulations.mutants import MUTANTS


def test_campaign_has_at_least_fifteen_mutants() -> None:
    assert len(MUTANTS) >= 15


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found_within_its_budget(name: str) -> None:
    mutant = MUTANTS[name]
    assert detect(mutant) is not None, (
        f"{mutant.seeds} seeds of {mutant.scenario} did not notice this bug: {mutant.bug} ({mutant.promise})"
    )
