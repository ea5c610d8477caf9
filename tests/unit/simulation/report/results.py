"""Results to draw: hand-made ones of a few entries, and a realistic one of a ring that was cut in two."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from atoll.ids import CollectionName, RegionName
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action, Fault, FaultKind, Plan, PlannedOperation
from atoll.simulation.result import ConflictCount, RunResult, Sample, TraceEvent
from atoll.simulation.verdict import CheckerResult, Finding, Verdict, worst

THREE = ("frankfurt", "washington", "tokyo")
FIVE = ("frankfurt", "washington", "tokyo", "sao-paulo-south-america-1", "sydney")


def entry(
    index: int,
    region: str = "frankfurt",
    action: Action = Action.SET,
    began: float = 0.0,
    ended: float | None = None,
    status: Status = Status.OK,
    **more: Any,
) -> Entry:
    """One entry; 10 ms long unless told."""
    planned = PlannedOperation(
        at_seconds=began,
        client=more.pop("client", "c1"),
        region=RegionName(region),
        workload=more.pop("workload", "sets"),
        action=action,
        collection=CollectionName("carts"),
        key=more.pop("key", "k1"),
        field=more.pop("field", "items"),
        argument=more.pop("argument", None),
    )
    return Entry(
        index=index,
        planned=planned,
        session=more.pop("session", planned.client),
        began=began,
        ended=began + 0.01 if ended is None else ended,
        status=status,
        **more,
    )


def cut(at: float, seconds: float, *targets: str, story: str = "") -> Fault:
    """A cut of directed links."""
    return Fault(at_seconds=at, duration_seconds=seconds, kind=FaultKind.CUT, targets=targets, story=story)


def checker(name: str = "sets", checks: int = 500, **more: Any) -> CheckerResult:
    """A checker that found nothing, unless told."""
    findings = more.get("findings", ())
    return CheckerResult(
        checker=name,
        promise=more.pop("promise", "I9 a session reads what its token covers"),
        verdict=more.pop("verdict", Verdict.VIOLATED if findings else Verdict.VALID),
        checks=checks,
        **more,
    )


def result(**more: Any) -> RunResult:
    """A small, valid result; anything may be given."""
    faults = more.get("faults", ())
    checkers = more.pop("checkers", (checker(),))
    given: dict[str, Any] = {
        "scenario": "small",
        "seed": 7,
        "plan": Plan(seconds=60.0, settle_seconds=30.0, operations=(), faults=faults),
        "verdict": worst(each.verdict for each in checkers),
        "checkers": checkers,
        "history": (),
        "regions": tuple(map(RegionName, THREE)),
        "converged_seconds": 1.5,
        "simulated_seconds": 62.0,
        "real_seconds": 1.25,
        "trace_hash": "5a17c0ffee",
    }
    return RunResult(**(given | more))


@dataclass
class Story:
    """A ring under steady traffic, first cut in two, then one node down. Everything is drawn from the seed."""

    regions: Sequence[str] = THREE
    seed: int = 42
    seconds: float = 120.0
    violated: bool = False
    one_way_seconds: float = 0.05
    conflicts: bool = True
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}:story")
        first, *others = self.regions
        links = [link for other in others for link in (f"{first}>{other}", f"{other}>{first}")]
        self.faults = [
            cut(30.0, 30.0, *links, story=f"{first} is cut off from all the others"),
            Fault(at_seconds=70.0, duration_seconds=8.0, kind=FaultKind.CRASH_NODE, targets=(f"{others[-1]}/n1",)),
            Fault(
                at_seconds=74.0,
                duration_seconds=20.0,
                kind=FaultKind.CLOCK,
                targets=(f"{others[0]}/n2",),
                parameters={"offset_ms": 900},
            ),
        ]
        self.cut_off, self.crashed = first, others[-1]

    def result(self) -> RunResult:
        """The run."""
        history = self.history()
        findings = [self.finding(history)] if self.violated else []
        checkers = (
            checker("sessions", 3_412, findings=findings, legal={"stale read": 212}),
            checker("convergence", 1_120, promise="I3 equal contexts have equal bytes"),
            checker("unique adds", 8_450, promise="I1 no acknowledged addition is lost", legal={"long fork": 3}),
            checker("residency", 642, promise="I8 no value leaves its zone's regions"),
            checker(
                "counters",
                0,
                promise="I7 every increment counts exactly once",
                verdict=Verdict.UNKNOWN,
                note="no counter was read at the end",
            ),
        )
        met = {
            "carts.items": ConflictCount(met=1_904, discarded=0),
            "users.email": ConflictCount(met=61, discarded=37),
        }
        return RunResult(
            scenario="atlantic-cable-cut",
            seed=self.seed,
            plan=Plan(seconds=self.seconds, settle_seconds=60.0, operations=(), faults=self.faults),
            verdict=worst(each.verdict for each in checkers),
            checkers=checkers,
            history=history,
            regions=tuple(map(RegionName, self.regions)),
            converged_seconds=3.4,
            simulated_seconds=self.seconds + 6.1,
            real_seconds=4.7,
            trace_hash="9d73dce5f4e4b3397dc18a1f" + "0123456789abcdef" * 2 + "deadbeef",
            samples=self.samples(),
            bites={"cut: messages dropped": 1_877, "crash_node: tasks killed": 41, "clock: nodes moved": 0},
            conflicts=met if self.conflicts else {},
            faults=self.faults,
            events=self.events(),
            messages=48_211,
            bytes_carried=19_400_113,
        )

    def separated(self, reader: str, origin: str, at: float) -> bool:
        """Whether the cut lies between two regions."""
        return 30.0 <= at < 60.0 and self.cut_off in (reader, origin) and reader != origin

    def visible_at(self, reader: str, origin: str, written: float) -> float:
        """When what ``origin`` wrote is seen by ``reader``."""
        if reader == origin:
            return written
        arrives = written + self.one_way_seconds * (1 + 0.4 * self.random.random())
        return 60.4 + 3 * self.random.random() if self.separated(reader, origin, arrives) else arrives

    def history(self) -> list[Entry]:
        """Twenty operations a second."""
        entries: list[Entry] = []
        seen: dict[str, list[tuple[str, dict[str, float]]]] = {}
        at, index = 0.0, 0
        while at < self.seconds:
            at += self.random.expovariate(20.0)
            region = self.random.choice(list(self.regions))
            key = f"cart-{self.random.randrange(12)}"
            client = f"{region}-{self.random.randrange(3)}"
            reading = self.random.random() < 0.4
            took = (0.001 if reading else 0.004) * (1 + self.random.expovariate(1.5))
            status, error = Status.OK, ""
            if region == self.crashed and 70 <= at < 78 and self.random.random() < 0.4:
                status, error = (Status.FAILED, "unavailable") if reading else (Status.UNKNOWN, "outcome_unknown")
                took = 0.4 + self.random.random()
            elif self.separated("", region, at) and self.random.random() < 0.06:
                status, error, took = Status.FAILED, "session_not_covered", 5.0
            additions = seen.setdefault(key, [])
            value = None
            if reading and status is Status.OK:
                value = tuple(sorted(element for element, shown in additions if shown[region] <= at))
            element = f"e{index}"
            if not reading and status is Status.OK:
                additions.append((element, {r: self.visible_at(r, region, at + took) for r in self.regions}))
            entries.append(
                entry(
                    index,
                    region,
                    Action.READ if reading else Action.ADD,
                    at,
                    at + took,
                    status,
                    key=key,
                    client=client,
                    argument=None if reading else element,
                    value=value,
                    exists=bool(value),
                    error=error,
                    message=f"{error} since {at:.1f}" if error else "",
                )
            )
            index += 1
        return entries

    def samples(self) -> list[Sample]:
        """Four a second, until a few seconds after the end."""
        samples = []
        pairs = [(RegionName(r), RegionName(o)) for r in self.regions for o in self.regions if r != o]
        for step in range(int(self.seconds * 4) + 24):
            at = step / 4
            stale, behind = {}, {}
            for reader, origin in pairs:
                base = self.one_way_seconds * (0.8 + 0.5 * self.random.random())
                if self.separated(reader, origin, at):
                    base += at - 30.0
                elif 60 <= at < 63 and self.cut_off in (reader, origin):
                    base += 30 * (63 - at) / 3
                stale[reader, origin], behind[reader, origin] = base, int(base * 12)
            rows = {
                f"{r}/s{n}": 40 + int(max(stale[p] for p in pairs if p[1] == r) * 20)
                for r in self.regions
                for n in (1, 2)
            }
            samples.append(Sample(at=at, behind=behind, stale_seconds=stale, log_rows=rows))
        return samples

    def finding(self, history: Sequence[Entry]) -> Finding:
        """A read that lacked what its session had written."""
        write = next(
            e
            for e in history
            if e.began > 61
            and e.planned.region == self.cut_off
            and e.planned.action is Action.ADD
            and e.status is Status.OK
        )
        read = next(
            e
            for e in history
            if e.began > write.ended + 0.2
            and e.planned.key == write.planned.key
            and e.planned.action is Action.READ
            and e.planned.region == self.regions[1]
            and e.status is Status.OK
        )
        return Finding(
            checker="sessions",
            anomaly="read lacks an own write",
            sentence=(
                f"Session {read.session} read {read.planned.key} in {read.planned.region} at {read.began:.3f} s "
                f"without {write.planned.argument!r}, which session {write.session} had been told was stored in "
                f"{write.planned.region} at {write.ended:.3f} s and which the reader's token covered."
            ),
            at=read.ended,
            entries=(write.index, read.index),
            places=(write.planned.region, read.planned.region),
        )

    def events(self) -> list[TraceEvent]:
        """What was recorded between 58 s and 66 s: batches to every peer, commits, applications."""
        events: list[TraceEvent] = []
        message = 0
        for fault in self.faults[:1]:
            events.append(TraceEvent(at=fault.at_seconds, lane="harness", kind="fault", label=fault.story))
            end = fault.at_seconds + fault.duration_seconds
            events.append(TraceEvent(at=end, lane="harness", kind="mend", label=fault.story))
        for step in range(80):
            at = 58.0 + step / 10
            for source in self.regions:
                when = at + self.random.random() / 20
                events.append(TraceEvent(at=when, lane=f"{source}/s1", kind="commit", label=f"{step % 4 + 1} rows"))
                events.append(TraceEvent(at=when + 0.004, lane=f"{source}/s1", kind="capture", label=f"batch {step}"))
                for target in self.regions:
                    if target == source:
                        continue
                    message += 1
                    sent = when + 0.008
                    lanes = {"lane": f"{source}/n1", "peer": f"{target}/n1"}
                    label = f"Follow: batch {step} of {source}/s1"
                    events.append(TraceEvent(at=sent, kind="send", label=label, message=message, **lanes))
                    if self.separated(source, target, sent):
                        events.append(TraceEvent(at=sent, kind="drop", label=label, message=message, **lanes))
                        continue
                    back = {"lane": f"{target}/n1", "peer": f"{source}/n1", "label": label, "message": message}
                    arrives = sent + self.one_way_seconds * (1 + self.random.random() / 3)
                    events.append(TraceEvent(at=arrives, kind="deliver", **back))
                    events.append(
                        TraceEvent(
                            at=arrives + 0.003,
                            lane=f"{target}/s1",
                            kind="apply",
                            label=f"batch {step} of {source}/s1",
                        )
                    )
        return sorted(events, key=lambda event: event.at)


def story(**more: Any) -> RunResult:
    """The realistic result."""
    return Story(**more).result()
