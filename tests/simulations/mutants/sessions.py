"""Slips with sessions: what a client has seen, and whether it is there."""

from __future__ import annotations

from typing import Any

from tests.simulations.mutants.mutant import Mutant, Replacement

from atoll.causality.cut import Cut
from atoll.causality.session_token import SessionToken
from atoll.ids import Origin, RecordId
from atoll.instant import Timestamp
from atoll.node.reader import Reader
from atoll.node.record_cache import RecordCache
from atoll.node.session import Session
from atoll.ports import Progress
from atoll.shard_values import ReadResult

_answer = Reader._answer


def _answer_anything(self: Reader, group: Any, result: ReadResult) -> None:
    for pendings in group.values():
        for pending in pendings:
            pending.batch.remote = Cut.EMPTY
    _answer(self, group, result)


def _forget_reads(_self: Session, _seen: Cut) -> None:
    """Nothing."""


def _forget_writes(self: Session, _origin: Origin, _number: int, timestamp: Timestamp) -> None:
    self.timestamp = max(self.timestamp, timestamp)


def _forget_answers_of_others(_self: Session, _token: SessionToken) -> None:
    """Nothing."""


def _seen_too_little(self: Progress) -> Cut:
    return self.begun.advanced(self.origin, self.captured)


def _covered_by_begun(self: Progress) -> Cut:
    return self.begun


def _overwriting_join(self: Cut, other: Cut) -> Cut:
    return Cut({**self, **other})


def _any_context(self: RecordCache, id: RecordId, _context: bytes) -> Any:
    found = self._known.get(id)
    return found.record if found is not None else None


MUTANTS = (
    Mutant(
        name="session-ignored",
        bug="a read is answered although the shard has not applied what the session has seen elsewhere",
        promise="I9",
        scenario="everything-at-once",
        replacements=[Replacement(Reader, "_answer", _answer_anything)],
    ),
    Mutant(
        name="reads-not-in-token",
        bug="a session remembers what it wrote, but not what it read",
        promise="I9",
        scenario="roaming-beside-a-crashing-sibling",
        replacements=[Replacement(Session, "read", _forget_reads)],
    ),
    Mutant(
        name="writes-not-in-token",
        bug="a session remembers what it read, but not what it wrote",
        promise="I9",
        scenario="everything-at-once",
        replacements=[Replacement(Session, "wrote", _forget_writes)],
    ),
    Mutant(
        name="forwarded-token-dropped",
        bug="what another region answered for a session is not in its token",
        promise="I9",
        scenario="residency-under-partition",
        replacements=[Replacement(Session, "join", _forget_answers_of_others)],
    ),
    Mutant(
        name="token-names-last-batch",
        bug="a session's token names the last captured batch, not the one that its write will be in",
        promise="I9",
        scenario="everything-at-once",
        replacements=[Replacement(Progress, "seen", _seen_too_little)],
    ),
    Mutant(
        name="covered-once-begun",
        bug="a session counts as covered when the shard has heard of a batch, not when it has applied it",
        promise="I9",
        scenario="london-is-the-bridge",
        seed=2,
        replacements=[Replacement(Progress, "covered", _covered_by_begun)],
    ),
    Mutant(
        name="cut-overwritten",
        bug="joining two cuts takes the entries of the second, even if they are smaller",
        promise="I9",
        scenario="everything-at-once",
        replacements=[Replacement(Cut, "join", _overwriting_join)],
    ),
    Mutant(
        name="cache-believed",
        bug="a reader takes a record from the cache without comparing its context with the shard's",
        promise="I9",
        scenario="everything-at-once",
        replacements=[Replacement(RecordCache, "peek", _any_context)],
    ),
)
