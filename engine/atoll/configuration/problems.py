"""Everything wrong with a configuration at once: problems by key, each with its fix, raised as one error."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from atoll.errors import InvalidConfiguration

ENVIRONMENT_PREFIX = "ATOLL_"
ENVIRONMENT_DELIMITER = "__"


class Problems:
    """Collects what is wrong with ``file``; :meth:`raise_any` ends the collection."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: dict[str, None] = {}

    def add(self, key: str, text: str) -> None:
        """Note that ``key`` (a dotted path) has a problem; ``text`` says what it is and what mends it."""
        variable = _variable_of(key)
        self._lines[f"{key}{f' (set by {variable})' if variable else ''}: {text}"] = None

    def raise_any(self) -> None:
        """Raise one :class:`InvalidConfiguration` naming the file and every problem; return if there is none."""
        if self._lines:
            count = f"{len(self._lines)} problem{'s' if len(self._lines) > 1 else ''}"
            listed = "".join(f"\n  {line}" for line in self._lines)
            raise InvalidConfiguration(f"{self._file}: {count}, nothing was started{listed}")


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence about a name that is not among ``known``, with the likeliest one that is."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"no {kind} {name!r}: {guess}known: {', '.join(names) or 'none'}"


def _variable_of(key: str) -> str | None:
    """The environment variable that set ``key`` or a table around it."""
    parts = key.upper().split(".")
    names = [ENVIRONMENT_PREFIX + ENVIRONMENT_DELIMITER.join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((name for name in names if name in os.environ), None)
