"""The world in memory: verified stand-ins for storage and peers, which the same node code runs on."""
