"""A node of a region: the asyncio shell over the pure cores, which knows the world only through ports."""
