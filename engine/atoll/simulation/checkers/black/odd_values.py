"""Values that should not be there whatever the reader knew, in words; for the checkers of sets and registers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.provenance import Odd, Oddity
from atoll.simulation.checkers.black.wording import shown, told


def tell_odd_values(notebook: Notebook, odd: Iterable[Odd]) -> None:
    """Every one is a finding."""
    for one in odd:
        entries = [one.read] if one.write is None else [one.write, one.read]
        notebook.find(one.oddity, _sentence(one), *entries, at=one.read.ended)


def _sentence(odd: Odd) -> str:
    saw = f"{told(odd.read)} saw {shown(odd.value)}"
    match odd.oddity:
        case Oddity.NOWHERE:
            return f"{saw}, which nobody ever wrote there"
        case Oddity.REFUSED:
            assert odd.write is not None
            return f"{saw}, which only {told(odd.write)} could have written: it was told that nothing had happened"
        case Oddity.FUTURE:
            assert odd.write is not None
            return f"{saw} before {told(odd.write)} had begun"
        case Oddity.TWICE:
            return f"{saw} more than once in one set"
        case _:
            assert_never(odd.oddity)
