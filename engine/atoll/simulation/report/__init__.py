"""What people see of a run: the verdict in the terminal, and one self-contained page."""
