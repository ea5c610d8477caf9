"""``atoll demo``: three regions, every city of the world, a cut, and the proof that all regions agree again."""
