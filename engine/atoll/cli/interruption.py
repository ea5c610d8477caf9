"""Ctrl-C while a ring is being started: say what is left of it, as it really is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atoll.supervisor.directory import RingDirectory


class Interrupted(Exception):
    """The command was interrupted and has cleaned up; ``outcome`` says what that came to."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@contextmanager
def telling_what_is_left(directory: RingDirectory, config: Path) -> Iterator[None]:
    """Turn an interrupt of the block into :class:`Interrupted`, once the block has cleaned up after itself.

    Looks whether the ring of ``config`` is held in ``directory`` rather than trusting that it was let go.
    """
    try:
        yield
    except KeyboardInterrupt:
        if directory.is_held():
            raise Interrupted(f"the ring still runs: `atoll down -c {config}` stops it") from None
        raise Interrupted("nothing is left running") from None
