"""``atoll``: the commands, and what each way of ending exits with."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from typing import Annotated

import typer

from atoll import __version__
from atoll.cli.commands import bench, check, demonstration, drills, records, ring, simulate
from atoll.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from atoll.cli.interruption import Interrupted
from atoll.cli.machine_errors import as_operator_error
from atoll.cli.output import notes, report, report_error
from atoll.errors import AtollError

START, RING, RECORDS, OPERATIONS = "Start here", "A ring on this machine", "Records", "Operations"
SIMULATE, MEASURE = "Simulate", "Measure"

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
app.add_typer(simulate.app, name="simulate", rich_help_panel=SIMULATE)
app.add_typer(bench.app, name="bench", rich_help_panel=MEASURE)


def _flow(group: typer.Typer) -> None:
    """Let the help of every command flow: the source breaks its paragraphs at another width than the reader's."""
    for command in group.registered_commands:
        paragraphs = (inspect.getdoc(command.callback) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for part in group.registered_groups:
        if part.typer_instance is not None:
            _flow(part.typer_instance)


_flow(app)


def run(arguments: list[str]) -> int:
    """Carry out one command line; returns a code of :class:`~atoll.cli.exit_codes.ExitCode`, everything told."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    as_json = "--json" in arguments
    try:
        # Standing alone, typer draws a box around a usage error; a script that asked for JSON gets it raised instead.
        code = app(arguments, standalone_mode=not as_json)
        return _told(code if isinstance(code, int) else ExitCode.OK, as_json)
    except SystemExit as ended:
        return _told(ended.code if isinstance(ended.code, int) else ExitCode.OK, as_json)
    except Interrupted as interrupted:
        report("interrupted", interrupted.outcome, as_json=as_json)
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        return _told(ExitCode.INTERRUPTED, as_json)
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        return _failed(error, as_json)


def _told(code: int, as_json: bool) -> int:
    """The code that typer ended with; it makes one of an interrupt without a word."""
    if code == ExitCode.INTERRUPTED:
        report("interrupted", "", as_json=as_json)
    return code


def _failed(error: Exception, as_json: bool) -> int:
    if isinstance(error, OSError):
        error = as_operator_error(error) or error
    if isinstance(error, AtollError):
        report_error(error, as_json=as_json)
        return exit_code_of(error)
    if as_json and (message := _usage_message(error)) is not None:
        report("usage", message, as_json=True)
        return ExitCode.BAD_INPUT
    traceback.print_exception(error)
    notes.print("[bold red]this is a defect in atoll[/]; please report it with the lines above")
    if as_json:
        report("defect", f"{type(error).__name__}: {error}", as_json=True)
    return ExitCode.INTERNAL


def _usage_message(error: Exception) -> str | None:
    """What typer has to say about how it was called; ``None`` for any other error.

    Told by its method: the class has no public name in every version of typer.
    """
    says = getattr(error, "format_message", None)
    return str(says()) if callable(says) else None
