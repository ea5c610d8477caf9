"""How a ring is: every node's own view side by side, and what is wrong in one list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from atoll.control import NodeStatus
from atoll.ids import NodeName, RegionName

Drills = Mapping[RegionName, Collection[RegionName]]
"""Regions that play dead, and to whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node: what it says, or why it says nothing."""

    region: RegionName
    node: NodeName
    status: NodeStatus | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All nodes of a ring, in the order of the configuration."""

    ring: str
    nodes: Sequence[NodeView]

    def regions(self) -> Mapping[RegionName, NodeStatus | None]:
        """Each region by the first of its nodes that answers; ``None`` for a region that does not."""
        found: dict[RegionName, NodeStatus | None] = {}
        for view in self.nodes:
            found[view.region] = found.get(view.region) or view.status
        return found

    def problems(self) -> list[str]:
        """What is wrong, one line each; none when all is well. A drill is told too: once, by the region that plays
        dead, and not again by every link that it cuts."""
        drills = self._drills()
        found = [problem for view in self.nodes for problem in _problems(view, drills)]
        return found + [
            f"drill: {region} plays dead to {', '.join(others)}; `atoll drill heal` ends it"
            for region, others in drills.items()
        ]

    def _drills(self) -> Drills:
        drills: dict[RegionName, dict[RegionName, None]] = {}
        for view in self.nodes:
            if view.status is not None and view.status.cut_off_from:
                drills.setdefault(view.region, {}).update(dict.fromkeys(view.status.cut_off_from))
        return drills

    def as_json(self) -> dict[str, Any]:
        """Every figure, for scripts."""
        return {
            "ring": self.ring,
            "healthy": not self.problems(),
            "problems": self.problems(),
            "nodes": [_node_json(view) for view in self.nodes],
        }


def _problems(view: NodeView, drills: Drills) -> Iterator[str]:
    who = f"{view.region}/{view.node}"
    if view.status is None:
        yield f"node {who} does not answer: {view.problem}"
        return
    for shard in view.status.shards:
        if not shard.answering:
            yield f"shard {view.region}/{shard.name} does not answer {who}: {shard.problem}"
    for peer in view.status.peers:
        drilled = peer.region in drills.get(view.region, ()) or view.region in drills.get(peer.region, ())
        if not peer.connected and not drilled:
            yield f"{who} receives nothing from {peer.region}: {peer.problem or 'not connected'}"


def _node_json(view: NodeView) -> dict[str, Any]:
    head = {"region": view.region, "node": view.node, "answering": view.status is not None, "problem": view.problem}
    if view.status is None:
        return head
    return {
        **head,
        "map_version": view.status.map_version,
        "shards": [asdict(shard) for shard in view.status.shards],
        "peers": [asdict(peer) for peer in view.status.peers],
        "cut": {str(origin): number for origin, number in sorted(view.status.cut.items())},
        "cut_off_from": list(view.status.cut_off_from),
    }
