"""CyclicCF: reads that no one order of the writes explains.

A read that knew of two concurrent writes to a register and shows one of them says that the other was arbitrated
before it. With session order, reads-from and hearsay these edges must not form a circle: else the replicas did not
agree, or a write won over one that it was ordered behind (Bouajjani et al., POPL 2017: CCv, causal convergence).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.history import Entry

Preference = tuple[Entry, Entry, Entry]
"""``(loser, winner, read)``."""

ATTEMPTS_MAX = 20
"""Edges of one tangle from which a shortest circle is looked for."""


def circles(preferences: Iterable[Preference], order: HappensBefore) -> Iterator[Sequence[Preference]]:
    """One short circle of each tangle: the preferences on it, in its order."""
    by_pair: dict[tuple[int, int], Preference] = {}
    for preference in preferences:
        by_pair.setdefault((preference[0].index, preference[1].index), preference)
    if not by_pair:
        return
    edges = [list(successors) for successors in order.successor_edges()]
    for loser, winner in by_pair:
        edges[loser].append(winner)
    component = components(edges)
    tangles: dict[int, list[tuple[int, int]]] = {}
    for loser, winner in by_pair:
        if component[loser] == component[winner]:
            tangles.setdefault(component[loser], []).append((loser, winner))
    for pairs in tangles.values():
        paths = [[*_path(edges, component, winner, loser), winner] for loser, winner in pairs[:ATTEMPTS_MAX]]
        path = min(paths, key=len)
        steps = pairwise(path)
        yield [by_pair[step] for step in steps if step in by_pair]


def _path(edges: Sequence[Sequence[int]], component: Sequence[int], start: int, goal: int) -> list[int]:
    """The shortest way within one component."""
    came_from = {start: start}
    waiting = deque([start])
    while goal not in came_from:
        at = waiting.popleft()
        for successor in edges[at]:
            if successor not in came_from and component[successor] == component[start]:
                came_from[successor] = at
                waiting.append(successor)
    path = [goal]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]


def components(edges: Sequence[Sequence[int]]) -> list[int]:
    """The strongly connected component of each node, by number (Tarjan 1972, without recursion)."""
    count = len(edges)
    number, low, component = [-1] * count, [0] * count, [-1] * count
    stack: list[int] = []
    visited = components_found = 0
    for root in range(count):
        if number[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            node, next_edge = work.pop()
            if not next_edge:
                number[node] = low[node] = visited
                visited += 1
                stack.append(node)
            for at in range(next_edge, len(edges[node])):
                successor = edges[node][at]
                if number[successor] < 0:
                    work += [(node, at + 1), (successor, 0)]
                    break
                if component[successor] < 0:
                    low[node] = min(low[node], number[successor])
            else:
                if low[node] == number[node]:
                    while True:
                        member = stack.pop()
                        component[member] = components_found
                        if member == node:
                            break
                    components_found += 1
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
    return component
