"""The four session guarantees, and what follows from them: a session reads all that it has written and read.

Terry et al., *Session Guarantees for Weakly Consistent Replicated Data* (1994), for clients that move between regions
and across failovers, token in hand:

- *read your writes*: a read reflects the session's own acknowledged writes;
- *monotonic reads*: and all that its earlier reads have shown;
- *monotonic writes*: who sees a write sees the earlier writes of its session, too;
- *writes follow reads*: who sees a write sees what its session had read before.

Sets are compared exactly, registers by causal order, counters where they only grow. Each violation names the two
operations.
Does not verify: what clients told each other
(:mod:`~atoll.simulation.checkers.black.out_of_band` does); sessions after an operation of unknown outcome, which the
client gives up.
"""

from __future__ import annotations

from atoll.simulation.checkers.black.contradictions import Contradiction, Kind
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import Field, elements_of, same
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.wording import told
from atoll.simulation.history import Entry
from atoll.simulation.plan import Action
from atoll.simulation.verdict import CheckerResult

READ_YOUR_WRITES = "read your writes"
MONOTONIC_READS = "monotonic reads"
MONOTONIC_WRITES = "monotonic writes"
WRITES_FOLLOW_READS = "writes follow reads"


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan never reads."""
    if not evidence.plans_actions(Action.READ):
        return None
    notebook = Notebook("sessions", "I9: a session reads all that it has written and read, wherever it goes")
    notebook.checks = _reads_with_a_past(evidence)
    notebook.legal["moves between regions"] = _moves(evidence)
    for found in evidence.contradictions:
        if not found.read.final and found.holds_in(evidence.untold_order):
            _tell(notebook, found, evidence)
    return notebook.result()


def guarantee(found: Contradiction, field: Field, order: HappensBefore) -> str:
    """The guarantee that a contradiction breaks, by the shortest way from the witness to the read."""
    read, witness = found.read, found.witness
    if witness.session == read.session:
        return MONOTONIC_READS if witness.planned.action is Action.READ else READ_YOUR_WRITES
    earlier = [other for other in field.reads if other.session == read.session and other.index < read.index]
    if any(_shows(other, found) for other in earlier):
        return MONOTONIC_READS
    session = order.session_of[witness.index]
    known = order.known(read.index, session)
    later = [order.at(session, place) for place in range(order.place_of[witness.index] + 1, known + 1)]
    wrote = any(entry.planned.action is not Action.READ for entry in later)
    return MONOTONIC_WRITES if wrote else WRITES_FOLLOW_READS


def _shows(read: Entry, found: Contradiction) -> bool:
    """Whether an earlier read shows the witness by its value."""
    argument = same(found.witness.planned.argument)
    match found.kind:
        case Kind.MISSING:
            return argument in map(same, elements_of(read))
        case Kind.OVERWRITTEN | Kind.INITIAL:
            return found.witness.planned.action is Action.SET and same(read.value) == argument
        case Kind.PRESENT | Kind.BACKWARDS:
            return False


def _tell(notebook: Notebook, found: Contradiction, evidence: Evidence) -> None:
    name = guarantee(found, found.field, evidence.untold_order)
    sentence = f"{name}: {found.words()} and so does not reflect {told(found.witness)}"
    if found.witness.session != found.read.session:
        sentence += ", which its session knew of"
    notebook.find(name, sentence, found.witness, found.read)


def _reads_with_a_past(evidence: Evidence) -> int:
    """Answered reads of fields that their session has touched before."""
    count = 0
    for field in evidence.fields:
        touched: set[str] = set()
        for entry in sorted([*field.writes, *field.reads], key=lambda entry: entry.index):
            count += entry.planned.action is Action.READ and not entry.final and entry.session in touched
            touched.add(entry.session)
    return count


def _moves(evidence: Evidence) -> int:
    """Operations of a session in another region than its one before."""
    region_of: dict[str, str] = {}
    moves = 0
    for entry in evidence.history:
        moves += region_of.get(entry.session, entry.planned.region) != entry.planned.region
        region_of[entry.session] = entry.planned.region
    return moves
