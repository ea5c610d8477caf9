"""Evidence from inside: one checker a promise, over what storage and network report while a simulated ring runs."""
