"""The real tier: the same scenario on real processes, real Postgres servers and real sockets of one machine."""
