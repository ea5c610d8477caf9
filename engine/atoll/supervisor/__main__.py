"""``python -m atoll.supervisor``: keep one ring running until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from atoll.configuration import Configuration, ensure_token_key, load
from atoll.errors import AtollError
from atoll.logs import configure_logging
from atoll.server.ring_state import RingState
from atoll.supervisor.allotment import failed_state
from atoll.supervisor.directory import RingDirectory
from atoll.supervisor.keeper import Keeper

_LOOK_SECONDS = 0.5


async def keep(
    configuration: Configuration,
    directory: RingDirectory,
    pg_bin: Path | None,
    on_change: Callable[[RingState], None] = lambda _: None,
    tied_to: int | None = None,
) -> None:
    """Start the ring, keep it until a signal (or until the parent ``tied_to`` is gone), stop it. The caller holds the
    directory's lock.

    Raises what kept the ring from starting. The signals are this loop's for as long as it runs.
    """
    ensure_token_key(configuration)
    keeper = Keeper(configuration, directory, pg_bin)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, keeper.stop)
    watch = None if tied_to is None else asyncio.create_task(_stop_without(tied_to, keeper))
    try:
        await keeper.run(on_change)
    finally:
        if watch is not None:
            watch.cancel()


async def _stop_without(parent: int, keeper: Keeper) -> None:
    """Stop the ring once the process that started this one is gone, however it ended."""
    while os.getppid() == parent:  # noqa: ASYNC110 (nobody tells the time of a parent's death)
        await asyncio.sleep(_LOOK_SECONDS)
    keeper.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 after an orderly stop, 1 when the ring could not be started: the state file says why."""
    parser = argparse.ArgumentParser(prog="python -m atoll.supervisor", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--pg-bin", type=Path)
    parser.add_argument("--tied-to", type=int, metavar="PID", help="stop when this parent process is gone")
    options = parser.parse_args(arguments)
    configure_logging(part="supervisor")
    try:
        configuration = load(options.config)
        directory = RingDirectory(configuration.state_directory)
        directory.create()
        with directory.held():
            _keep_and_tell(configuration, directory, options.pg_bin, options.tied_to)
    except AtollError as error:
        structlog.get_logger("atoll.supervisor").error(error.message, code=error.code)
        return 1
    return 0


def _keep_and_tell(
    configuration: Configuration, directory: RingDirectory, pg_bin: Path | None, tied_to: int | None
) -> None:
    """Keep the ring; whoever waits for it reads in the state file why it could not be started."""
    try:
        asyncio.run(keep(configuration, directory, pg_bin, tied_to=tied_to))
    except AtollError as error:
        state = RingState.load(directory.state_file)
        if state is None or state.error is None:
            failed_state(configuration, error).save(directory.state_file)
        raise
    directory.state_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
