"""Where the pages of simulated runs go, and how a run is shown: in the terminal, as JSON, as a page."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atoll.cli.output import answers
from atoll.errors import InvalidValue
from atoll.simulation.report.page import render_page
from atoll.simulation.report.terminal import as_json as run_as_json
from atoll.simulation.result import RunResult

FOLDER = Path("simulation-reports")


@dataclass(frozen=True, slots=True)
class Pages:
    """Whether pages are wanted, and where: in the file that was named, in the folder that was, or in
    ``simulation-reports/``."""

    named: Path | None = None
    wanted: bool = True
    in_folder: bool = False
    """Whether ``named`` is a folder, even if it is not there yet."""

    def file(self, name: str) -> Path:
        """Where the page called ``name`` goes."""
        if self.named is None:
            return FOLDER / f"{name}.html"
        return self.named / f"{name}.html" if self.in_folder or self.named.is_dir() else self.named

    def check(self) -> None:
        """Raises :class:`InvalidValue` if no page could be written: to be asked before a long run, not after it."""
        if self.wanted:
            check_writable(self.file("page"))

    def write(self, name: str, text: str) -> Path | None:
        """Write the page that is asked for; ``name`` is used where no file was named. ``None`` if none is wanted."""
        if not self.wanted:
            return None
        file = self.file(name)
        write_text(file, text)
        return file

    def write_run(self, result: RunResult, replay: str) -> Path | None:
        """Write a run's page."""
        return self.write(run_name(result), render_page(result, replay)) if self.wanted else None


def run_name(result: RunResult) -> str:
    """The name of a run's page."""
    return f"{result.scenario}-{result.seed}"


def write_text(file: Path, text: str) -> None:
    """Write ``text``; folders are made as needed. Raises :class:`InvalidValue` where the machine refuses."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(file, error.strerror or str(error)) from error


def check_writable(file: Path) -> None:
    """Raises :class:`InvalidValue` if ``file`` could not be written. Its folder is made, as it would be then; a file
    that is there is left as it is."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise _unwritable(file, error.strerror or str(error)) from error
    if file.exists() and (file.is_dir() or not os.access(file, os.W_OK)):
        raise _unwritable(file, "it is a folder" if file.is_dir() else "it is write-protected")


def _unwritable(file: Path, why: str) -> InvalidValue:
    return InvalidValue(f"{file} cannot be written: {why[:1].lower()}{why[1:]}; name another file")


def tell_page(page: Path | None, of: str = "page") -> None:
    """Where a page is."""
    if page is not None:
        answers.print(f"[dim]{of}[/]  {page}", soft_wrap=True)


def described(result: RunResult, replay: str, page: Path | None) -> dict[str, Any]:
    """A run for scripts."""
    return {**run_as_json(result, replay), "page": None if page is None else str(page)}
