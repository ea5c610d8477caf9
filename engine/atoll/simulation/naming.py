"""How simulated hosts are named: ``frankfurt/n1``, ``frankfurt/s1``, ``frankfurt/clients``."""

from __future__ import annotations

from atoll.ids import RegionName


def region_of(host: str) -> RegionName:
    """The region that a host is in; a region's own name is its own."""
    return RegionName(host.partition("/")[0])
