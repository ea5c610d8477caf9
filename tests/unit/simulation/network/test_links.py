"""One directed link: latency, jitter, loss, bandwidth, cuts and degradations, as plain arithmetic."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from typing import Any

import pytest

from atoll.errors import InvalidConfiguration
from atoll.simulation.network.links import Degradation, Link


def link(**changes: Any) -> Link:
    usual: dict[str, Any] = {
        "latency_seconds": 0.1,
        "round_trip_seconds": 0.2,
        "jitter": 0.0,
        "loss": 0.0,
        "bandwidth_mbps": None,
    }
    return Link("here", "there", **{**usual, **changes}, rng=random.Random("link"), bites=Counter())


def transit(way: Link, at: float = 0.0, size_bytes: int = 1_000) -> float:
    seconds = way.transit_seconds(at, size_bytes, way.jitter_seconds())
    assert seconds is not None
    return seconds


def test_link_without_jitter_takes_exactly_its_latency() -> None:
    assert transit(link()) == 0.1


def test_jitter_keeps_the_measured_mean_and_has_a_long_tail() -> None:
    way = link(jitter=0.2)
    times = sorted(transit(way) for _ in range(20_000))
    assert statistics.fmean(times) == pytest.approx(0.1, rel=0.01)
    assert times[0] >= 0.1 / 1.2
    assert times[-1] - times[10_000] > 10 * (times[10_000] - times[0])


def test_bandwidth_is_shared_in_the_order_of_sending() -> None:
    way = link(bandwidth_mbps=8)
    assert transit(way, 0.0, 100_000) == pytest.approx(0.1 + 0.1)
    assert transit(way, 0.0, 50_000) == pytest.approx(0.15 + 0.1)
    assert transit(way, 0.12, 10_000) == pytest.approx(0.04 + 0.1)
    assert transit(way, 5.0, 10_000) == pytest.approx(0.01 + 0.1)


def test_lost_packet_costs_a_retransmission_and_is_counted() -> None:
    way = link(loss=0.3)
    times = [transit(way, size_bytes=100) for _ in range(2_000)]
    assert min(times) == pytest.approx(0.1)
    assert sum(time > 0.1 for time in times) == pytest.approx(600, rel=0.15)
    assert min(time for time in times if time > 0.1) == pytest.approx(0.1 + 0.2 + 0.2)


def test_link_that_loses_everything_never_delivers() -> None:
    assert link(loss=1.0).transit_seconds(0.0, 100, 0.0) is None


def test_cuts_nest_and_each_change_is_a_new_epoch() -> None:
    way = link()
    epochs = [way.epoch]
    for change in (way.cut, way.cut, way.heal):
        change()
        epochs.append(way.epoch)
        assert way.is_cut
    way.heal()
    assert not way.is_cut
    assert len(set(epochs)) == 4


def test_degradations_add_up_and_go_one_by_one() -> None:
    way = link(bandwidth_mbps=100)
    slow = way.degrade(Degradation(latency_factor=2.0, loss=0.5, bandwidth_kbps=1_000))
    slower = way.degrade(Degradation(latency_factor=3.0, loss=0.5, bandwidth_kbps=2_000))
    assert way.now.latency_factor == 6.0
    assert way.now.loss == 0.75
    assert way.now.bandwidth_kbps == 1_000
    way.mend(slow)
    assert way.now.latency_factor == 3.0
    way.mend(slower)
    assert transit(way, size_bytes=1) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"lost": 0.1}, "no 'lost' to degrade"),
        ({"loss": 1.5}, "loss = 1.5"),
        ({"latency_factor": -1.0}, "latency_factor = -1"),
        ({"bandwidth_kbps": 0.0}, "cut the link instead"),
    ],
)
def test_degradation_that_makes_no_sense_is_refused(parameters: dict[str, float], what: str) -> None:
    with pytest.raises(InvalidConfiguration, match=what):
        Degradation.of(parameters)
