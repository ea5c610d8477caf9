"""The simulated world put together: a whole ring of production code on simulated hosts, network and storage."""
