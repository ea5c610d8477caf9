"""Workloads: what simulated applications do to a field."""
