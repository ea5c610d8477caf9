"""Replication between regions: the asyncio shell around :mod:`atoll.replication`."""
