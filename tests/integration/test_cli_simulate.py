"""What is wrong with a simulation is said in one clear sentence, exit code 2, before anything runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.command_line import SMALL_RING, run_atoll, wait_until

from atoll import __version__
from atoll.simulation.campaign.selection import select
from atoll.simulation.campaign.token import ReplayToken

STORY = """
title = "A storm"
[ring]
regions = ["frankfurt", "dallas"]
[[traffic]]
workload = "adds"
collection = "things"
field = "tags"
operations_per_second = 10
"""
CABLE = """
[[fault]]
kind = "link"
between = ["frankfurt", "dallas"]
at_seconds = 1
for_seconds = 2
"""


def refused(folder: Path, *arguments: str) -> str:
    """Run ``atoll simulate`` with what must be refused; returns what was said."""
    before = sorted(folder.rglob("*"))
    run = run_atoll("simulate", *arguments, cwd=folder)
    assert run.returncode == 2, (run.stdout, run.stderr)
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    assert sorted(folder.rglob("*")) == before, "nothing may be written"
    return run.stderr


def test_unknown_scenario_is_named_with_the_likely_one(tmp_path: Path) -> None:
    said = refused(tmp_path, "run", "calm-see")
    assert "no scenario 'calm-see'" in said
    assert "did you mean 'calm-sea'?" in said


def test_missing_file_says_where_scenarios_are(tmp_path: Path) -> None:
    assert "storm.toml: no such file" in refused(tmp_path, "run", "storm.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STORY + CABLE.replace('"link"', '"lnik"'), "did you mean 'link'?"),
        (STORY + CABLE.replace('"dallas"]', '"dalas"]'), "did you mean 'dallas'?"),
        (STORY.replace('"adds"', '"ads"'), "did you mean 'adds'?"),
        (STORY.replace('"things"', '"thing"'), "did you mean 'things'?"),
        (STORY + "[netwrok]\n", "netwrok"),
        (STORY + "x = [", "not valid TOML"),
    ],
    ids=["fault", "region", "workload", "collection", "table", "syntax"],
)
def test_unknown_word_in_a_file_is_named_with_the_likely_one(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "storm.toml").write_text(text, encoding="utf-8")
    said = refused(tmp_path, "run", "storm.toml")
    assert says in said
    assert "storm.toml" in said


def test_table_of_latencies_with_a_hole_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("from,frankfurt,dallas\nfrankfurt,0,\ndallas,120,0\n")
    (tmp_path / "storm.toml").write_text(STORY + '[network]\nlatency = "mine.csv"\n')
    said = refused(tmp_path, "run", "storm.toml")
    assert "mine.csv, line 2" in said
    assert "frankfurt to dallas" in said


def test_token_of_another_version_is_refused_though_its_scenario_is_gone(tmp_path: Path) -> None:
    token = ReplayToken(
        version="0.0.1", source="00000000", python="3.11", scenario="gone", scenario_hash="00000000", seed=1
    )
    for command in ("replay", "shrink"):
        assert f"the token is of Atoll 0.0.1 and this is Atoll {__version__}" in refused(
            tmp_path, command, str(token)
        )


def test_garbage_is_no_token(tmp_path: Path) -> None:
    assert "'42' is no replay token" in refused(tmp_path, "replay", "42")


def test_token_of_a_file_asks_for_the_file(tmp_path: Path) -> None:
    (tmp_path / "storm.toml").write_text(STORY)
    (scenario,) = select([str(tmp_path / "storm.toml")]).scenarios
    token = str(ReplayToken.of(scenario, 3))
    assert "give its file with --scenario FILE" in refused(tmp_path, "replay", token)
    (tmp_path / "storm.toml").write_text(STORY + "# edited\n")
    assert "the token is of scenario storm" in refused(tmp_path, "replay", token, "--scenario", "storm.toml")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "calm-sea", "--seed", "1", "--seeds", "5"], "give one of the two"),
        (["run", "calm-sea", "--first", "5"], "--first is where --seeds begins"),
        (["run", "calm-sea", "--seeds", "0"], "--seeds"),
        (["run", "calm-sea", "--report", "x.html", "--no-report"], "exclude each other"),
        (["run", "calm-sea", "--config", "none.toml"], "none.toml"),
        (["list", "--group", "fsat"], "did you mean 'fast'?"),
        (["predict"], "--config atoll.toml"),
        (["predict", "calm-sea", "--place", "a=b"], "go without a scenario"),
        (["compare", "calm-sea", "fast"], "fast is a group of scenarios"),
        (["compare", "calm-sea", "calm-see"], "did you mean 'calm-sea'?"),
    ],
)
def test_senseless_arguments_are_refused(arguments: list[str], says: str, tmp_path: Path) -> None:
    assert says in refused(tmp_path, *arguments)


def test_place_that_is_none_is_refused_with_the_places_there_are(tmp_path: Path) -> None:
    (tmp_path / "atoll.toml").write_text(SMALL_RING)
    assert "frankfurt" in refused(tmp_path, "predict", "--config", "atoll.toml")
    assert "'x' is not REGION=PLACE" in refused(tmp_path, "predict", "--config", "atoll.toml", "--place", "x")


def test_refusal_is_json_when_asked_for(tmp_path: Path) -> None:
    run = run_atoll("simulate", "run", "calm-see", "--json", cwd=tmp_path)
    assert run.returncode == 2
    assert json.loads(run.stdout)["error"]["code"] == "invalid_configuration"


def test_scenarios_are_listed_by_group(tmp_path: Path) -> None:
    run = run_atoll("simulate", "list", "--json", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    listed = json.loads(run.stdout)
    assert "calm-sea" in [each["name"] for each in listed]
    assert all(each["title"] and each["story"] for each in listed)
    fast = json.loads(run_atoll("simulate", "list", "--group", "fast", "--json", cwd=tmp_path).stdout)
    assert fast == [each for each in listed if each["group"] == "fast"]


@pytest.mark.parametrize("command", ["run", "replay", "shrink", "compare", "predict"])
def test_help_shows_an_example(command: str, tmp_path: Path) -> None:
    run = run_atoll("simulate", command, "--help", cwd=tmp_path)
    assert run.returncode == 0
    assert f"atoll simulate {command} " in run.stdout.replace(f"Usage: atoll simulate {command} ", "", 1)


def test_run_is_judged_and_its_replay_is_the_same_run(tmp_path: Path) -> None:
    (tmp_path / "storm.toml").write_text(STORY + CABLE + "[run]\nseconds = 4\n")
    first = run_atoll("simulate", "run", "storm.toml", "--seed", "7", "--json", cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    told = json.loads(first.stdout)
    assert told["verdict"] == "valid"
    assert "<html" in (tmp_path / told["page"]).read_text()
    again = run_atoll(*told["replay"].split()[1:], "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert without_real_time(json.loads(again.stdout)) == without_real_time(told)


def without_real_time(value: Any) -> Any:
    """What of a run's JSON is the same on every machine."""
    match value:
        case dict():
            return {key: without_real_time(item) for key, item in value.items() if key != "real_seconds"}
        case list():
            return [without_real_time(item) for item in value]
        case _:
            return value


def test_sweep_ends_at_an_interrupt_with_what_is_known_and_leaves_no_process(tmp_path: Path) -> None:
    """As from a terminal, where Ctrl-C reaches every process of the foreground."""
    (tmp_path / "storm.toml").write_text(STORY + "[run]\nseconds = 2\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    command = [
        sys.executable,
        "-m",
        "atoll.cli.main",
        "simulate",
        "run",
        "storm.toml",
        "--seeds",
        "5000",
        "--jobs",
        "2",
    ]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_until(lambda: len(group_members(process.pid)) >= 3, seconds=60)
            os.killpg(process.pid, signal.SIGINT)
            said, noted = process.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, said + noted
    assert "(interrupted)" in said
    assert "of 5,000 runs had ended" in noted
    assert "Traceback" not in noted
    wait_until(lambda: not group_members(process.pid))


def group_members(group: int) -> list[int]:
    """The processes of a process group that are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, _, process_group = (entry / "stat").read_text().rpartition(") ")[2].split()[:3]
            if int(process_group) == group and state != "Z":
                found.append(int(entry.name))
    return found
