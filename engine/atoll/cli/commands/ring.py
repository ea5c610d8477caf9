"""``init``, ``up`` and ``down``: a whole ring on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from atoll.cli.interruption import telling_what_is_left
from atoll.cli.options import DEFAULT_CONFIGURATION, ConfigOption, JsonOption
from atoll.cli.output import answers, doing, notes, print_json
from atoll.cli.ring_files import directory_of, load_configuration
from atoll.configuration import Configuration
from atoll.errors import InvalidConfiguration, NotRunning
from atoll.supervisor.directory import RingDirectory

PgBinOption = Annotated[
    Path | None,
    typer.Option(
        "--pg-bin",
        envvar="ATOLL_PG_BIN",
        metavar="DIR",
        help="Where Postgres' programs are. Default: an installed wheel's, then the machine's.",
    ),
]


def init(config: ConfigOption = DEFAULT_CONFIGURATION, as_json: JsonOption = False) -> None:
    """Write a commented [bold]atoll.toml[/]: three regions, two shards each, ready for [bold]atoll up[/]."""
    from atoll.cli.starter import starter
    from atoll.configuration import load

    if config.exists():
        raise InvalidConfiguration(f"{config} exists already: remove it, or name another file with --config")
    config.write_text(starter("atoll"), encoding="utf-8")
    load(config)
    if as_json:
        print_json({"written": str(config.absolute())})
    else:
        answers.print(f"wrote [bold]{config}[/]; [bold]atoll up[/] starts the ring")


def up(
    config: ConfigOption = DEFAULT_CONFIGURATION,
    pg_bin: PgBinOption = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", "-f", help="Stay here and log; Ctrl-C stops the ring.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the ring: a Postgres server for every shard without a DSN, and every node.

    Everything is checked first; when something is wrong, nothing is started. The ring goes on in the background, and
    what dies is started again, until [bold]atoll down[/].
    """
    from atoll.cli.progress import ring_progress
    from atoll.cli.tables import ring_table
    from atoll.supervisor.background import check_stopped, start_in_background

    configuration = load_configuration(config)
    directory = directory_of(configuration)
    check_stopped(directory)
    asyncio.run(_preflight(configuration, pg_bin))
    if foreground:
        _stay(configuration, directory, pg_bin, as_json)
        return
    with telling_what_is_left(directory, config), ring_progress() as on_change:
        state = start_in_background(configuration.file, directory, pg_bin=pg_bin, on_change=on_change)
    if as_json:
        print_json(state)
        return
    answers.print(ring_table(state))
    answers.print("[dim]next:[/] atoll status [dim]·[/] atoll put --help [dim]·[/] atoll down")


async def _preflight(configuration: Configuration, pg_bin: Path | None) -> None:
    """What only servers and this machine can answer; raises with every problem found."""
    from atoll.postgres.launcher import find_binaries
    from atoll.postgres.preflight import check_shards
    from atoll.supervisor.addresses import check_addresses

    check_addresses(configuration)
    await check_shards(configuration.file, configuration.given_dsns())
    if configuration.shards_to_launch():
        await find_binaries(pg_bin)


def _stay(configuration: Configuration, directory: RingDirectory, pg_bin: Path | None, as_json: bool) -> None:
    from atoll.cli.tables import ring_table
    from atoll.logs import configure_logging
    from atoll.server.ring_state import Phase, RingState
    from atoll.supervisor.__main__ import keep
    from atoll.supervisor.background import sweep

    told = False

    def tell_running(state: RingState) -> None:
        nonlocal told
        if told or state.phase is not Phase.RUNNING:
            return
        told = True
        if as_json:
            print_json(state)
        else:
            answers.print(ring_table(state))
            answers.print("[dim]the ring runs until you stop it:[/] Ctrl-C")

    configure_logging()
    sweep(directory)
    directory.create()
    with directory.held():
        asyncio.run(keep(configuration, directory, pg_bin, tell_running))
        directory.state_file.unlink(missing_ok=True)


def down(
    config: ConfigOption = DEFAULT_CONFIGURATION,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Also remove the data of the servers that atoll started.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a wipe.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop the ring. Its data stay and are there at the next [bold]atoll up[/], unless [bold]--wipe[/]."""
    from atoll.supervisor.background import stop

    configuration = load_configuration(config)
    directory = directory_of(configuration)
    if wipe and not yes:
        _ask_before_wipe(directory)
    was_running = True
    try:
        with doing("stopping"):
            stop(directory)
    except NotRunning:
        if not wipe:
            raise
        was_running = False
    if wipe:
        directory.wipe()
    if as_json:
        print_json({"stopped": was_running, "wiped": wipe})
    else:
        done = [*(["stopped"] if was_running else []), *(["data removed"] if wipe else ["data kept"])]
        answers.print(", ".join(done))


def _ask_before_wipe(directory: RingDirectory) -> None:
    if not notes.is_terminal:
        raise InvalidConfiguration(f"--wipe removes all data in {directory.path}: confirm with --yes")
    typer.confirm(f"Remove all data in {directory.path}?", abort=True, err=True)
