"""Planted violations of I9, I11, I13 and I14, and what only looks like one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import FRANKFURT, OREGON, TOKYO, added, origin, titled

from atoll import limits
from atoll.causality.cut import Cut
from atoll.causality.hybrid_clock import HybridClock
from atoll.crdt.codec import decode_record
from atoll.instant import Timestamp
from atoll.simulation.history import Status
from atoll.simulation.loop.clocks import EPOCH_MS
from atoll.simulation.observations import Captured, Collected, Committed, Connected, Observation
from atoll.simulation.verdict import Verdict

# -- sessions -----------------------------------------------------------------------------------------------------


def test_read_of_a_session_that_is_not_covered_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.read(TOKYO, "a", "c")
    (finding,) = ring.findings(converged=False)
    assert (finding.checker, finding.anomaly) == ("sessions inside", "read not covered")
    assert finding.entries == (1,)


def test_read_of_a_session_that_is_covered_is_valid() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.settle()
    ring.read(TOKYO, "a", "c")
    assert ring.anomalies() == set()
    assert ring.results()["sessions inside"].verdict is Verdict.VALID


def test_read_of_a_session_without_a_past_may_be_stale() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.read(TOKYO, "a", "d")
    assert ring.anomalies(converged=False) == set()


def test_read_after_hearing_of_a_write_that_is_not_covered_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.read(TOKYO, "a", "d")
    ring.history[1] = replace(ring.history[1], heard=0)
    assert ring.anomalies(converged=False) == {("sessions inside", "read not covered")}


def test_what_is_heard_of_an_operation_still_on_its_way_counts_for_nothing() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.read(TOKYO, "a", "d")
    ring.history[0] = replace(ring.history[0], ended=9.0)
    ring.history[1] = replace(ring.history[1], heard=0)
    assert ring.anomalies(converged=False) == set()


def test_read_in_the_region_of_the_write_needs_no_cut() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.read(FRANKFURT, "a", "c")
    assert ring.anomalies(converged=False) == set()


def test_read_that_failed_is_of_no_interest() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), client="c")
    ring.read(TOKYO, "a", "c")
    ring.history[1] = replace(ring.history[1], status=Status.FAILED)
    assert ring.anomalies(converged=False) == set()


# -- stability ----------------------------------------------------------------------------------------------------


def test_batch_collected_before_a_region_has_it_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.capture(origin("frankfurt"))
    ring.carry(origin("frankfurt"), TOKYO)
    ring.join(origin("tokyo"))
    ring.observe(Collected(at=0, shard=origin("frankfurt"), number=1))
    (finding,) = ring.findings(converged=False)
    assert (finding.checker, finding.anomaly) == ("stability", "collected too early")
    assert finding.places == ("frankfurt/s1", "oregon/s1")


def test_batch_collected_before_one_of_two_shards_has_it_is_found() -> None:
    ring = Ring(count=2)
    for number in range(4):
        ring.write(FRANKFURT, f"k{number}", added("x"))
    source = origin("frankfurt")
    ring.capture(source)
    for region in (TOKYO, OREGON):
        ring.carry(source, region)
        ring.join(origin(region, "s1"))
    ring.join(origin("oregon", "s2"))
    ring.observe(Collected(at=0, shard=source, number=1))
    assert {finding.places[1] for finding in ring.findings(converged=False)} == {"tokyo/s2"}


def test_batch_collected_once_all_have_it_is_valid() -> None:
    ring = Ring(count=2)
    ring.write(FRANKFURT, "a", added("x"))
    ring.settle()
    for shard in ring.shards:
        ring.collect(shard)
    assert ring.anomalies() == set()
    assert ring.results()["stability"].verdict is Verdict.VALID


# -- bounds -------------------------------------------------------------------------------------------------------


def test_group_beyond_its_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    monkeypatch.setattr(limits, "GROUP_RECORDS_MAX", 0)
    ring.write(FRANKFURT, "a", added("x"))
    assert ring.anomalies(converged=False) == {("bounds", "bound exceeded")}


def test_peaks_are_told() -> None:
    ring = Ring()
    for element in "xyz":
        ring.write(FRANKFURT, "a", added(element))
    ring.sample()
    ring.settle()
    peaks = ring.results()["bounds"].legal
    assert peaks["peak of log rows of one shard"] == 3
    assert peaks["peak of records in one group"] == 1


# -- the order of a session's writes ------------------------------------------------------------------------------


def forgetful(seen: Observation) -> Sequence[Observation]:
    """Neither the writes nor their batches say what their sessions had written."""
    match seen:
        case Committed():
            return [replace(seen, dependencies=Cut.EMPTY)]
        case Captured(batch=batch):
            return [replace(seen, batch=replace(batch, dependencies=Cut.EMPTY))]
        case _:
            return [seen]


def test_write_that_may_be_seen_before_its_sessions_earlier_write_is_found() -> None:
    ring = Ring(count=2)
    first, *others = (f"k{number}" for number in range(8))
    second = next(key for key in others if other_shard(ring, first, key))
    ring.tamper = forgetful
    ring.write(FRANKFURT, first, added("x"), client="c")
    ring.write(FRANKFURT, second, added("y"), client="c")
    ring.capture(ring.owner(FRANKFURT, ring.id(second)))  # the first was captured for the second
    (finding,) = ring.findings(converged=False)
    assert (finding.checker, finding.anomaly) == (
        "order of sessions", "write before its session's earlier write"
    )  # fmt: skip
    assert finding.entries == (1,)


def test_writes_of_other_sessions_and_of_one_shard_need_no_dependency() -> None:
    ring = Ring(count=2)
    first, *others = (f"k{number}" for number in range(8))
    ring.tamper = forgetful
    ring.write(FRANKFURT, first, added("x"), client="c")
    ring.write(FRANKFURT, next(key for key in others if not other_shard(ring, first, key)), added("y"), client="c")
    ring.write(FRANKFURT, next(key for key in others if other_shard(ring, first, key)), added("z"), client="d")
    assert all(ring.capture(origin("frankfurt", shard)) for shard in ("s1", "s2"))
    assert ring.anomalies(converged=False) == set()
    assert ring.results(converged=False)["order of sessions"].verdict is Verdict.VALID


def other_shard(ring: Ring, one: str, other: str) -> bool:
    return ring.owner(FRANKFURT, ring.id(one)) != ring.owner(FRANKFURT, ring.id(other))


# -- clocks -------------------------------------------------------------------------------------------------------


def slowed(seen: Observation) -> Sequence[Observation]:
    if isinstance(seen, Committed):
        return [replace(seen, rows=[replace(row, timestamp=Timestamp(1)) for row in seen.rows])]
    return [seen]


def test_timestamp_below_that_of_the_state_before_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", titled("x"))
    ring.tamper = slowed
    ring.write(FRANKFURT, "a", titled("y"))
    assert ring.anomalies(converged=False) == {("clocks", "timestamp goes back on a record")}


def test_timestamp_that_goes_back_along_a_session_is_found() -> None:
    ring = Ring(offsets={TOKYO: -5_000})
    ring.write(FRANKFURT, "a", titled("x"), client="c")
    ring.sessions["c"].timestamp = Timestamp(0)
    ring.write(TOKYO, "b", titled("y"), client="c")
    assert ring.anomalies(converged=False) == {("clocks", "timestamp goes back in a session")}


def process_of(name: str) -> Callable[[Observation], Sequence[Observation]]:
    """Writes come from a process that begins now."""
    begins: list[Observation] = [Connected(at=0.0, server=origin("frankfurt"), process=name)]

    def tell(seen: Observation) -> Sequence[Observation]:
        before, begins[:] = begins[:], []
        return [*before, replace(seen, process=name) if isinstance(seen, Committed) else seen]

    return tell


@pytest.mark.parametrize(
    ("back_ms", "found"), [(5_000, {("clocks", "timestamp goes back over a restart")}), (0, set())]
)
def test_timestamp_that_goes_back_over_a_restart_is_found(back_ms: int, found: set[tuple[str, str]]) -> None:
    offsets = {FRANKFURT: 0}
    ring = Ring(offsets=offsets)
    ring.tamper = process_of("frankfurt/n1#0")
    ring.write(FRANKFURT, "a", titled("x"))
    offsets[FRANKFURT] = -back_ms
    ring.clocks[FRANKFURT] = HybridClock(lambda: int(ring.now * 1000) + 10_000 + offsets[FRANKFURT])
    ring.tamper = process_of("frankfurt/n1#1")
    ring.write(FRANKFURT, "b", titled("y"))
    assert ring.anomalies(converged=False) == found


def test_process_that_began_before_may_be_behind_another_of_its_region() -> None:
    ring = Ring()
    ring.observe(Connected(at=0.0, server=origin("frankfurt"), process="frankfurt/n2#0"))
    ring.tamper = process_of("frankfurt/n1#0")
    ring.write(FRANKFURT, "a", titled("x"))
    ring.clocks[FRANKFURT] = HybridClock(lambda: int(ring.now * 1000) + 5_000)
    ring.tamper = lambda seen: [replace(seen, process="frankfurt/n2#0") if isinstance(seen, Committed) else seen]
    ring.write(FRANKFURT, "b", titled("y"))
    assert ring.anomalies(converged=False) == set()


def test_session_whose_timestamp_nobody_follows_is_counted() -> None:
    ring = Ring(offsets={FRANKFURT: EPOCH_MS + 50_000, TOKYO: EPOCH_MS - 5_000})
    ring.write(FRANKFURT, "a", titled("x"), client="c")
    ring.sessions["c"].timestamp = Timestamp(0)
    ring.write(TOKYO, "b", titled("y"), client="c")
    result = ring.results(converged=False)["clocks"]
    assert result.findings == ()
    assert result.legal["sessions whose timestamp nobody follows"] == 1
    assert result.legal["peak of milliseconds ahead of true time"] == 60_000


def test_clocks_that_differ_are_no_violation_while_they_follow_causality() -> None:
    ring = Ring(offsets={TOKYO: -5_000, OREGON: 5_000})
    ring.write(FRANKFURT, "a", titled("x"), client="c")
    ring.write(TOKYO, "b", titled("y"), client="c")
    ring.write(OREGON, "a", titled("z"))
    ring.settle()
    ring.write(TOKYO, "a", titled("last"))
    ring.settle()
    assert ring.anomalies() == set()
    held = ring.shards[origin("oregon")].records[ring.id("a")]
    assert decode_record(held.context, held.state).value() == {"title": "last"}


# -- the box itself -----------------------------------------------------------------------------------------------


def test_checker_that_saw_nothing_is_unknown() -> None:
    results = Ring().results()
    assert {name for name, result in results.items() if result.verdict is not Verdict.UNKNOWN} == {"ownership"}
    assert results["dots"].note == "nothing happened that could be compared"


def test_checker_that_fails_is_unknown_and_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))

    def broken(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(ring.box._checks[0], "_check_log", broken)
    ring.settle()
    ring.sample()
    results = ring.results()
    assert results["durability"].verdict is Verdict.UNKNOWN
    assert "on purpose" in results["durability"].note
    assert results["dots"].verdict is Verdict.VALID


def test_findings_of_one_kind_are_told_up_to_a_bound_and_then_counted() -> None:
    ring = Ring()
    ring.tamper = lambda seen: [replace(seen, owned=[])] if isinstance(seen, Committed) else [seen]
    for number in range(15):
        ring.write(FRANKFURT, f"k{number}", added("x"))
    result = ring.results(converged=False)["ownership"]
    assert len(result.findings) == 10
    assert result.note == "5 more of: write outside of what the shard owns"
