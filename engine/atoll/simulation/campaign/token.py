"""Replay tokens: one word that names a run so exactly that it can be repeated, or refused for a reason.

``r1:0.1.0:3f9c2e81:3.11:atlantic-cable-cut:9a7c12d0:42:c0`` is form, version of Atoll, fingerprint of its source,
Python, scenario, fingerprint of the scenario, seed and check digits; with a configuration its fingerprint comes
before the check digits. Times of machines, process identifiers and hash seeds have no part in a run, and none here.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from urllib.parse import quote, unquote

from atoll import __version__
from atoll.errors import InvalidConfiguration
from atoll.simulation.campaign.fingerprints import scenario_fingerprint, source_fingerprint
from atoll.simulation.scenario.scenario import Scenario

_FORM = "r1"
_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayToken:
    """What a run depended on. ``configuration`` is empty if the scenario brought its own ring."""

    version: str
    source: str
    python: str
    scenario: str
    scenario_hash: str
    seed: int
    configuration: str = ""

    def __str__(self) -> str:
        """The text to copy; :meth:`parse` reads it back."""
        parts = [_FORM, self.version, self.source, self.python, quote(self.scenario, safe=""), self.scenario_hash]
        parts += [str(self.seed), self.configuration] if self.configuration else [str(self.seed)]
        body = ":".join(parts)
        return f"{body}:{_check_digits(body)}"

    @classmethod
    def of(cls, scenario: Scenario, seed: int, configuration: str = "") -> ReplayToken:
        """The token of a run by this program."""
        return cls(
            version=__version__,
            source=source_fingerprint(),
            python=python_version(),
            scenario=scenario.name,
            scenario_hash=scenario_fingerprint(scenario),
            seed=seed,
            configuration=configuration,
        )

    @classmethod
    def parse(cls, text: str) -> ReplayToken:
        """Raises :class:`InvalidConfiguration`, in one sentence, for what is no token or was not copied whole."""
        form, *parts = text.strip().split(":")
        if len(form) < 2 or form[0] != "r" or not form[1:].isdigit():
            raise InvalidConfiguration(
                f"{_shortened(text)} is no replay token: copy the word that begins with {_FORM}: from a run's output"
            )
        if form != _FORM:
            raise InvalidConfiguration(
                f"{_shortened(text)} is a replay token of form {form}, and this Atoll {__version__} reads {_FORM}: "
                f"use the version of Atoll that printed it"
            )
        body, _, digits = text.strip().rpartition(":")
        if len(parts) not in (_PARTS - 1, _PARTS) or digits != _check_digits(body) or not _is_whole(parts[5]):
            raise InvalidConfiguration(
                f"{_shortened(text)} is not a whole replay token: copy all of it, from {_FORM}: to the check digits"
            )
        version, source, python, scenario, scenario_hash, seed, *rest = parts
        return cls(
            version=version,
            source=source,
            python=python,
            scenario=unquote(scenario),
            scenario_hash=scenario_hash,
            seed=int(seed),
            configuration=rest[0] if len(rest) == 2 else "",
        )

    def check_version(self) -> None:
        """Raises :class:`InvalidConfiguration` if another version of Atoll made it; to be asked before the scenario
        is looked for, which that version may have had alone."""
        if self.version != __version__:
            raise InvalidConfiguration(
                f"the token is of Atoll {self.version} and this is Atoll {__version__}: "
                f"install that version to replay it"
            )

    def check(self, scenario: Scenario, configuration: str = "", *, anyway: bool = False) -> None:
        """Raises :class:`InvalidConfiguration` if this program would not repeat that run.

        ``anyway`` overlooks that the source code or the Python differ, which may or may not matter; that version,
        scenario or configuration differ means another run, always.
        """
        self.check_version()
        now = ReplayToken.of(scenario, self.seed, configuration)
        if not anyway:
            self._check_code(now)
        if self.scenario != now.scenario or self.scenario_hash != now.scenario_hash:
            raise InvalidConfiguration(
                f"the token is of scenario {self.scenario} {self.scenario_hash}, and what was found is "
                f"{now.scenario} {now.scenario_hash}: bring back the file, or the table of latencies, as it was"
            )
        if self.configuration != configuration:
            raise InvalidConfiguration(_configuration_differs(self.configuration, configuration))

    def _check_code(self, now: ReplayToken) -> None:
        """First of all, for scenarios come with the code and are mostly changed together with it."""
        if self.python != now.python:
            raise InvalidConfiguration(
                f"the token is of Python {self.python} and this is {now.python}, whose runs may differ: "
                f"use that one, or try with --anyway"
            )
        if self.source != now.source:
            raise InvalidConfiguration(
                f"the token is of source code {self.source} and this is {now.source}, though both call themselves "
                f"{__version__}: go back to that code, or try with --anyway"
            )


def python_version() -> str:
    """Major and minor: within these, runs are equal."""
    return ".".join(platform.python_version_tuple()[:2])


def _configuration_differs(told: str, found: str) -> str:
    if not told:
        return "the token is of the ring that the scenario brings along: leave --config out"
    if not found:
        return f"the token is of the configuration {told}: give that file with --config"
    return f"the token is of the configuration {told} and the file given is {found}: give it as it was then"


def _check_digits(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:2]


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
