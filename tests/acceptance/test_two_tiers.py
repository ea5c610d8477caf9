"""One small scenario in both tiers: what the simulator predicts, and what real processes then do.

The bounds are wide on purpose: the measured side has this machine's CPU in it, which others use as well. What they
would still notice is a link that is not kept, a fault that does not bite, a ring that does not come back.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console

from atoll.simulation.plan import FaultKind
from atoll.simulation.real.calibration import Calibration, calibrate
from atoll.simulation.real.running import run_for_real
from atoll.simulation.scenario.reading import read_scenario
from atoll.simulation.verdict import Verdict

SCENARIO = """
title = "Two tiers"
story = "A cable is cut, and while its ends still look for each other a node is killed."

[ring]
regions = ["frankfurt", "washington-dc", "tokyo"]
shards = 1

[ring.collections.shop]
fields = { items = "add_wins_set", stock = "counter", status = "lww" }

[[traffic]]
workload = "adds"
collection = "shop"
field = "items"
operations_per_second = 12
keys = 4
reads = 0.6

[[traffic]]
workload = "counters"
collection = "shop"
field = "stock"
operations_per_second = 4

[[traffic]]
workload = "registers"
collection = "shop"
field = "status"
operations_per_second = 4

[[fault]]
kind = "link"
between = ["frankfurt", "tokyo"]
at_seconds = 3
for_seconds = 4

[[fault]]
kind = "crash_node"
targets = ["washington-dc/n1"]
at_seconds = 8
for_seconds = 1

[run]
seconds = 15
settle_seconds = 45
"""

ALL_THAT_CAN_BE_DONE = """
title = "All that can be done to real processes"
story = "Processes are killed and stopped, servers crash and stall, a stranger forgets a transaction, a cable breaks."

[ring]
regions = ["frankfurt", "washington-dc", "tokyo"]
shards = 1

[ring.zones.atlantic]
home = "frankfurt"
regions = ["frankfurt", "washington-dc"]

[ring.collections.shop]
fields = { items = "add_wins_set", status = "lww" }

[ring.collections.people]
placement = "hybrid"
zone = "atlantic"
fields = { tags = "add_wins_set" }

[network]
client_latency_ms = 2

[[traffic]]
workload = "adds"
collection = "shop"
field = "items"
operations_per_second = 6

[[traffic]]
workload = "adds"
collection = "people"
field = "tags"
operations_per_second = 4

[[traffic]]
workload = "registers"
collection = "shop"
field = "status"
operations_per_second = 4

[[fault]]
kind = "pause_node"
targets = ["tokyo/n1"]
at_seconds = 1
for_seconds = 2

[[fault]]
kind = "degrade"
targets = ["washington-dc>frankfurt"]
latency_factor = 3
loss = 0.1
at_seconds = 1
for_seconds = 4

[[fault]]
kind = "stall_shard"
targets = ["frankfurt/s1"]
at_seconds = 2
for_seconds = 2

[[fault]]
kind = "crash_shard"
targets = ["frankfurt/s1"]
at_seconds = 5
for_seconds = 1

[[fault]]
kind = "prepared_transaction"
targets = ["washington-dc/s1"]
at_seconds = 4
for_seconds = 4

[[fault]]
kind = "clock"
targets = ["tokyo/n1"]
offset_ms = 500
at_seconds = 1
for_seconds = 2

[[fault]]
kind = "lose_region"
targets = ["tokyo"]
at_seconds = 6
for_seconds = 1

[[fault]]
kind = "cut"
targets = ["frankfurt>washington-dc"]
reset = 1
at_seconds = 7
for_seconds = 2

[run]
seconds = 12
settle_seconds = 60
"""

BITES = (
    "pause_node: processes stopped",
    "degrade: links made worse",
    "stall_shard: servers stopped",
    "crash_shard: servers killed",
    "prepared_transaction: transactions forgotten",
    "lose_region: regions lost",
    "crash_node: processes killed",
    "cut: connections reset",
)

FAULTLESS = 0.995
SLOW_MACHINE_SECONDS = 2.0
"""What a busy machine may add to a latency of some milliseconds."""


def processes_of(directory: Path) -> list[int]:
    """Processes whose command line names the run's directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if os.fsencode(directory) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    directory = tmp_path_factory.mktemp("two-tiers") / "ring"
    found = calibrate(read_scenario(SCENARIO, "two-tiers"), 1, directory=directory)
    Console(width=150).print(found.table())
    assert processes_of(directory) == [], "a run leaves no process behind"
    return found


def findings(calibration: Calibration) -> list[str]:
    return [
        finding.sentence
        for result in (calibration.predicted, calibration.measured)
        for checker in result.checkers
        for finding in checker.findings
    ]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_scenario_in_both_tiers_keeps_every_promise_and_the_prediction_is_near(calibration: Calibration) -> None:
    predicted, measured = calibration.predicted, calibration.measured
    assert findings(calibration) == []
    assert predicted.verdict is not Verdict.VIOLATED
    assert measured.verdict is not Verdict.VIOLATED
    assert list(measured.skipped) == []
    assert [fault.kind for fault in measured.faults] == [FaultKind.CUT, FaultKind.CRASH_NODE]
    assert measured.bites["cut: pieces held back"] > 0
    assert measured.bites["crash_node: processes killed"] == 1
    assert len(measured.history) == len(predicted.history)
    for name in ("write latency p50", "read latency p50"):
        figure = calibration.figure(name)
        assert figure.error is not None
        assert abs(figure.error) < SLOW_MACHINE_SECONDS, name
    near, cut_off = calibration.figure("availability tokyo"), calibration.figure("availability washington-dc")
    assert near.measured is not None
    assert near.measured > FAULTLESS
    assert cut_off.measured is not None
    assert cut_off.measured > 0.5
    convergence = calibration.figure("convergence")
    assert convergence.error is not None
    assert convergence.error < 30.0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_fault_of_this_tier_bites_breaks_no_promise_and_the_others_are_named(tmp_path: Path) -> None:
    scenario = read_scenario(ALL_THAT_CAN_BE_DONE, "all-that-can-be-done")
    result = run_for_real(scenario, 1, directory=tmp_path / "ring")
    assert [finding.sentence for checker in result.checkers for finding in checker.findings] == []
    assert result.verdict is not Verdict.VIOLATED
    assert [bite for bite in BITES if not result.bites.get(bite)] == []
    assert [reason.partition(":")[0] for reason in result.skipped] == [
        "1 fault of clock",
        "1 fault of degrade by loss",
    ]
    [residency] = [checker for checker in result.checkers if checker.checker == "residency"]
    assert residency.verdict is Verdict.VALID
    assert result.converged_seconds is not None
    assert processes_of(tmp_path) == [], "a run leaves no process behind"
