"""The page of a run as text: whole in itself, escaped, honest about what there was not."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.unit.simulation.report.results import FIVE, checker, cut, entry, result, story

from atoll.ids import RegionName
from atoll.simulation.report.page import render_page
from atoll.simulation.result import ConflictCount, Discarded, RunResult
from atoll.simulation.verdict import Finding, Verdict

BYTES_MAX = 1_500_000
VOID = {"br", "circle", "img", "link", "meta"}


class Outline(HTMLParser):
    """Whether every element is closed, and which identifiers and addresses there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.identifiers: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.identifiers += [values["id"]] if values.get("id") else []
        self.addresses += [value for name in ("href", "src") if (value := values.get(name))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.identifiers += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"


def text_of(page: str) -> str:
    """What a reader reads, in one line."""
    body = page[page.index("<body>") : page.index("<script>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def violated() -> RunResult:
    return story(violated=True)


@pytest.mark.parametrize("regions", [FIVE, FIVE[:3], FIVE[:1] + FIVE[3:4]])
def test_page_is_well_formed_and_needs_nothing_else(regions: tuple[str, ...]) -> None:
    page = render_page(story(regions=regions, violated=True), "atoll simulate replay token")
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.identifiers) == len(set(outline.identifiers))
    assert {address.partition(":")[0] if ":" in address else address[:1] for address in outline.addresses} == {
        "#",
        "data",
    }
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(outline.identifiers)
    assert "url(" not in page
    assert "@import" not in page
    assert len(page.encode()) < BYTES_MAX


def test_same_result_gives_the_same_page(violated: RunResult) -> None:
    assert render_page(violated) == render_page(violated)


def test_hostile_text_is_escaped() -> None:
    evil = "<script>alert('x')</script>"
    finding = Finding(checker=evil, anomaly=evil, sentence=evil, at=1.0, entries=(0,), places=(evil,))
    run = result(
        scenario=evil,
        checkers=(checker(evil, promise=evil, findings=(finding,), legal={evil: 1}, note=evil),),
        history=[entry(0, began=1.0, key=evil, argument=evil, client=evil, session=evil, error=evil, value=evil)],
        faults=(cut(0.5, 1.0, f"{evil}>tokyo", story=evil),),
        bites={evil: 3},
        conflicts={
            evil: ConflictCount(met=1, discarded=1, examples=(Discarded(key=evil, lost=evil, kept=evil, at=1),))
        },
    )
    page = render_page(run, evil)
    assert page.count("<script>") == 1
    assert "alert(&#39;x&#39;)" in page
    assert Outline(page).open == []


def test_violation_is_told_with_its_operations_before_everything_else(violated: RunResult) -> None:
    page = render_page(violated)
    finding = violated.checkers[0].findings[0]
    said = text_of(page)
    assert finding.anomaly in said
    assert said.index(finding.anomaly) < said.index("What was checked")
    assert page.index('id="timeline"') < page.index('id="promises"')
    for index in finding.entries:
        assert f"{violated.history[index].began:.4f} s" in said


def test_command_to_replay_can_be_copied(violated: RunResult) -> None:
    assert "replay r1:abc" in render_page(violated, "atoll simulate replay r1:abc")
    assert 'id="replay"' not in render_page(violated)


def test_checks_are_counted_promise_by_promise(violated: RunResult) -> None:
    said = text_of(render_page(violated))
    assert "I9 a session reads what its token covers sessions violated 3,412 1 stale read 212" in said
    assert "no counter was read at the end counters unknown 0 0" in said


def test_numbers_of_several_promises_are_told_from_their_words() -> None:
    said = text_of(render_page(result(checkers=(checker(promise="I1, I3: nothing is lost"),))))
    assert "I1, I3 nothing is lost" in said


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (result(), "Every promise that was checked held: 500 checks by 1 checker."),
        (result(), "This run proved little."),
        (result(), "Nothing was done to this ring: a calm run."),
        (result(), "No two concurrent writes met in any field."),
        (result(), "Nobody asked for anything."),
        (result(), "No region was ever behind."),
        (result(), "The ring was not sampled."),
        (result(checkers=()), "No checker looked at this run, so nothing is known of it."),
        (result(converged_seconds=None), "not within 30 s after traffic had ended"),
        (
            result(checkers=(checker(), checker("counters", 0, verdict=Verdict.UNKNOWN, note="none"))),
            "Nothing was seen broken, but not everything could be judged: counters.",
        ),
    ],
)
def test_what_there_was_not_is_said(run: RunResult, words: str) -> None:
    assert words in text_of(render_page(run))


def test_discarded_values_are_listed_by_time() -> None:
    examples = [Discarded(key="k", lost=f"lost-{at}", kept="won", at=at) for at in (3.0, 1.0)]
    conflicts = {"users.email": ConflictCount(met=4, discarded=2, examples=examples)}
    said = text_of(render_page(result(conflicts=conflicts)))
    assert "users.email 4 2 50.0 %" in said
    assert said.index("lost-1.0") < said.index("lost-3.0")


def test_violation_without_recording_still_has_a_timeline_of_its_operations(violated: RunResult) -> None:
    said = text_of(render_page(replace(violated, events=())))
    assert "The run was not recorded" in said


def test_region_without_traffic_stays_in_every_table() -> None:
    run = replace(story(), regions=(*map(RegionName, FIVE[:3]), RegionName("nowhere")))
    assert text_of(render_page(run)).count("nowhere") >= 5


def test_first_finding_of_a_kind_is_told_with_its_operations_and_the_others_in_a_fold() -> None:
    findings = [
        Finding(checker="sets", anomaly="lost write", sentence=f"number {n} is gone", at=float(n), entries=(n,))
        for n in range(14)
    ]
    history = [entry(n, began=float(n), session=f"session-{n}") for n in range(14)]
    page = render_page(result(checkers=(checker(findings=findings),), history=history))
    folded = page[page.index("<details>") : page.index("</details>")]
    assert "13 more like it" in folded
    assert "number 0 is gone" not in folded
    assert "number 9 is gone" in folded
    assert "and 4 that are not shown." in folded
    assert "session-0</th>" in page
    assert "session-1</th>" not in page
