"""Which batches are known to exist, here and elsewhere: what the engine has learned from every answer of a shard."""

from __future__ import annotations

from atoll.causality.cut import Cut
from atoll.ids import Origin
from atoll.ports import Progress


class ExistingBatches:
    """Per origin the greatest batch number known to be durable. Only grows."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[Origin, int] = {}

    def learn(self, progress: Progress) -> None:
        """A shard's own captured batches exist, and so does every batch it has begun to apply."""
        self.note(progress.origin, progress.captured)
        for origin, number in progress.begun.items():
            self.note(origin, number)

    def note(self, origin: Origin, number: int) -> None:
        """Batch ``number`` of ``origin`` is durable there."""
        if number > self._numbers.get(origin, 0):
            self._numbers[origin] = number

    def at(self, origin: Origin) -> int:
        """The greatest number known to exist; 0 if none."""
        return self._numbers.get(origin, 0)

    def beyond(self, cut: Cut, own: Origin) -> Cut:
        """The entries of ``cut``, ``own`` aside, that are not known to exist."""
        numbers = self._numbers
        missing = {o: n for o, n in cut.items() if numbers.get(o, 0) < n and o != own}
        return Cut(missing) if missing else Cut.EMPTY
