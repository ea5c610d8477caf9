"""How the demo speaks: chapters of a few lines, tables that fit 80 columns, progress bars on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDTH_MAX = 100
_INDENT = (0, 0, 0, 2)
REGION_COLOURS = {"frankfurt": "yellow", "virginia": "cyan", "tokyo": "magenta"}


def coloured(region: str) -> str:
    """A region's name in its colour, so that the eye can follow it through the story."""
    colour = REGION_COLOURS.get(region, "bold")
    return f"[{colour}]{escape(region)}[/]"


class Teller:
    """Prints the story, or nothing when it is ``silent`` (then only the figures matter)."""

    def __init__(self, console: Console, *, silent: bool = False) -> None:
        self._console = console
        self._silent = silent
        self._chapter = 0
        if console.width > WIDTH_MAX:
            console.width = WIDTH_MAX

    def title(self, title: str, text: str) -> None:
        """The head of the story."""
        self._print(Text())
        self._print(Text.from_markup(f"[bold]{title}[/]"))
        self._print(Text.from_markup(f"[dim]{text}[/]"))

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapter += 1
        self._print(Text())
        self._print(Rule(Text.from_markup(f"[bold]{self._chapter}  {title}[/]"), align="left", style="dim"))

    def say(self, text: str) -> None:
        """A sentence, wrapped to the width; markup allowed."""
        self._print(Padding(Text.from_markup(text), _INDENT))

    def gap(self) -> None:
        """An empty line."""
        self._print(Text())

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns without lines; a heading that begins with ``>`` is right-aligned. Markup allowed in cells."""
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for heading in headings:
            table.add_column(heading.removeprefix(">"), justify="right" if heading.startswith(">") else "left")
        for row in rows:
            table.add_row(*row)
        self._print(Padding(table, _INDENT))

    @contextmanager
    def progress(self, *, counting: bool = True) -> Iterator[Progress]:
        """Bars that are there while something goes on, and gone afterwards; nothing where there is no terminal.

        With ``counting`` a bar shows how many of how many.
        """
        counts = [MofNCompleteColumn()] if counting else []
        columns = (TextColumn("  {task.description}"), BarColumn(28), *counts, TimeElapsedColumn())
        hidden = self._silent or not self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=hidden) as progress:
            yield progress

    def _print(self, what: object) -> None:
        if not self._silent:
            self._console.print(what)
