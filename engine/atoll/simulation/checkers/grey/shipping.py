"""I5: a batch that crosses to another region holds the rows that were captured in it, whenever and wherever it goes.

What has to cross is computed from the commits: for each record of the batch that the receiver may hold, the last
state on the first previous context. Nothing may be missing, more, or changed. Deltas, should a batch carry any, are
left to the comparison of contexts and bytes after the join.
"""

from __future__ import annotations

from atoll.ids import RecordId
from atoll.simulation.checkers.grey.carriage import Shipment
from atoll.simulation.checkers.grey.checker import Check, told
from atoll.simulation.checkers.grey.ledger import Carrier
from atoll.simulation.observations import Carried

_Content = tuple[bytes, bytes, bytes]
"""Previous context, context, state."""


class Shipping(Check):
    """The bytes on the way against the bytes committed."""

    name = "shipping"
    promise = "I5 capture: a batch crosses with the rows that were captured, always the same"

    def carried(self, _: Carried) -> None:
        for shipment in self.ledger.shipments:
            carrier = self.ledger.batches.get(shipment.origin, {}).get(shipment.number)
            if shipment.origin in self.ledger.rewound:
                continue  # its numbers may have been given twice; the capture checker tells
            if carrier is None:
                self.find("batch crosses before its capture", f"{_name(shipment)} crossed and was never captured.")
            else:
                self._check_header(shipment, carrier)
                self._check_rows(shipment, carrier)

    def _check_header(self, shipment: Shipment, carrier: Carrier) -> None:
        self.checks += 1
        batch = carrier.batch
        if (shipment.dependencies, shipment.timestamp) != (batch.dependencies, batch.timestamp):
            self.find(
                "batch crosses with another header",
                f"{_name(shipment)} crossed with the dependencies {shipment.dependencies.describe()}; captured were "
                f"{batch.dependencies.describe()}.",
                places=[shipment.source, shipment.target],
            )

    def _check_rows(self, shipment: Shipment, carrier: Carrier) -> None:
        expected = self._expected(shipment, carrier)
        found: dict[RecordId, _Content] = {}
        for row in shipment.rows:
            if not row.complete:
                return
            found[row.id] = (row.previous_context, row.context, row.state)
        self.checks += 1
        if found == expected and len(shipment.rows) == len(expected):
            return
        parts = [f"without {told(id)}" for id in sorted(expected.keys() - found.keys())]
        parts += [f"with {told(id)}, which is not in it" for id in sorted(found.keys() - expected.keys())]
        parts += [
            f"with another {told(id)}" for id in sorted(expected) if found.get(id, expected[id]) != expected[id]
        ]
        self.find(
            "batch crosses with other rows",
            f"{_name(shipment)} crossed {', '.join(parts[:5]) or 'with a row twice'}.",
            places=[shipment.source, shipment.target],
        )

    def _expected(self, shipment: Shipment, carrier: Carrier) -> dict[RecordId, _Content]:
        expected: dict[RecordId, _Content] = {}
        for write in carrier.writes:
            if self.ledger.hosts(shipment.target, write.id):
                row = write.row
                first = expected.get(write.id, (row.previous_context,))[0]
                expected[write.id] = (first, row.context, row.state)
        return expected


def _name(shipment: Shipment) -> str:
    return f"Batch {shipment.number} of {shipment.origin} from {shipment.source} to {shipment.target}"
