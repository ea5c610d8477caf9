"""The page of a run, as a browser shows it: nothing asked for, nothing complained of, everything visible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.simulation.report.results import FIVE, checker, result, story

from atoll.simulation.report.page import render_page
from atoll.simulation.verdict import Verdict

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.browser.browser import NARROW, WIDE, launched, opened  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPLAY = "atoll simulate replay r1:0.1.0:3f9c2e81:3.11:atlantic-cable-cut:9a7c12d0:42:5e"
SECTIONS = ("promises", "faults", "availability", "latency", "staleness", "backlog", "conflicts", "coverage")

TEXTS_OUTSIDE = """() => [...document.querySelectorAll("svg.chart text")].filter(text => {
  const box = text.getBBox(), picture = text.ownerSVGElement.viewBox.baseVal, place = text.getCTM(),
        outer = text.ownerSVGElement.getCTM(), left = box.x + (place.e - outer.e) / outer.a;
  return left < -1 || left + box.width > picture.width + 1;
}).map(text => text.textContent)"""

CONTRASTS = """() => {
  const probe = document.createElement("canvas").getContext("2d");
  const colour = name => {
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    return [1, 3, 5].map(at => parseInt(probe.fillStyle.slice(at, at + 2), 16) / 255);
  };
  const light = name => colour(name).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
  return [["--ink", "--paper"], ["--soft", "--paper"], ["--soft", "--ground"], ["--good", "--good-soft"],
          ["--warn", "--warn-soft"], ["--bad", "--bad-soft"], ["--accent", "--paper"]].map(([a, b]) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return [a + " on " + b, (x + .05) / (y + .05)];
  });
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        found, why = launched(playwright)
        if found is None:
            pytest.skip(why)
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of every kind of run."""
    folder = tmp_path_factory.mktemp("pages")
    unknown = checker("counters", 0, verdict=Verdict.UNKNOWN, note="nothing was read")
    results = {
        "violated": story(violated=True),
        "valid": story(),
        "five": story(regions=FIVE, violated=True),
        "empty": result(),
        "unknown": result(checkers=(unknown,), converged_seconds=None),
        "unchecked": result(checkers=()),
    }
    files = {name: folder / f"{name}.html" for name in results}
    for name, run in results.items():
        files[name].write_text(render_page(run, REPLAY), encoding="utf-8")
    return files


@pytest.mark.parametrize("name", ["violated", "valid", "five", "empty", "unknown", "unchecked"])
@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_page_asks_for_nothing_says_nothing_and_fits(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    with opened(browser, pages[name], width=width, scheme=scheme) as seen:
        assert seen.asked == [pages[name].as_uri()]
        assert seen.said == []
        assert seen.number("document.documentElement.scrollWidth") <= width
        assert seen.page.evaluate(TEXTS_OUTSIDE) == []
        for section in SECTIONS:
            assert seen.page.locator(f"#{section}").is_visible()


@pytest.mark.parametrize(
    ("name", "word"), [("violated", "VIOLATED"), ("valid", "UNKNOWN"), ("empty", "VALID"), ("unknown", "UNKNOWN")]
)
def test_verdict_stands_on_top_as_a_word(browser: Browser, pages: dict[str, Path], name: str, word: str) -> None:
    with opened(browser, pages[name]) as seen:
        banner = seen.page.locator(".banner .word")
        assert banner.inner_text().strip() == word
        assert banner.bounding_box()["y"] < 200


def test_violation_is_drawn_with_its_two_operations_on_lanes(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["violated"]) as seen:
        lanes = seen.page.locator("#timeline svg.chart[role=img]").last
        assert lanes.is_visible()
        assert lanes.locator(".operation.named").count() == 2
        assert lanes.locator(".caption").count() == 2
        assert lanes.locator("line.lane").count() >= 6
        assert lanes.locator("line.arrow").count() > 20
        assert lanes.locator(".moment-text").text_content() == "violation visible"


def test_command_to_replay_is_copied_by_a_click(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["violated"]) as seen:
        assert seen.page.locator("#replay").inner_text() == REPLAY
        button = seen.page.get_by_role("button")
        button.click()
        seen.page.wait_for_function("document.querySelector('button').textContent !== 'Copy'")
        assert button.inner_text() in ("Copied", "Selected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_schemes(browser: Browser, pages: dict[str, Path], scheme: str) -> None:
    with opened(browser, pages["valid"], scheme=scheme) as seen:
        poor = [pair for pair in seen.page.evaluate(CONTRASTS) if pair[1] < 4.5]
        assert poor == []


def test_schemes_differ(browser: Browser, pages: dict[str, Path]) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with opened(browser, pages["valid"], scheme=scheme) as seen:
            grounds.append(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_page_reads_without_scripts(browser: Browser, pages: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    try:
        page = context.new_page()
        page.goto(pages["violated"].as_uri())
        assert page.locator("#timeline svg.chart[role=img]").last.is_visible()
        assert not page.get_by_role("button").is_visible()
    finally:
        context.close()
