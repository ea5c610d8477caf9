"""Merge rules: one file each, the record that composes them, and the canonical codec."""
