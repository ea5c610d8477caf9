"""The fast scenarios keep every promise, on many seeds: the sweep that runs at every change.

``ATOLL_SIMULATION_SEEDS`` says how many seeds; each goes to one scenario in turn, after those that once failed.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from atoll.simulation.campaign.runs import findings_of
from atoll.simulation.campaign.seeds import deal
from atoll.simulation.campaign.selection import select
from atoll.simulation.campaign.sweep import SweepResult, sweep
from atoll.simulation.running import run
from atoll.simulation.verdict import Verdict

SEEDS_DEFAULT = 80
"""What two cores do in five minutes."""

SEEDS = int(os.environ.get("ATOLL_SIMULATION_SEEDS", SEEDS_DEFAULT))

FAST = select(["fast"])


@pytest.fixture(scope="module")
def swept() -> SweepResult:
    return sweep(deal(FAST.scenarios, range(1, SEEDS + 1)), processes=2)


def test_calm_sea_is_calm() -> None:
    (calm,) = select(["calm-sea"]).scenarios
    result = run(calm, 1)
    assert result.verdict is Verdict.VALID, findings_of(result)


@pytest.mark.slow
@pytest.mark.timeout(60 + 15 * SEEDS)
class TestSweep:
    def test_no_promise_is_broken(self, swept: SweepResult) -> None:
        broken = {FAST.replay(each.job): each.summary.findings[:3] for each in swept.violated if each.summary}
        assert not broken

    def test_every_run_comes_to_its_end(self, swept: SweepResult) -> None:
        assert {FAST.replay(each.job): each.reason for each in swept.unfinished} == {}
        assert len(swept.outcomes) == swept.planned

    def test_run_repeated_in_another_process_is_the_same(self, swept: SweepResult) -> None:
        assert swept.repeated
        assert {FAST.replay(job): finding.sentence for job, finding in swept.differences} == {}

    def test_every_checker_could_check(self, swept: SweepResult) -> None:
        assert swept.never_checked == {}
        checked = Counter[str]()
        for summary in swept.summaries:
            checked.update(summary.checks)
        assert not [checker for checker, checks in checked.items() if not checks]

    def test_every_kind_of_fault_bit(self, swept: SweepResult) -> None:
        done = {kind for outcome in swept.outcomes for kind in outcome.kinds}
        assert done, "a sweep has faults"
        assert done <= _kinds_that_bit(swept)


def _kinds_that_bit(swept: SweepResult) -> set[str]:
    return {name.partition(":")[0] for s in swept.summaries for name, count in s.bites.items() if count}
