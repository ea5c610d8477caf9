"""What goes wrong, in words: a story knows what it may be told about a ring, and which faults it comes to.

Every story holds from ``at_seconds`` for ``for_seconds``. What it leaves open (``any`` node, which half) is drawn
from the stream it is given, so that each seed tells it differently; :attr:`Story.draws` says whether it leaves
anything open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from atoll.configuration.problems import unknown
from atoll.keyspace.topology import Topology
from atoll.simulation.plan import Fault, FaultKind

ANY = "any"
"""One of its kind, drawn for each seed."""

Problem = tuple[str, str]
"""The key and what is wrong with it."""


def _as_list(given: object) -> object:
    return [given] if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""A list of names, or one name alone."""


class Story(BaseModel):
    """One ``[[fault]]``. Subclasses add what they need to know."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: str
    at_seconds: float = Field(ge=0, allow_inf_nan=False)
    for_seconds: float = Field(gt=0, allow_inf_nan=False)

    @property
    def draws(self) -> bool:
        """Whether a seed has to choose something."""
        return ANY in self.places

    @property
    def places(self) -> Sequence[str]:
        """The regions, nodes, shards and links that it names, and ``any``."""
        return ()

    def problems(self, topology: Topology) -> Iterator[Problem]:  # noqa: ARG002 - for those who override it
        """What is wrong with it on this ring."""
        yield from ()

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        """The faults it comes to, in the order of their beginnings where it matters to people."""
        raise NotImplementedError

    def fault(
        self,
        kind: FaultKind,
        targets: Sequence[str],
        parameters: Mapping[str, float] | None = None,
        *,
        at_seconds: float | None = None,
        duration_seconds: float | None = None,
    ) -> Fault:
        """One fault of this story; at its time unless told otherwise. Times are whole milliseconds."""
        return Fault(
            at_seconds=round(self.at_seconds if at_seconds is None else at_seconds, 3),
            duration_seconds=max(round(self.for_seconds if duration_seconds is None else duration_seconds, 3), 0.001),
            kind=kind,
            targets=tuple(targets),
            parameters=dict(parameters or {}),
            story=self.kind,
        )


class Primitive(Story):
    """A fault as a plan holds it: ``targets`` by name, only the given parameters. Regions stand for all of their
    nodes or shards; ``any`` for one of all. Written and read again it is the same."""

    primitive: ClassVar[FaultKind]
    targets: Names = Field(min_length=1)
    story: str = ""

    @property
    def places(self) -> Sequence[str]:
        return self.targets

    def known(self, topology: Topology) -> Sequence[str]:
        """Everything on this ring that can be a target."""
        raise NotImplementedError

    def problems(self, topology: Topology) -> Iterator[Problem]:
        known = self.known(topology)
        for target in self.targets:
            if target not in (ANY, *known) and not _within(target, known):
                yield "targets", unknown(self.noun, target, [*known, ANY])

    noun: ClassVar[str]

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        known = self.known(topology)
        named: dict[str, None] = {}
        for target in self.targets:
            found = [random.choice(known)] if target == ANY else _within(target, known) or [target]
            named.update(dict.fromkeys(found))
        return [
            Fault(
                at_seconds=self.at_seconds,
                duration_seconds=self.for_seconds,
                kind=self.primitive,
                targets=tuple(named),
                parameters=self.parameters(),
                story=self.story,
            )
        ]

    def parameters(self) -> Mapping[str, float]:
        """What was given beyond when, where and what."""
        own = type(self).model_fields.keys() - Primitive.model_fields.keys()
        return {name: getattr(self, name) for name in sorted(own) if getattr(self, name) is not None}


def _within(region: str, known: Sequence[str]) -> list[str]:
    """The nodes or shards of a region."""
    return [name for name in known if name.startswith(f"{region}/")]


def region_names(topology: Topology) -> list[str]:
    """In the order of the scenario."""
    return [str(name) for name in topology.regions]


def node_names(topology: Topology) -> list[str]:
    """``frankfurt/n1``, in the order of the scenario."""
    return [f"{region.name}/{node.name}" for region in topology.regions.values() for node in region.nodes]


def shard_names(topology: Topology) -> list[str]:
    """``frankfurt/s1``, in the order of the scenario."""
    return [f"{region.name}/{shard.name}" for region in topology.regions.values() for shard in region.shards]


def link_names(topology: Topology) -> list[str]:
    """Every directed link between two regions, ``frankfurt>tokyo``."""
    names = region_names(topology)
    return [link(source, target) for source in names for target in names if source != target]


def link(source: str, target: str) -> str:
    """The directed link as a plan names it."""
    return f"{source}>{target}"


def both_ways(first: str, second: str) -> list[str]:
    """The two links between two regions."""
    return [link(first, second), link(second, first)]
