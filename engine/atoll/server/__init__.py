"""The composition root: one node process, from a configuration file to gRPC and HTTP servers and back."""
