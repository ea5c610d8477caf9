"""Checkers: each holds one promise against what was seen from outside or from inside."""
