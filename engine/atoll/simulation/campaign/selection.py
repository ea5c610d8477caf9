"""From what people type to scenarios: a name, a file, a group such as ``fast``, or ``all``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atoll.configuration.problems import unknown
from atoll.errors import InvalidConfiguration
from atoll.simulation.campaign.fingerprints import file_fingerprint
from atoll.simulation.campaign.seeds import Job
from atoll.simulation.campaign.token import ReplayToken
from atoll.simulation.scenario.library import all_scenarios, find
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.scenario.scenario import Group, Scenario

ALL = "all"
FIRST_SEED = 1
_NAMES_MAX = 3
"""Names that a label spells out. Larger: names of files that no file system takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Scenarios and how to name them again. ``left_out``: those of a group that do not fit the configuration, and
    why."""

    label: str
    """What was asked for, as part of a file's name."""
    files: Sequence[tuple[Scenario, Path]]
    configuration: Path | None
    left_out: Sequence[str] = ()

    @property
    def scenarios(self) -> Sequence[Scenario]:
        """Without their files."""
        return [scenario for scenario, _ in self.files]

    def token(self, job: Job) -> ReplayToken:
        """What names a run of the selection."""
        return ReplayToken.of(job.scenario, job.seed, configuration_fingerprint(self.configuration))

    def replay(self, job: Job) -> str:
        """The command that repeats a run of the selection from here."""
        words = ["atoll", "simulate", "replay", str(self.token(job))]
        file = next(file for scenario, file in self.files if scenario.name == job.scenario.name)
        if file not in all_scenarios():
            words += ["--scenario", str(file)]
        if self.configuration is not None:
            words += ["--config", str(self.configuration)]
        return shlex.join(words)


def select(names: Sequence[str], configuration: Path | None = None) -> Selection:
    """The scenarios of ``names``, in their order, each once; on the ring of ``configuration``, if given.

    Raises :class:`InvalidConfiguration` for a name that is none, and for a scenario that does not fit the
    configuration unless it came with a group.
    """
    files: dict[str, tuple[Scenario, Path]] = {}
    left_out: list[str] = []
    for name in names:
        chosen = _of_group(name, configuration, left_out) if _is_group(name) else [_one(name, configuration)]
        for scenario, file in chosen:
            other = files.setdefault(scenario.name, (scenario, file))[1]
            if other != file:
                raise InvalidConfiguration(f"{other} and {file} are both called {scenario.name}: rename one of them")
    if not files:
        reasons = f": {left_out[0]}" if left_out else ""
        raise InvalidConfiguration(f"there is no scenario to run in {', '.join(names)}{reasons}")
    return Selection(
        label="-".join(Path(name).stem for name in names) if len(names) <= _NAMES_MAX else f"{len(names)}-scenarios",
        files=tuple(files.values()),
        configuration=configuration,
        left_out=tuple(left_out),
    )


def select_one(name: str, configuration: Path | None = None) -> Scenario:
    """The scenario of a name or file. Raises :class:`InvalidConfiguration` for a group, which is several."""
    if _is_group(name):
        raise InvalidConfiguration(
            f"{name} is a group of scenarios: name one of them, as `atoll simulate list` shows"
        )
    return _one(name, configuration)[0]


def select_for(token: ReplayToken, scenario: Path | None, configuration: Path | None) -> Selection:
    """The scenario of a token: the file given, or the one of its name. Raises :class:`InvalidConfiguration`."""
    if scenario is not None:
        return select([str(scenario)], configuration)
    if token.scenario not in [file.stem for file in all_scenarios()]:
        raise InvalidConfiguration(
            f"the token is of scenario {token.scenario}, which does not come with Atoll: "
            f"give its file with --scenario FILE"
        )
    return select([token.scenario], configuration)


def default_seed(scenario: Scenario) -> int:
    """The first seed that the scenario names, for it once failed; else one."""
    return scenario.seeds[0] if scenario.seeds else FIRST_SEED


def configuration_fingerprint(configuration: Path | None) -> str:
    """Of the file as it is; empty without one."""
    return "" if configuration is None else file_fingerprint(configuration)


def library(group: Group | None = None) -> Sequence[Scenario]:
    """The scenarios that come with Atoll, by group and name."""
    found = [load_scenario(file) for file in all_scenarios()]
    order = list(Group)
    return sorted(
        (each for each in found if group in (None, each.group)), key=lambda each: (order.index(each.group), each.name)
    )


def group_named(name: str) -> Group:
    """Raises :class:`InvalidConfiguration` with the groups there are."""
    if name not in list(Group):
        raise InvalidConfiguration(unknown("group", name, [group.value for group in Group]))
    return Group(name)


def _is_group(name: str) -> bool:
    return name == ALL or name in list(Group)


def _one(name: str, configuration: Path | None) -> tuple[Scenario, Path]:
    file = find(name)
    return load_scenario(file, configuration), file


def _of_group(name: str, configuration: Path | None, left_out: list[str]) -> list[tuple[Scenario, Path]]:
    """Those of the group that fit the configuration; with a group it is not asked for one that does not."""
    chosen = []
    for file in all_scenarios():
        own = load_scenario(file)
        if name not in (ALL, own.group):
            continue
        try:
            chosen.append((own if configuration is None else load_scenario(file, configuration), file))
        except InvalidConfiguration as error:
            left_out.append(f"{own.name}: {' '.join(str(error).split())}")
    return chosen
