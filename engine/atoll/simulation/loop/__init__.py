"""Deterministic asyncio: virtual time, hosts that crash and pause, seeded order, and nothing real let in."""
