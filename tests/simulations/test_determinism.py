"""The same scenario and seed are the same run: in one process, in others, under every hash seed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from atoll.simulation.running import run
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario

SCENARIO = "everything-at-once"

PROGRAM = f"""
from atoll.simulation.running import run
from atoll.simulation.scenario.library import find
from atoll.simulation.scenario.reading import load_scenario

result = run(load_scenario(find({SCENARIO!r})), 7)
print(result.trace_hash, result.verdict, len(result.history), result.messages, result.bytes_carried)
"""


def outcome_under(hash_seed: str) -> str:
    """What another process says of the same run."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_same_seed_has_one_trace_under_every_hash_seed() -> None:
    outcomes = {outcome_under(hash_seed) for hash_seed in ("0", "1", "random")}
    assert len(outcomes) == 1, outcomes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_run_repeated_in_one_process_is_the_same(seed: int) -> None:
    scenario = load_scenario(find(SCENARIO))
    first, second = run(scenario, seed), run(scenario, seed)
    assert first.trace_hash == second.trace_hash
    assert first.history == second.history


def test_other_seed_is_another_run() -> None:
    scenario = load_scenario(find(SCENARIO))
    assert run(scenario, 1).trace_hash != run(scenario, 2).trace_hash
