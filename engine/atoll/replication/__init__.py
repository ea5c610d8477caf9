"""The protocol between regions as values: what is sent, what is held, what may be applied. No clock, no task."""
