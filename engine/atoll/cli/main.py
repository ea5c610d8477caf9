"""``atoll``: the commands and what they exit with."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from atoll import __version__
from atoll.cli.commands import bench, check, demonstration, drills, records, ring
from atoll.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from atoll.cli.output import notes, report_error
from atoll.errors import AtollError

START, RING, RECORDS, OPERATIONS, MEASURE = "Start here", "A ring on this machine", "Records", "Operations", "Measure"

_INTRODUCTION = """\
Multi-region replication and sharding on stock Postgres.

Every region keeps serving reads and writes when it is cut off; nothing acknowledged is lost; all regions agree again.

[bold]atoll demo[/] shows it in a minute. [bold]atoll init[/] and [bold]atoll up[/] start a ring of your own.
"""

_EPILOG = "[bold]Exit codes[/]  " + " · ".join(f"[bold]{code}[/] {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name="atoll",
    help=_INTRODUCTION,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"atoll {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


app.command("demo", rich_help_panel=START)(demonstration.demo)
app.command("init", rich_help_panel=START)(ring.init)
app.command("up", rich_help_panel=RING)(ring.up)
app.command("down", rich_help_panel=RING)(ring.down)
app.command("status", rich_help_panel=RING)(check.status)
app.command("get", rich_help_panel=RECORDS)(records.get)
app.command("put", rich_help_panel=RECORDS)(records.put)
app.command("update", rich_help_panel=RECORDS)(records.update)
app.command("delete", rich_help_panel=RECORDS)(records.delete)
app.command("where", rich_help_panel=RECORDS)(records.where)
app.command("verify", rich_help_panel=OPERATIONS)(check.verify)
app.add_typer(drills.app, name="drill", rich_help_panel=OPERATIONS)
app.add_typer(bench.app, name="bench", rich_help_panel=MEASURE)


def main() -> None:
    """The console script. Exits with a code of :class:`~atoll.cli.exit_codes.ExitCode`."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        app()
    except AtollError as error:
        report_error(error, as_json="--json" in sys.argv)
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        notes.print("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except Exception:
        traceback.print_exc()
        notes.print("[bold red]this is a defect in atoll[/]; please report it with the lines above")
        sys.exit(ExitCode.INTERNAL)


if __name__ == "__main__":
    main()
