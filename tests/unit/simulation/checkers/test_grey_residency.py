"""Planted violations of I8: rows in the wrong region, and bytes on the way to one."""

from __future__ import annotations

from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import EU, FRANKFURT, OREGON, TOKYO, added, origin, titled

from atoll.crdt.packing import pack
from atoll.keyspace.position import zone_range
from atoll.simulation.observations import Carried

LEAK = {("residency inside", "value sent outside its zone")}


def carried(ring: Ring, payload: bytes, target: str = "tokyo") -> None:
    ring.observe(Carried(at=0, source="frankfurt/n1", target=f"{target}/n1", method="Pull", payload=payload))


def ring_with_a_secret() -> Ring:
    ring = Ring()
    ring.write(FRANKFURT, "p", titled("the secret title"), added("a secret tag"), zone=EU)
    ring.write(FRANKFURT, "a", titled("known to everybody"))
    ring.capture(origin("frankfurt"))
    return ring


def test_batches_filtered_by_the_engine_are_valid() -> None:
    ring = ring_with_a_secret()
    ring.settle()
    assert ring.anomalies() == set()


def test_record_stored_outside_its_zone_is_found() -> None:
    ring = ring_with_a_secret()
    id = ring.id("p", EU)
    ring.shards[origin("tokyo")].records[id] = ring.shards[origin("frankfurt")].records[id]
    found = ring.anomalies(converged=False)
    assert ("residency inside", "record outside its zone") in found


def test_row_sent_outside_its_zone_is_found() -> None:
    ring = ring_with_a_secret()
    ring.payload = lambda source, number, _: ring.shards[source].batch_rows(number, [zone_range(EU)])  # type: ignore[method-assign]
    ring.observe(ring.message(origin("frankfurt"), 1, TOKYO))
    assert ring.anomalies(converged=False) >= LEAK


def test_position_in_any_message_is_found() -> None:
    ring = ring_with_a_secret()
    carried(ring, b"noise eu\0 and more" + ring.id("p", EU).position + b"noise")
    assert ring.anomalies(converged=False) == LEAK


def test_value_in_any_message_is_found() -> None:
    for secret in ("the secret title", "a secret tag"):
        ring = ring_with_a_secret()
        carried(ring, b"noise" + pack(secret) + b"noise")
        assert ring.anomalies(converged=False) == LEAK


def test_values_of_other_zones_and_to_the_zones_regions_are_no_violation() -> None:
    ring = ring_with_a_secret()
    carried(ring, pack("known to everybody") + b"eu\0" + ring.id("a").position)
    carried(ring, pack("the secret title") + ring.id("p", EU).position, OREGON)
    carried(ring, pack("the secret title, and more"))
    assert ring.anomalies(converged=False) == set()


def test_value_that_was_written_in_other_zones_too_betrays_nothing() -> None:
    ring = ring_with_a_secret()
    ring.write(TOKYO, "b", titled("the secret title"))
    ring.settle()
    carried(ring, pack("the secret title"))
    assert ring.anomalies() == set()
