"""``status`` and ``verify``: is the ring well, and do its regions agree?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from atoll.cli.exit_codes import ExitCode
from atoll.cli.options import DEFAULT_CONFIGURATION, ConfigOption, JsonOption
from atoll.cli.output import answers, doing, print_json, run

if TYPE_CHECKING:
    from atoll.operating.verification import Verification

_PAUSE_SECONDS = 0.5


def status(config: ConfigOption = DEFAULT_CONFIGURATION, as_json: JsonOption = False) -> None:
    """Show regions, shards, records, replication lag and what is wrong. Exit code 1 if anything is."""
    from atoll.cli.ring_access import running_topology
    from atoll.cli.status_view import status_view
    from atoll.operating.access import RingAccess
    from atoll.operating.overview import Overview

    topology = running_topology(config)

    async def ask() -> Overview:
        async with RingAccess(topology) as access:
            return await access.overview()

    overview = run(ask())
    if as_json:
        print_json(overview.as_json())
    else:
        for part in status_view(overview):
            answers.print(part)
    if overview.problems():
        raise typer.Exit(ExitCode.NO)


def verify(
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="Compare again for so long while regions differ.")
    ] = 0.0,
    config: ConfigOption = DEFAULT_CONFIGURATION,
    as_json: JsonOption = False,
) -> None:
    """Compare all regions row by row, by digests over canonical bytes. Exit code 1 if they differ.

    While writes are under way a difference may be mere lag; [bold]--wait[/] gives it time.
    """
    from atoll.cli.ring_access import running_topology
    from atoll.operating.access import RingAccess
    from atoll.system_clock import SystemClock

    topology = running_topology(config)

    async def compare() -> Verification:
        clock = SystemClock()
        deadline = clock.monotonic() + wait
        async with RingAccess(topology) as access:
            while True:
                verification = await access.verify()
                if verification.is_identical or clock.monotonic() >= deadline:
                    return verification
                await clock.sleep(_PAUSE_SECONDS)

    with doing("comparing"):
        verification = run(compare())
    if as_json:
        print_json(verification.as_json())
    else:
        _tell(verification)
    if not verification.is_identical:
        raise typer.Exit(ExitCode.NO)


def _tell(verification: Verification) -> None:
    from atoll.operating.words import counted

    colour = "green" if verification.is_identical else "red"
    compared = counted(verification.rows, "row")
    answers.print(f"[bold {colour}]{verification.verdict()}[/]  [dim]{compared} compared[/]")
    for line in verification.differences():
        answers.print(f"  [red]✗[/] {escape(line)}", soft_wrap=True)
