"""Peaks of backlogs, what was normal before, and when they had drained."""

from __future__ import annotations

from collections.abc import Sequence

from tests.unit.simulation.report.results import cut

from atoll.ids import RegionName
from atoll.simulation.report.backlog import backlogs, logs
from atoll.simulation.report.incidents import incidents
from atoll.simulation.result import Sample

PAIR = (RegionName("tokyo"), RegionName("frankfurt"))
FOUND = incidents([cut(2.0, 3.0, "frankfurt>tokyo")])


def samples(*behind: int) -> Sequence[Sample]:
    """One a second from 0."""
    return [
        Sample(at=float(at), behind={PAIR: number}, stale_seconds={}, log_rows={"tokyo/s1": 2 * number})
        for at, number in enumerate(behind)
    ]


def test_backlog_is_drained_when_it_is_back_at_what_was_normal() -> None:
    (found,) = backlogs(samples(1, 2, 30, 60, 80, 40, 3, 2, 1), FOUND)
    peak = found.batches
    assert (found.reader, found.origin) == PAIR
    assert (peak.peak, peak.at, peak.normal, peak.mended_at, peak.drained_at) == (80, 4.0, 2, 5.0, 7.0)
    assert peak.drain_seconds == 2.0


def test_peak_after_the_mending_drains_from_the_peak() -> None:
    (found,) = backlogs(samples(1, 1, 5, 6, 7, 8, 90, 50, 1), FOUND)
    assert found.batches.drain_seconds == 2.0


def test_backlog_that_stays_is_not_drained() -> None:
    (found,) = backlogs(samples(0, 0, 5, 9, 9, 9), FOUND)
    assert found.batches.drained_at is None
    assert found.batches.drain_seconds is None


def test_without_faults_the_whole_run_is_normal() -> None:
    (found,) = backlogs(samples(1, 7, 2), [])
    assert (found.batches.peak, found.batches.normal, found.batches.mended_at) == (7, 7, None)


def test_logs_are_measured_by_shard() -> None:
    (found,) = logs(samples(1, 2, 30, 1), FOUND)
    assert (found.shard, found.rows.peak, found.rows.normal) == ("tokyo/s1", 60, 4)


def test_run_without_samples_has_no_backlog() -> None:
    assert backlogs([], FOUND) == []
    assert logs([], FOUND) == []
