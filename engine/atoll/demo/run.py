"""The demo from nothing to nothing: a ring of its own, the story, and everything gone again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from atoll.configuration import Configuration, load
from atoll.demo.cities import World, load_world
from atoll.demo.configuration import REGIONS, demo_configuration
from atoll.demo.figures import Figures
from atoll.demo.loading import load as load_cities
from atoll.demo.loading import seal_the_letters, tell_the_placement, tell_the_ring
from atoll.demo.partition import cut_off, heal, write_together
from atoll.demo.proof import give_the_verdict, search_for_the_letters
from atoll.demo.stage import Stage
from atoll.demo.telling import Teller
from atoll.operating.access import RingAccess
from atoll.postgres.launcher import find_binaries
from atoll.server.allotment import allotment_of
from atoll.server.ring_state import PartState, RingState
from atoll.supervisor.background import check_stopped, start_in_background, stop, sweep
from atoll.supervisor.directory import RingDirectory

FOLDER = Path(".atoll") / "demo"
"""Where the demo's ring lives, below the current directory."""


def run_demo(
    console: Console,
    *,
    folder: Path = FOLDER,
    pg_bin: Path | None = None,
    limit: int | None = None,
    keep: bool = False,
    silent: bool = False,
) -> Figures:
    """Tell the story; with ``limit`` with so many cities only. ``failures`` of the result says what was not as
    promised. With ``keep`` the ring goes on and can be looked at; otherwise nothing is left, data included."""
    begun = time.monotonic()
    figures, teller = Figures(), Teller(console, silent=silent)
    world = load_world(limit)
    binaries = asyncio.run(find_binaries(pg_bin))
    figures.postgres = f"{binaries.version[0]}.{binaries.version[1]}"
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    configuration = _prepare(folder, load_world())
    directory = RingDirectory(configuration.state_directory)
    check_stopped(directory)
    sweep(directory)
    directory.wipe()
    teller.title(
        "Atoll", "Three regions, every city of the world, one cut. Everything below is measured while you watch."
    )
    try:
        starting = time.monotonic()
        state = _start(configuration, directory, pg_bin, teller, tied=not keep)
        figures.start_seconds = time.monotonic() - starting
        asyncio.run(_story(configuration, directory, state, world, figures, teller))
        if not keep:
            stop(directory)
    finally:
        if not keep:
            _leave_nothing(directory, configuration.file, made)
    figures.total_seconds = time.monotonic() - begun
    return figures


async def _story(
    configuration: Configuration,
    directory: RingDirectory,
    state: RingState,
    world: World,
    figures: Figures,
    teller: Teller,
) -> None:
    topology = configuration.topology(allotment_of(state))
    async with AsyncExitStack() as stack:
        access = await stack.enter_async_context(RingAccess(topology))
        clients = {region: await stack.enter_async_context(access.client(region)) for region in REGIONS}
        stage = Stage(
            teller=teller,
            world=world,
            access=access,
            directory=directory,
            state=state,
            clients=clients,
            figures=figures,
        )
        tell_the_ring(stage)
        await load_cities(stage)
        await tell_the_placement(stage)
        seal = await seal_the_letters(stage)
        await write_together(stage)
        await cut_off(stage)
        await heal(stage)
        await search_for_the_letters(stage, seal)
        await give_the_verdict(stage)


def _prepare(folder: Path, world: World) -> Configuration:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "atoll.toml"
    file.write_text(demo_configuration(world), encoding="utf-8")
    return load(file)


def _start(
    configuration: Configuration, directory: RingDirectory, pg_bin: Path | None, teller: Teller, *, tied: bool
) -> RingState:
    with teller.progress() as progress:
        task = progress.add_task("starting Postgres and nodes", total=None)

        def show(state: RingState) -> None:
            parts = state.parts()
            progress.update(task, total=len(parts), completed=sum(p.state is PartState.READY for p in parts))

        return start_in_background(configuration.file, directory, pg_bin=pg_bin, on_change=show, tied=tied)


def _leave_nothing(directory: RingDirectory, file: Path, made: Sequence[Path]) -> None:
    """Whatever happened: no process, no data, and of the folders only those that were there before."""
    if directory.is_held():
        stop(directory)
    directory.wipe()
    file.unlink(missing_ok=True)
    for folder in made:
        with contextlib.suppress(OSError):
            folder.rmdir()
