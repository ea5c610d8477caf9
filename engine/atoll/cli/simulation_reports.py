"""Where the pages of simulated runs go, and how a run is shown: in the terminal, as JSON, as a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atoll.cli.output import answers, print_json
from atoll.errors import InvalidValue
from atoll.simulation.report.page import render_page
from atoll.simulation.report.terminal import as_json as run_as_json
from atoll.simulation.report.terminal import render_run
from atoll.simulation.result import RunResult

FOLDER = Path("simulation-reports")


@dataclass(frozen=True, slots=True)
class Pages:
    """Whether pages are wanted, and where: in the file that was named, in the folder that was, or in
    ``simulation-reports/``."""

    named: Path | None = None
    wanted: bool = True

    def write(self, name: str, text: str) -> Path | None:
        """Write the page that is asked for; ``name`` is used where no file was named. ``None`` if none is wanted."""
        if not self.wanted:
            return None
        file = FOLDER / f"{name}.html"
        if self.named is not None:
            file = self.named / file.name if self.named.is_dir() else self.named
        write_text(file, text)
        return file

    def write_run(self, result: RunResult, replay: str) -> Path | None:
        """Write a run's page."""
        return self.write(run_name(result), render_page(result, replay)) if self.wanted else None


def run_name(result: RunResult) -> str:
    """The name of a run's page."""
    return f"{result.scenario}-{result.seed}"


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
    answers.print(render_run(result, replay), crop=False)
    tell_page(page)


def tell_page(page: Path | None, of: str = "page") -> None:
    """Where a page is."""
    if page is not None:
        answers.print(f"[dim]{of}[/]  {page}", soft_wrap=True)


def described(result: RunResult, replay: str, page: Path | None) -> dict[str, Any]:
    """A run for scripts."""
    return {**run_as_json(result, replay), "page": None if page is None else str(page)}
