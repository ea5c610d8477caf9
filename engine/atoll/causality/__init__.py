"""What happened before what: dots, version vectors, contexts with gaps, hybrid clocks."""
