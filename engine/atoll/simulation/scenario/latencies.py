"""Round trips given in the scenario itself, for a few places and in both directions unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from atoll.errors import InvalidConfiguration
from atoll.simulation.network.latency import LatencyTable

NAME = "network.latency"


def given_latencies(round_trips_ms: Mapping[str, Mapping[str, float]]) -> LatencyTable:
    """The table; a figure that is only given one way holds for both, and a place is at no distance from itself.

    Raises :class:`InvalidConfiguration` naming a pair of places without a figure.
    """
    inner = [place for row in round_trips_ms.values() for place in row]
    places = tuple(dict.fromkeys((*round_trips_ms, *inner)))
    figures = {(source, target): _figure(round_trips_ms, source, target) for source in places for target in places}
    return LatencyTable(name=NAME, places=places, round_trips_ms=figures)


def _figure(round_trips_ms: Mapping[str, Mapping[str, float]], source: str, target: str) -> float:
    for first, second in ((source, target), (target, source)):
        figure = round_trips_ms.get(first, {}).get(second)
        if figure is not None:
            return figure
    if source == target:
        return 0.0
    raise InvalidConfiguration(f"no figure between {source} and {target}: give the round trip in milliseconds")
