"""The summary of a run: small, complete, fit to cross processes and to be written as JSON."""

from __future__ import annotations

import pickle

import orjson
from tests.unit.simulation.report.results import Story, checker, entry, result, story

from atoll.ids import RegionName
from atoll.simulation.history import Status
from atoll.simulation.plan import Action
from atoll.simulation.report.availability import OperationClass
from atoll.simulation.report.statistics import Spread
from atoll.simulation.report.summary import latencies, plain_values, summarize
from atoll.simulation.verdict import Verdict

BYTES_MAX = 20_000


def test_summary_crosses_processes_unchanged_and_small() -> None:
    summary = summarize(story(violated=True))
    packed = pickle.dumps(summary)
    assert pickle.loads(packed) == summary
    assert len(packed) < BYTES_MAX


def test_summary_is_json() -> None:
    written = orjson.loads(orjson.dumps(plain_values(summarize(story(violated=True)))))
    assert written["verdict"] == "violated"
    assert written["findings"][0]["anomaly"] == "read lacks an own write"
    assert written["availability"]["tokyo"]["write"].keys() == {"ok", "failed", "unknown"}
    assert written["staleness_seconds"]["tokyo"]["frankfurt"].keys() == {"count", "p50", "p99", "max"}


def test_pairs_in_keys_become_text() -> None:
    assert plain_values({("tokyo", "frankfurt"): (1, 2)}) == {"tokyo<frankfurt": [1, 2]}


def test_same_result_gives_the_same_summary() -> None:
    assert summarize(Story(seed=3).result()) == summarize(Story(seed=3).result())
    assert summarize(Story(seed=3).result()) != summarize(Story(seed=4).result())


def test_latency_is_that_of_what_went_well_in_milliseconds() -> None:
    history = [
        entry(0, began=0.0, ended=0.002),
        entry(1, began=1.0, ended=1.004),
        entry(2, began=2.0, ended=7.0, status=Status.FAILED),
        entry(3, began=3.0, ended=3.001, action=Action.READ),
        entry(4, began=9.0, ended=9.9, action=Action.READ, final=True),
    ]
    found = latencies(result(history=history))[RegionName("frankfurt")]
    writes, reads = found[OperationClass.WRITE], found[OperationClass.READ]
    assert (writes.count, round(writes.p50, 6), round(writes.p99, 6)) == (2, 2.0, 4.0)
    assert reads == Spread(count=1, p50=reads.p50, p99=reads.p50, max=reads.p50)


def test_checker_that_could_not_tell_says_why() -> None:
    unsure = checker("counters", 0, verdict=Verdict.UNKNOWN, note="no counter was read")
    assert summarize(result(checkers=(checker(), unsure))).unknown == {"counters": "no counter was read"}


def test_highest_backlog_and_log_are_kept() -> None:
    summary = summarize(story())
    assert summary.backlog_batches_max == 360
    assert summary.log_rows_max > 600
