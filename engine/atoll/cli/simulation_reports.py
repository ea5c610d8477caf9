"""Where the pages of simulated runs go, and how a run is shown: in the terminal, as JSON, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atoll.cli.output import answers, print_json
from atoll.errors import InvalidValue
from atoll.simulation.report.page import render_page
from atoll.simulation.report.terminal import as_json as run_as_json
from atoll.simulation.report.terminal import render_run
from atoll.simulation.result import RunResult

FOLDER = Path("simulation-reports")


def page_file(result: RunResult, wanted: Path | None) -> Path:
    """The file that was asked for; in the folder that was; or in ``simulation-reports/``."""
    name = f"{result.scenario}-{result.seed}.html"
    if wanted is None:
        return FOLDER / name
    return wanted / name if wanted.is_dir() else wanted


def write_page(result: RunResult, replay: str, wanted: Path | None) -> Path:
    """Write a run's page; folders are made as needed. Raises :class:`InvalidValue` for where no file can be."""
    file = page_file(result, wanted)
    write_text(file, render_page(result, replay))
    return file


def write_text(file: Path, text: str) -> None:
    """Write ``text``; folders are made as needed."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InvalidValue(f"{file} cannot be written: {error.strerror}; name another file") from error


def show_run(result: RunResult, replay: str, page: Path | None, *, as_json: bool) -> None:
    """Print a run's verdict and where its page is."""
    if as_json:
        print_json(described(result, replay, page))
        return
    answers.print(render_run(result, replay))
    tell_page(page)


def tell_page(page: Path | None) -> None:
    """Where a page is."""
    if page is not None:
        answers.print(f"[dim]page[/]  {page}", soft_wrap=True)


def described(result: RunResult, replay: str, page: Path | None) -> dict[str, Any]:
    """A run for scripts."""
    return {**run_as_json(result, replay), "page": None if page is None else str(page)}
