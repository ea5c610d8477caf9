"""``atoll simulate`` turns verdicts into words, pages, JSON and exit codes; the runs themselves are pretended."""

from __future__ import annotations

import io
import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.unit.simulation.campaign import worlds
from tests.unit.simulation.report import campaigns

from atoll.cli import application, simulation_commands
from atoll.cli.simulation_view import comparison_view
from atoll.simulation.campaign import runs
from atoll.simulation.campaign.runs import Runner
from atoll.simulation.real.calibration import Calibration, Figure
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.scenario.scenario import Scenario

STORY = """
title = "A storm"
story = "It blows."
seeds = [9]
[[traffic]]
workload = "adds"
collection = "things"
field = "tags"
operations_per_second = 4
[run]
seconds = 10
"""

RING = """
ring = "mine"
[regions.eu]
shards = ["s1"]
[regions.us]
shards = ["s1"]
[collections.notes]
fields = { tags = "add_wins_set" }
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario in it, to run commands in."""
    (tmp_path / "storm.toml").write_text(STORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


class Atoll:
    """Runs command lines on pretended runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._captured = captured

    def __call__(self, run: Runner, *arguments: str, code: int) -> str:
        self._monkeypatch.setattr(runs, "run_simulated", run)
        assert application.run(["simulate", *arguments]) == code
        assert not multiprocessing.active_children()
        return self._captured.readouterr().out

    def json(self, run: Runner, *arguments: str, code: int) -> Any:
        return json.loads(self(run, *arguments, "--json", code=code))


@pytest.fixture
def atoll(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Atoll:
    return Atoll(monkeypatch, capsys)


def test_run_of_one_seed_writes_a_page_and_tells_a_token_that_replays_it(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_well, "run", "storm.toml", "--seed", "4", code=0)
    assert (found["verdict"], found["seed"], found["page"]) == ("valid", 4, "simulation-reports/storm-4.html")
    assert "storm" in (here / found["page"]).read_text()
    words = found["replay"].split()
    assert words[:3] == ["atoll", "simulate", "replay"]
    again = atoll.json(worlds.run_well, *words[2:], code=0)
    assert (again["seed"], again["replay"]) == (4, found["replay"])


def test_run_without_a_seed_takes_the_first_that_once_failed(atoll: Atoll, here: Path) -> None:
    assert atoll.json(worlds.run_well, "run", "storm.toml", code=0)["seed"] == 9


def test_violation_is_exit_code_1_and_says_what_was_violated(atoll: Atoll, here: Path) -> None:
    said = atoll(worlds.run_badly_each_third, "run", "storm.toml", "--seed", "3", code=1)
    assert "VIOLATED" in said
    assert "lost write at 40 s" in said
    assert "simulation-reports/storm-3.html" in said


def test_run_without_an_end_is_exit_code_3_with_the_reason(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_and_die_on_two, "run", "storm.toml", "--seed", "2", code=3)
    assert found["error"]["code"] == "unknown"
    assert "SIGKILL" in found["error"]["message"]


def test_page_goes_where_it_is_wanted_or_nowhere(atoll: Atoll, here: Path) -> None:
    (here / "pages").mkdir()
    command = ["run", "storm.toml", "--seed", "4"]
    assert atoll.json(worlds.run_well, *command, "--report", "a/b.html", code=0)["page"] == "a/b.html"
    assert atoll.json(worlds.run_well, *command, "--report", "pages", code=0)["page"] == "pages/storm-4.html"
    assert atoll.json(worlds.run_well, *command, "--no-report", code=0)["page"] is None
    assert not (here / "simulation-reports").exists()
    assert (here / "a" / "b.html").is_file()


def test_page_where_no_file_can_be_is_refused(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_well, "run", "storm.toml", "--report", "storm.toml/x.html", code=2)
    assert "storm.toml/x.html cannot be written" in found["error"]["message"]


@pytest.mark.parametrize("where", ["/proc/page.html", "/proc/pages/", "storm.toml/page.html"])
def test_page_that_cannot_be_written_is_refused_before_the_run(where: str, atoll: Atoll, here: Path) -> None:
    assert atoll(worlds.run_and_die_on_two, "run", "storm.toml", "--seed", "2", "--report", where, code=2) == ""


def test_page_of_a_name_that_ends_in_a_slash_goes_into_that_folder(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_well, "run", "storm.toml", "--seed", "4", "--report", "pages/new/", code=0)
    assert found["page"] == "pages/new/storm-4.html"
    assert (here / found["page"]).is_file()


def test_sweep_tells_each_run_and_draws_the_first_failure(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_badly_each_third, "run", "storm.toml", "--seeds", "4", "--jobs", "1", code=1)
    assert [each["seed"] for each in found["runs"]] == [9, 1, 2, 3, 4], "seeds that once failed come first"
    (failure,) = found["failures"]
    assert (failure["anomaly"], failure["runs"], failure["seed"]) == ("lost write", 2, 9)
    assert found["page"] == "simulation-reports/sweep-storm.html"
    assert found["failure_page"] == "simulation-reports/storm-9.html"
    assert all((here / found[page]).is_file() for page in ("page", "failure_page"))


def test_page_of_the_first_failure_lies_beside_that_of_the_sweep(atoll: Atoll, here: Path) -> None:
    command = ["run", "storm.toml", "--seeds", "1", "--jobs", "1", "--report", "pages/sweep.html"]
    found = atoll.json(worlds.run_badly_each_third, *command, code=1)
    assert (found["page"], found["failure_page"]) == ("pages/sweep.html", "pages/storm-9.html")


def test_sweep_says_what_it_was_worth(atoll: Atoll, here: Path) -> None:
    said = atoll(worlds.run_with_toothless_faults, "run", "storm.toml", "--seeds", "3", "--jobs", "1", code=0)
    assert "VALID" in said
    assert "4 runs of storm" in said
    assert "1 run by another process, 1 with the same trace" in said
    assert "never bit" in said
    assert "clock" in said
    assert "stale read 12 (in 4 runs)" in said


def test_sweep_begins_where_it_is_told(atoll: Atoll, here: Path) -> None:
    command = ["run", "storm.toml", "--seeds", "2", "--first", "100", "--jobs", "1"]
    assert [each["seed"] for each in atoll.json(worlds.run_well, *command, code=0)["runs"]] == [9, 100, 101]


def test_sweep_ends_at_its_first_violation_when_asked_to(atoll: Atoll, here: Path) -> None:
    command = ["run", "storm.toml", "--seeds", "50", "--fail-fast", "--jobs", "1"]
    found = atoll.json(worlds.run_badly_each_third, *command, code=1)
    assert (found["stopped"], len(found["runs"])) == ("fail-fast", 1)


def test_sweep_with_a_run_that_died_is_unknown(atoll: Atoll, here: Path) -> None:
    said = atoll(worlds.run_and_die_on_two, "run", "storm.toml", "--seeds", "3", "--jobs", "1", code=3)
    assert "UNKNOWN" in said
    assert "storm, seed 2: the worker process died: SIGKILL" in said


def test_run_that_is_not_deterministic_is_a_violation(atoll: Atoll, here: Path) -> None:
    said = atoll(worlds.run_by_chance, "run", "storm.toml", "--seeds", "1", "--jobs", "1", code=1)
    assert "not deterministic" in said
    assert "they part at event 2" in said


def test_several_scenarios_are_run_each_with_its_own_seed(atoll: Atoll, here: Path) -> None:
    (here / "calm.toml").write_text(STORY.replace("seeds = [9]", ""))
    found = atoll.json(worlds.run_well, "run", "storm.toml", "calm.toml", "--jobs", "1", code=0)
    assert [(each["scenario"], each["seed"]) for each in found["runs"]] == [("storm", 9), ("calm", 1)]


def test_group_is_run_as_a_whole(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_well, "run", "fast", "--jobs", "2", code=0)
    assert "calm-sea" in [each["scenario"] for each in found["runs"]]


def test_failure_shrinks_to_a_file_that_fails_by_itself(atoll: Atoll, here: Path) -> None:
    run = worlds.run_badly_when_it_writes
    token = atoll.json(run, "run", "storm.toml", "--seed", "3", code=1)["replay"].split()[3]
    command = ["shrink", token, "--scenario", "storm.toml", "--out", "small.toml"]
    found = atoll.json(run, *command, code=0)
    assert found["fails_by_itself"]
    assert found["operations"]["after"] == 1 < found["operations"]["before"]
    assert found["faults"]["after"] == 0
    small = load_scenario(here / "small.toml")
    assert len(small.operations) == 1
    assert len(small.topology.regions) == 1
    assert "storm, seed 3, that ends with: lost write (sets)" in small.story
    assert atoll.json(run, "run", "small.toml", code=1)["verdict"] == "violated"


def test_run_that_does_not_fail_cannot_shrink(atoll: Atoll, here: Path) -> None:
    token = atoll.json(worlds.run_well, "run", "storm.toml", "--seed", "3", code=0)["replay"].split()[3]
    found = atoll.json(worlds.run_well, "shrink", token, "--scenario", "storm.toml", code=2)
    assert "seed 3 of storm does not fail, not at all: there is nothing to shrink" in found["error"]["message"]
    assert not list(here.glob("*minimal*"))


def test_prediction_shows_every_situation_and_its_limits(atoll: Atoll, here: Path) -> None:
    said = atoll(worlds.run_without_the_lost, "predict", "storm.toml", "--seeds", "1", "--jobs", "1", code=0)
    assert "write latency (p50 / p99)" in said
    assert "frankfurt is lost" in said
    assert "throughput, saturation and queues" in said


def test_prediction_needs_a_configuration_alone(atoll: Atoll, here: Path) -> None:
    (here / "atoll.toml").write_text(RING)
    command = ["predict", "--config", "atoll.toml", "--place", "eu=frankfurt", "--place", "us=dallas"]
    found = atoll.json(worlds.run_without_the_lost, *command, "--seeds", "2", "--jobs", "1", code=0)
    assert found["runs"] == 8
    assert (here / "simulation-reports" / "predict-atoll.html").is_file()
    served = {
        (each["situation"], each["what"]): each["mean"]
        for each in found["measures"]
        if each["measure"] == "writes served"
    }
    assert served["eu is lost", "eu"] == 0.0
    assert served["eu is lost", "us"] == 1.0
    assert found["limits"]


@pytest.mark.parametrize(
    ("places", "says"),
    [
        (["--place", "us=dallas"], "where is eu? say --place eu=PLACE; places in latency-ibm"),
        (["--place", "eu=frankfurt", "--place", "us=mars"], "--place us=mars: no place 'mars'"),
        (["--place", "uk=frankfurt"], "--place uk=frankfurt: no region 'uk'"),
    ],
)
def test_prediction_asks_for_places_in_words_of_the_command_line(
    places: list[str], says: str, atoll: Atoll, here: Path
) -> None:
    (here / "atoll.toml").write_text(RING)
    found = atoll.json(worlds.run_well, "predict", "--config", "atoll.toml", *places, code=2)
    assert says in found["error"]["message"]


def test_configuration_given_for_a_scenario_is_told_what_is_missing(atoll: Atoll, here: Path) -> None:
    (here / "atoll.toml").write_text(RING)
    found = atoll.json(worlds.run_well, "compare", "atoll.toml", "storm.toml", code=2)
    assert "--scenario NAME" in found["error"]["message"]
    assert "\n" not in found["error"]["message"]


def test_comparison_of_a_scenario_with_itself_differs_nowhere(atoll: Atoll, here: Path) -> None:
    found = atoll.json(worlds.run_well, "compare", "storm.toml", "storm.toml", "--seeds", "3", "--jobs", "1", code=0)
    assert found["rows"]
    assert not [row for row in found["rows"] if row["clear"]]
    assert (here / found["page"]).is_file()
    said = atoll(worlds.run_well, "compare", "storm.toml", "storm.toml", "--seeds", "3", "--jobs", "1", code=0)
    assert "0 of" in said
    assert "differ by more than chance" in said


def test_comparison_names_the_unit_of_rows_that_are_rates() -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(comparison_view(campaigns.comparison()))
    assert isinstance(console.file, io.StringIO)
    assert "status, per 1,000 writes" in console.file.getvalue()


def test_comparison_of_one_seed_says_that_it_cannot_tell(atoll: Atoll, here: Path) -> None:
    said = atoll(worlds.run_well, "compare", "storm.toml", "storm.toml", "--seeds", "1", "--jobs", "1", code=0)
    assert "one seed cannot tell" in said
    assert "differ by more than chance" not in said


def test_run_on_real_processes_shows_the_run_and_how_near_its_simulation_was(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pretended(scenario: Scenario, seed: int, *, directory: Path) -> Calibration:
        directory.mkdir(parents=True)
        result = worlds.run_well(scenario, seed)
        measured = replace(result, tier="real processes", skipped=["1 fault of clock: no such hands"])
        figure = Figure(name="write latency p50", predicted=0.002, measured=0.003)
        return Calibration(predicted=result, measured=measured, figures=[figure], cores=2, load=0.5)

    monkeypatch.setattr(simulation_commands, "calibrate", pretended)
    assert application.run(["simulate", "run", "storm.toml", "--real", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tier"], found["skipped"], found["kept"]) == (
        "real processes",
        ["1 fault of clock: no such hands"],
        None,
    )
    assert found["calibration"]["figures"]["write latency p50"]["error"] == pytest.approx(0.001)
    assert "no such hands" in (here / found["page"]).read_text()
    assert application.run(["simulate", "run", "storm.toml", "--real", "--no-report"]) == 0
    told = capsys.readouterr().out
    assert "no such hands" in told
    assert "+50%" in told


def test_run_on_real_processes_is_of_one_seed(here: Path) -> None:
    assert (here / "storm.toml").exists()
    assert application.run(["simulate", "run", "storm.toml", "--real", "--seeds", "2"]) == 2
