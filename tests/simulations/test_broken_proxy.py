"""A proxy between the regions that loses, doubles and swaps messages inside streams, as no TCP connection would.

The receiver must notice: a typed protocol error, a new stream, and in the end the same records everywhere.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import atoll.simulation.running as running
from atoll.simulation.plan import Action, Fault, FaultKind, Plan
from atoll.simulation.scenario.planning import make_plan
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.scenario.scenario import Expectation
from atoll.simulation.verdict import Verdict

CALM = Path(__file__).parents[2] / "simulations" / "calm-sea.toml"
SECONDS = 6.0


def broken_proxies(plan: Plan, regions: list[str]) -> Plan:
    """The plan's first seconds with bad proxies on every link, which are gone before the last writes."""
    links = [f"{source}>{target}" for source in regions for target in regions if source != target]
    bad = {"message_loss": 0.05, "message_duplicate": 0.05, "message_reorder": 0.05}
    fault = Fault(at_seconds=0.2, duration_seconds=4.0, kind=FaultKind.DEGRADE, targets=links, parameters=bad)
    operations = [operation for operation in plan.operations if operation.at_seconds < SECONDS]
    return dataclasses.replace(plan, seconds=SECONDS, operations=operations, faults=[fault])


@pytest.mark.parametrize("seed", [1])
def test_streams_that_a_proxy_garbles_are_refused_and_begun_again_without_damage(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = dataclasses.replace(load_scenario(CALM), expectation=Expectation())
    plan = broken_proxies(make_plan(scenario, seed), [str(region) for region in scenario.topology.regions])
    refusals: list[str] = []
    judged = running.Performance.judged

    def judged_with_logs(self: running.Performance, *arguments: object) -> object:
        refusals.extend(str(line) for line in self._loop.logs if "was refused" in line.event)
        return judged(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(running.Performance, "judged", judged_with_logs)
    result = running.run(scenario, seed, plan)
    assert result.verdict is Verdict.VALID, [finding for checker in result.checkers for finding in checker.findings]
    assert sum(count for bite, count in result.bites.items() if bite.startswith("degrade: messages")) > 10
    assert any("corrupt_frame" in refusal for refusal in refusals)


def test_link_that_swallows_the_last_batch_is_dialled_again() -> None:
    scenario = dataclasses.replace(load_scenario(CALM), expectation=Expectation())
    plan = broken_proxies(make_plan(scenario, 1), [str(region) for region in scenario.topology.regions])
    writes = [operation for operation in plan.operations if operation.action is Action.ADD][:1]
    swallowing = dataclasses.replace(
        plan.faults[0], at_seconds=0.0, duration_seconds=4.0, parameters={"message_loss": 1.0}
    )
    lonely = dataclasses.replace(plan, operations=writes, faults=[swallowing], settle_seconds=40.0)
    result = running.run(scenario, 1, lonely)
    assert result.converged_seconds is not None
