"""Atoll: multi-region replication and sharding on stock Postgres.

Every region keeps serving reads and writes when cut off; nothing acknowledged is lost; all regions agree in the end.
"""

__version__ = "0.1.0"
