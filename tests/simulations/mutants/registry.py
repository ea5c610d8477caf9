"""All mutants by name. One that survives means that the simulator would not notice the real bug either."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulations.mutants import clocks, merging, replication, sessions, storage, writing
from tests.simulations.mutants.mutant import Mutant

_PARTS = (merging, writing, clocks, sessions, replication, storage)

MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for part in _PARTS for mutant in part.MUTANTS}

assert len(MUTANTS) == sum(len(part.MUTANTS) for part in _PARTS), "every mutant has a name of its own"
