"""gRPC: the servers a node offers, the channels it dials, and the only place that knows the generated stubs."""
