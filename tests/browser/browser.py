"""A headless Chromium, if this machine has one, and what a page did while it was open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NARROW, WIDE = 400, 1280


@dataclass
class Opened:
    """A page that was opened without a network, and all that it said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Console messages and errors."""
    asked: list[str] = field(default_factory=list)
    """Addresses that it requested."""

    def number(self, script: str) -> float:
        """A number that the page computes."""
        return float(self.page.evaluate(script))


def launched(playwright: Playwright) -> tuple[Browser | None, str]:
    """A browser, or why there is none: an installed Chromium, else the one that Playwright may have brought."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    try:
        return playwright.chromium.launch(executable_path=found, args=["--no-sandbox"]), ""
    except Error as error:
        return None, f"no Chromium: {str(error).splitlines()[0]}"


@contextmanager
def opened(browser: Browser, file: Path, *, width: int = WIDE, scheme: str = "light") -> Iterator[Opened]:
    """Open ``file`` in a window of its own."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        offline=True,
    )
    try:
        page = context.new_page()
        seen = Opened(page)
        page.on("console", lambda message: seen.said.append(message.text))
        page.on("pageerror", lambda error: seen.said.append(str(error)))
        page.on("request", lambda request: seen.asked.append(request.url))
        page.goto(file.as_uri())
        yield seen
    finally:
        context.close()
