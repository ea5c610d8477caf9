"""A mutant: one known bug, alive for the length of a block.

It replaces production functions, or functions of the storage model that stands for the SQL, by ones with a slip that
a person might make. Production code has no switches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from unittest.mock import patch


class Replacement(NamedTuple):
    """The attribute ``name`` of ``owner``, and what stands there instead."""

    owner: Any
    name: str
    instead: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One bug. Runs of ``scenario`` cut to ``seconds`` find it within ``budget`` seeds, counted from 0; ``seed`` is
    one of those that do."""

    name: str
    bug: str
    promise: str
    scenario: str
    replacements: Sequence[Replacement]
    seed: int = 0
    seconds: float = 10.0
    budget: int = 10

    @contextmanager
    def alive(self) -> Iterator[None]:
        """The bug is in the code for the length of the block."""
        with ExitStack() as stack:
            for replacement in self.replacements:
                stack.enter_context(patch.object(*replacement))
            yield
