"""``demo``: see it all in a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from atoll.cli.commands.ring import PgBinOption
from atoll.cli.exit_codes import ExitCode
from atoll.cli.interruption import telling_what_is_left
from atoll.cli.options import JsonOption
from atoll.cli.output import answers, notes, print_json
from atoll.supervisor.directory import RingDirectory


def demo(
    cities: Annotated[
        int | None, typer.Option("--cities", min=100, metavar="N", help="Only so many cities, the largest.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the ring running, to be looked at.")] = False,
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the demo's ring lives.")] = Path(
        ".atoll/demo"
    ),
    pg_bin: PgBinOption = None,
    as_json: JsonOption = False,
) -> None:
    """Three regions, every city of the world, a cut, and the proof that all regions agree again.

    Starts six Postgres servers and three nodes of its own, tells the story as it happens, checks everything it
    promises, and leaves nothing behind. Exit code 1 if anything is not as promised; then it says what.
    """
    from atoll.demo.run import run_demo

    console = Console(highlight=False)
    with telling_what_is_left(RingDirectory(folder / ".atoll"), folder / "atoll.toml"):
        figures = run_demo(console, folder=folder, pg_bin=pg_bin, limit=cities, keep=keep, silent=as_json)
    if as_json:
        print_json(figures.as_json())
    else:
        for failure in figures.failures:
            notes.print(f"  [red]✗[/] {escape(failure)}", soft_wrap=True)
        left = "The ring goes on" if keep else "Nothing is left running"
        answers.print(f"\n[dim]{figures.total_seconds:.0f} s in all. {left}.[/]")
        if keep:
            config = escape(str(folder / "atoll.toml"))
            answers.print(
                f"[dim]look around:[/] atoll status -c {config} [dim]· stop:[/] atoll down --wipe -c {config}"
            )
    if figures.failures:
        raise typer.Exit(ExitCode.NO)
