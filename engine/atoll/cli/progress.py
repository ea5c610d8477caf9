"""Progress on a terminal; silence everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from atoll.cli.output import notes
from atoll.server.ring_state import PartState, RingState, ServerEntry

_DOING = {
    PartState.CREATING: "creating",
    PartState.STARTING: "starting",
    PartState.DOWN: "starting again",
}


@contextmanager
def ring_progress() -> Iterator[Callable[[RingState], None]]:
    """Show a ring's start: give each new state to the function that this yields."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as progress:
        task = progress.add_task("starting", total=None)

        def show(state: RingState) -> None:
            parts = state.parts()
            ready = sum(part.state is PartState.READY for part in parts)
            progress.update(task, description=_description(state), total=len(parts), completed=ready)

        yield show


def _description(state: RingState) -> str:
    for part in state.parts():
        if part.state in _DOING:
            what = f"Postgres {part.region}/{part.shard}" if isinstance(part, ServerEntry) else f"node {part.region}"
            return f"{_DOING[part.state]} {what}"
    return "starting"
