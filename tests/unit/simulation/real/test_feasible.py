"""What real processes cannot be put through is left out by name, with the reason, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.plan import Fault, FaultKind, Plan
from atoll.simulation.real.feasible import BEYOND, feasible
from atoll.simulation.scenario.scenario import NetworkSettings

TARGETS: Mapping[FaultKind, str] = {
    **dict.fromkeys(FaultKind, "frankfurt/s1"),
    FaultKind.CUT: "frankfurt>tokyo",
    FaultKind.LOSE_REGION: "tokyo",
}


def network(loss: float = 0.0) -> NetworkSettings:
    return NetworkSettings(table=LatencyTable.built_in(), locations={}, loss=loss)


def plan(*faults: Fault, **more: object) -> Plan:
    return Plan(seconds=10, settle_seconds=10, operations=(), faults=faults, **more)  # type: ignore[arg-type]


def fault(kind: FaultKind, **parameters: float) -> Fault:
    return Fault(at_seconds=1, duration_seconds=1, kind=kind, targets=[TARGETS[kind]], parameters=parameters)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.DEGRADE])
def test_fault_of_each_kind_is_either_kept_or_named_as_skipped(kind: FaultKind) -> None:
    found = feasible(plan(fault(kind)), network())
    if kind in BEYOND:
        assert list(found.plan.faults) == []
        assert len(found.skipped) == 1
        assert BEYOND[kind] in found.skipped[0]
    else:
        assert list(found.plan.faults) == [fault(kind)]
        assert list(found.skipped) == []


def test_degradation_keeps_what_a_proxy_can_do_and_names_the_rest() -> None:
    found = feasible(plan(fault(FaultKind.DEGRADE, latency_factor=3.0, loss=0.1)), network())
    assert list(found.plan.faults) == [fault(FaultKind.DEGRADE, latency_factor=3.0)]
    assert len(found.skipped) == 1
    assert "degrade by loss" in found.skipped[0]


def test_degradation_that_is_all_loss_is_no_fault_any_more() -> None:
    found = feasible(plan(fault(FaultKind.DEGRADE, loss=0.1, reorder=0.2)), network())
    assert list(found.plan.faults) == []
    assert len(found.skipped) == 2


def test_faults_skipped_for_one_reason_are_counted_in_one_sentence() -> None:
    found = feasible(plan(fault(FaultKind.CLOCK), fault(FaultKind.CLOCK)), network())
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith("2 faults of clock")


def test_loss_knobs_embedded_clients_and_scheduling_are_named_and_taken_back() -> None:
    asked = plan(knobs={"GROUP_MAX": 1.0}, client_kind="embedded", scheduling="pct:3")
    found = feasible(asked, network(loss=0.01))
    assert (dict(found.plan.knobs), found.plan.client_kind, found.plan.scheduling) == ({}, "remote", "uniform")
    text = "; ".join(found.skipped)
    for word in ("1.00% of all packets", "GROUP_MAX", "embedded", "pct:3"):
        assert word in text


def test_plain_plan_is_left_as_it_is() -> None:
    found = feasible(plan(fault(FaultKind.CUT)), network())
    assert list(found.plan.faults) == [fault(FaultKind.CUT)]
    assert list(found.skipped) == []
