"""Deadlines: every operation ends, well or not, soon after its timeout.

Verifies: an operation has ended ``OVERDUE_SECONDS`` after its timeout. One for which the client first had to connect
(its first, one in another region, one after hearing from another client, one after a failure) may take as long as
dialling each node of the region once on top of that.
Does not verify: that an error comes no earlier than it has to.
"""

from __future__ import annotations

from atoll.limits import DIAL_SECONDS_MAX
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.typed_errors import NOT_ANSWERED
from atoll.simulation.checkers.black.wording import told
from atoll.simulation.history import Entry, Status
from atoll.simulation.limits import ANSWER_GRACE_SECONDS, OVERDUE_SECONDS
from atoll.simulation.verdict import CheckerResult


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan does nothing."""
    if not evidence.plan.operations:
        return None
    notebook = Notebook("deadlines", "I13: every operation ends soon after its timeout")
    previous: dict[str, Entry] = {}
    for entry in evidence.history:
        notebook.checks += 1
        grace = OVERDUE_SECONDS
        if _connects(entry, previous.get(entry.planned.client)):
            region = evidence.topology.regions.get(entry.planned.region)
            grace += DIAL_SECONDS_MAX * (len(region.nodes) if region else 1)
        previous[entry.planned.client] = entry
        _judge(notebook, entry, grace)
    return notebook.result()


def _judge(notebook: Notebook, entry: Entry, grace_seconds: float) -> None:
    took_seconds, timeout_seconds = entry.ended - entry.began, entry.planned.timeout_seconds
    if entry.error == NOT_ANSWERED and grace_seconds >= ANSWER_GRACE_SECONDS:
        notebook.legal["given up while connecting"] += 1
    elif entry.error == NOT_ANSWERED or took_seconds > timeout_seconds + grace_seconds:
        sentence = f"{told(entry)} took {took_seconds:.1f} s, with a timeout of {timeout_seconds:g} s"
        notebook.find("operation overdue", sentence, entry)


def _connects(entry: Entry, previous: Entry | None) -> bool:
    return (
        previous is None
        or previous.session != entry.session
        or previous.planned.region != entry.planned.region
        or previous.status is not Status.OK
        or entry.planned.hears is not None
    )
