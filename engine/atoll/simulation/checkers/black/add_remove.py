"""Sets with removals against their specification: additions win over removals that have not seen them, no others.

Verifies, for every read, with what the reader knew (everything, once the ring has converged): an element is there if
some known addition of it can have been seen by no removal, and is not there if each of its possible additions was
seen by a known removal. Removals are those of the element, resets of the field and deletions of the record. What
reads show was added by somebody.
Does not verify: elements for which both answers are possible, since removal and addition were concurrent or an
outcome is unknown. The specification works on what sessions certainly knew, and so can miss violations that need more
than that; the grey box knows more.
"""

from __future__ import annotations

from atoll.crdt.schema import Rule
from atoll.simulation.checkers.black.contradictions import Contradiction, Kind
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import elements_of
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.odd_values import tell_odd_values
from atoll.simulation.checkers.black.wording import shown, told
from atoll.simulation.verdict import CheckerResult


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan takes nothing from sets."""
    if not evidence.plans_sets(shrinking=True):
        return None
    notebook = Notebook("add and remove", "I3, I4: removals take away exactly what they have seen")
    fields = [field for field in evidence.fields_of(Rule.ADD_WINS_SET) if field.key in evidence.shrinking]
    keys = {field.key for field in fields}
    notebook.checks = sum(len(field.reads) for field in fields)
    notebook.legal["elements read"] = sum(len(elements_of(read)) for field in fields for read in field.reads)
    tell_odd_values(notebook, [odd for odd in evidence.provenance.odd if odd.field.key in keys])
    for contradiction in evidence.contradictions:
        if contradiction.field.key in keys:
            _tell(notebook, contradiction)
    return notebook.result()


def _tell(notebook: Notebook, found: Contradiction) -> None:
    knew = "though everything had converged" if found.read.final else "though its session knew of both"
    if found.kind is Kind.PRESENT:
        assert found.undone is not None
        sentence = (
            f"{shown(found.undone.planned.argument)} came back: {told(found.read)} shows it {knew}; "
            f"{told(found.undone)} was seen by {told(found.witness)}, and nobody can have added it since"
        )
        notebook.find("resurrected element", sentence, found.undone, found.witness, found.read)
    else:
        knew = knew.replace("both", "it")
        sentence = (
            f"{shown(found.witness.planned.argument)} is lost: {told(found.read)} lacks it {knew}; "
            f"{told(found.witness)} was seen by no removal"
        )
        notebook.find("lost element", sentence, found.witness, found.read)
