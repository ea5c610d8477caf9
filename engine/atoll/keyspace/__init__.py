"""The one keyspace line: positions, ranges, the shard map that cuts it, and the router that reads the map."""
