"""What ``atoll up`` leaves running: the keeper of a ring's Postgres servers and node processes on one machine."""
