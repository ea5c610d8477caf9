"""Storage in memory that keeps the contracts of the real one, and fails as the real one does."""
