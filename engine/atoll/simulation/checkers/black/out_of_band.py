"""Causality that left the ring: who was told of a write finds it, and so does whoever sees what was written then.

Verifies: after a client has taken over another's token its reads reflect all that the other had written and read; and
whoever sees what it writes after that sees this, too: no comment without its post, on other records and other shards,
in other regions. Violations are those that need at least one step of hearsay; the others are the sessions' own.
Does not verify: hearsay without a token, which nothing can know of.
"""

from __future__ import annotations

from atoll.simulation.checkers.black.contradictions import Contradiction
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.wording import told
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action
from atoll.simulation.verdict import CheckerResult


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if nobody hears of anything in the plan."""
    if not any(operation.hears for operation in evidence.plan.operations):
        return None
    notebook = Notebook("out-of-band causality", "I4, I9: no comment without its post, however its author knew")
    notebook.checks = _informed_reads(evidence)
    for found in evidence.contradictions:
        if not found.read.final and not found.holds_in(evidence.untold_order):
            _tell(notebook, found, evidence)
    return notebook.result()


def _informed_reads(evidence: Evidence) -> int:
    """Answered reads by sessions that know of something by hearsay, theirs or that of whoever they read from."""
    order, count = evidence.order, 0
    for entry in evidence.history:
        if entry.planned.action is Action.READ and entry.status is Status.OK and not entry.final:
            count += order.is_informed(entry)
    return count


def _tell(notebook: Notebook, found: Contradiction, evidence: Evidence) -> None:
    own = [e for e in evidence.history[: found.read.index + 1] if e.session == found.read.session]
    heard = [evidence.history[e.heard] for e in own if e.heard is not None and 0 <= e.heard < len(evidence.history)]
    teller = next((e for e in reversed(heard) if _knew(evidence, found.witness, e)), None)
    what = f"{found.words()} and so does not reflect {told(found.witness)}"
    if teller is not None:
        sentence = f"{what}, of which {teller.session} had told its session"
        notebook.find("told of a write and did not find it", sentence, found.witness, found.read)
    else:
        sentence = f"{what}, though its session had seen what was written by a client that had been told of it"
        notebook.find("comment without its post", sentence, found.witness, found.read)


def _knew(evidence: Evidence, witness: Entry, teller: Entry) -> bool:
    return witness.index == teller.index or evidence.order.before(witness, teller)
