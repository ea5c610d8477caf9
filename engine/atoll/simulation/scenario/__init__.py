"""Scenarios: how they are written, read, and made into plans."""
