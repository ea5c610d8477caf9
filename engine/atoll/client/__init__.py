"""The shard-router client: embedded in the application's process or remote, one interface."""
