"""Promise I8 on real databases: what is written into a restricted zone is searched for in every table of the ring.

The search asks Postgres and not Atoll, for parts of keys and values that only restricted records hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from atoll.ids import Origin, ZoneName
from atoll.keyspace.placement import resolve_zone
from atoll.keyspace.topology import Topology
from atoll.operating.residency import check_residency
from atoll.simulation.history import History, Status
from atoll.simulation.limits import NEEDLE_BYTES_MIN, NEEDLES_PER_ZONE_MAX
from atoll.simulation.plan import Action
from atoll.simulation.verdict import CheckerResult, Finding, Verdict


async def residency(
    topology: Topology, history: History, dsns: Mapping[Origin, str], at: float
) -> CheckerResult | None:
    """What the search found; ``None`` if the ring restricts nothing."""
    restricted = [zone for zone in topology.zones.values() if set(zone.regions) != set(topology.regions)]
    if not restricted:
        return None
    findings, checks, notes = [], 0, []
    for zone in restricted:
        texts = _needles(topology, history, zone.name)
        if not texts:
            notes.append(f"nothing that could be searched for was written into zone {zone.name}")
            continue
        report = await check_residency(dsns, texts, zone.regions)
        checks += len(dsns)
        if not report.found_at_home:
            notes.append(f"what was written into zone {zone.name} was not even found at home")
        for origin, found in report.violations.items():
            tables = ", ".join(sorted({each.table for each in found}))
            findings.append(
                Finding(
                    checker="residency",
                    anomaly="value stored outside its zone",
                    sentence=f"{origin} holds values of zone {zone.name} in {tables}.",
                    at=at,
                    places=[str(origin)],
                )
            )
    verdict = Verdict.VIOLATED if findings else Verdict.UNKNOWN if notes or not checks else Verdict.VALID
    return CheckerResult(
        checker="residency",
        promise="I8 residency: no table of any other region holds a value of a restricted zone",
        verdict=verdict,
        checks=checks,
        findings=findings,
        note="; ".join(notes),
    )


def _needles(topology: Topology, history: History, wanted: ZoneName) -> Sequence[str]:
    """The last values that were written into the zone and acknowledged, if they are long enough to be no chance hit.

    Values are unique in a run where their workload needs it; one that was also written elsewhere proves nothing."""
    inside: dict[str, None] = {}
    elsewhere: set[str] = set()
    for entry in history:
        planned = entry.planned
        value = planned.argument
        if planned.action is Action.READ or not isinstance(value, str) or len(value.encode()) < NEEDLE_BYTES_MIN:
            continue
        if resolve_zone(topology.collection(planned.collection), planned.zone) != wanted:
            elsewhere.add(value)
        elif entry.status is Status.OK:
            inside[value] = None
    return [value for value in inside if value not in elsewhere][-NEEDLES_PER_ZONE_MAX:]
