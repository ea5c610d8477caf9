"""Benchmarks that users can run: each prints Atoll beside what it is compared with, from one run on one machine."""
