"""Where the scenarios are that come with Atoll: beside the package once installed, else in the repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atoll.configuration.problems import unknown
from atoll.errors import InvalidConfiguration

_PACKAGED = Path(__file__).parent.parent / "scenarios"
_IN_THE_REPOSITORY = Path(__file__).parents[4] / "simulations"
SUFFIX = ".toml"


def folder() -> Path:
    """The folder of the scenarios."""
    return _PACKAGED if _PACKAGED.is_dir() else _IN_THE_REPOSITORY


def all_scenarios() -> Sequence[Path]:
    """The files of all scenarios, by name."""
    return sorted(folder().glob(f"*{SUFFIX}"))


def find(name_or_path: str) -> Path:
    """The file of a scenario given by its path or by the name of one that comes with Atoll.

    Raises :class:`InvalidConfiguration` with the names there are.
    """
    path = Path(name_or_path)
    if path.suffix == SUFFIX or path.is_file():
        if path.is_file():
            return path
        raise InvalidConfiguration(f"{path}: no such file: `atoll simulate list` shows the scenarios there are")
    found = folder() / f"{name_or_path}{SUFFIX}"
    if path.name != name_or_path or not found.is_file():
        raise InvalidConfiguration(unknown("scenario", name_or_path, [file.stem for file in all_scenarios()]))
    return found
