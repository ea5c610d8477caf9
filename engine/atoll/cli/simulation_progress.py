"""A bar for long simulations, on a terminal; silence everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from atoll.cli.output import notes

Tell = Callable[[int, int, str], None]
"""Done, of how many, and what there is to say."""


@contextmanager
def counting(what: str) -> Iterator[Tell]:
    """Show how many are done: give both numbers and a text to the function that this yields."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def show(done: int, planned: int, text: str) -> None:
            progress.update(task, completed=done, total=planned, description=text or what)

        yield show
