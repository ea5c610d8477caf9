"""A network in memory between simulated hosts: latency, loss, cuts, and the gRPC calls that cross it as bytes."""
