"""One module per group of commands; each imports what is heavy only when it runs."""
