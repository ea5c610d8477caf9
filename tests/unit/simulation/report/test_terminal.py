"""The verdict in the terminal: short, complete, plain where there is no terminal."""

from __future__ import annotations

import io

import orjson
import pytest
from rich.console import Console, RenderableType
from tests.unit.simulation.report.results import FIVE, checker, cut, result, story

from atoll.simulation.report.terminal import as_json, render_run
from atoll.simulation.verdict import Finding, Verdict

REPLAY = "atoll simulate replay r1:0.1.0:3f9c2e81:3.11:atlantic-cable-cut:9a7c12d0:42:5e"


def printed(what: RenderableType, width: int = 100, terminal: bool = False) -> str:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=terminal, color_system="standard" if terminal else None).print(
        what
    )
    return file.getvalue()


def test_verdict_of_a_realistic_run_fits_a_screen() -> None:
    said = printed(render_run(story(violated=True), REPLAY))
    assert said.startswith(" VIOLATED ")
    assert len(said.splitlines()) <= 28
    for fact in (
        "3.4 s after everything was mended",
        "lww discarded users.email 37",
        "long fork 3, stale read 212",
        "without effect: clock",
        "violated: I9 a session reads what its token covers [sessions]",
        "unknown: I7 every increment counts exactly once [counters]",
        "frankfurt: session not covered 10",
        REPLAY,
    ):
        assert fact in said, fact


@pytest.mark.parametrize("width", [60, 80, 200])
def test_pipe_gets_plain_ascii(width: int) -> None:
    said = printed(render_run(story(regions=FIVE, violated=True), REPLAY), width)
    assert said.isascii()
    assert "\x1b" not in said


def test_command_to_repeat_a_run_can_be_copied_from_a_narrow_terminal() -> None:
    file = io.StringIO()
    Console(file=file, width=40).print(render_run(story(), REPLAY), crop=False)
    assert any(line.endswith(REPLAY) for line in file.getvalue().splitlines())


def test_terminal_gets_colours() -> None:
    assert "\x1b[" in printed(render_run(story()), terminal=True)


def test_availability_is_told_before_during_and_after() -> None:
    lines = printed(render_run(story())).splitlines()
    row = next(line for line in lines if line.startswith("reads that went well"))
    assert row.split()[4:] == ["frankfurt", "100", "%", "97.0", "%", "100", "%"]


def test_run_that_proved_little_says_why() -> None:
    said = printed(render_run(result()))
    assert said.count("proved little") == 3
    assert "No fault was planned" in said


def test_ring_that_did_not_converge_says_so() -> None:
    assert "no, not within 30 s" in printed(render_run(result(converged_seconds=None)))


def test_words_of_others_are_not_taken_for_markup() -> None:
    finding = Finding(checker="[red]", anomaly="[bold]", sentence="[/] and [x]", at=1.0)
    said = printed(render_run(result(checkers=(checker("[red]", promise="[a]", findings=(finding,)),)), "[replay]"))
    for words in ("[a] [[red]]: [bold]", "[/] and [x]", "[replay]"):
        assert words in said


def test_kinds_of_findings_are_told_by_their_first_and_not_all_of_them() -> None:
    findings = tuple(
        Finding(checker="c", anomaly=f"anomaly {n % 5}", sentence=f"number {n}", at=float(n)) for n in range(20)
    )
    said = printed(render_run(result(checkers=(checker(findings=findings),))))
    assert "anomaly 0, 4 times" in said
    assert "number 0" in said
    assert "number 5" not in said
    assert "anomaly 3" not in said
    assert "and 2 other kinds of finding" in said


def test_checkers_that_do_not_know_for_the_same_reason_are_told_together_and_after_what_is_violated() -> None:
    idle = [
        checker(name, verdict=Verdict.UNKNOWN, checks=0, note="nothing to compare") for name in ("dots", "clocks")
    ]
    broken = checker(findings=(Finding(checker="c", anomaly="lost", sentence="It is gone.", at=1.0),))
    said = printed(render_run(result(checkers=(*idle, broken))))
    assert "unknown: 2 checkers: dots, clocks" in said
    assert said.count("nothing to compare") == 1
    assert said.index("It is gone.") < said.index("unknown:")


def test_json_has_everything_that_the_terminal_says() -> None:
    said = orjson.loads(orjson.dumps(as_json(story(violated=True), REPLAY)))
    assert (said["verdict"], said["seed"], said["replay"]) == (Verdict.VIOLATED, 42, REPLAY)
    assert said["checkers"][0]["findings"][0]["anomaly"] == "read lacks an own write"
    during = said["figures"]["all_phases"]["during"]
    assert during["frankfurt"]["read"] == {"ok": 164, "failed": 5, "unknown": 0}
    assert said["figures"]["backlogs"][0]["batches"]["peak"] == 360
    assert len(said["faults"]) == 3


def test_json_of_a_fault_names_its_kind() -> None:
    said = as_json(result(faults=(cut(1.0, 2.0, "a>b"),)))
    assert said["faults"][0]["kind"] == "cut"
    assert said["figures"]["incidents"][0]["title"] == "cut a, b"


def test_checkers_that_could_not_tell_are_not_counted_as_failures() -> None:
    idle = [checker(name, verdict=Verdict.UNKNOWN, checks=0, note="no reads") for name in ("dots", "clocks")]
    broken = checker(findings=(Finding(checker="c", anomaly="lost", sentence="It is gone.", at=1.0),))
    said = printed(render_run(result(checkers=(checker("sessions"), *idle, broken))))
    assert "1 of 4 checkers satisfied, 2 could not tell, 1 violated" in said
