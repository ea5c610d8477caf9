"""The pages of sweeps, comparisons and predictions, as a browser shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.simulation.report.campaigns import bad_sweep, comparison, prediction

from atoll.simulation.report.comparison_page import render_comparison_page
from atoll.simulation.report.prediction_page import render_prediction_page
from atoll.simulation.report.sweep_page import render_sweep_page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.browser.browser import NARROW, WIDE, launched, opened  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        found, why = launched(playwright)
        if found is None:
            pytest.skip(why)
        yield found
        found.close()


@pytest.mark.parametrize("name", ["sweep", "comparison", "prediction"])
@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "dark"), (NARROW, "light")])
def test_page_asks_for_nothing_says_nothing_and_fits(
    browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    pages = {
        "sweep": lambda: render_sweep_page(bad_sweep(), lambda job: f"atoll simulate replay {job.seed}"),
        "comparison": lambda: render_comparison_page(comparison()),
        "prediction": lambda: render_prediction_page(prediction()),
    }
    file = tmp_path / f"{name}.html"
    file.write_text(pages[name](), encoding="utf-8")
    with opened(browser, file, width=width, scheme=scheme) as seen:
        assert seen.asked == [file.as_uri()]
        assert seen.said == []
        assert seen.number("document.documentElement.scrollWidth") <= width
        assert seen.page.locator("h1").is_visible()
        assert seen.page.locator("section").count() >= 3
        assert all(section.is_visible() for section in seen.page.locator("section").all())
