"""What a node says over HTTP: is it alive, is it ready, and its figures for Prometheus."""
